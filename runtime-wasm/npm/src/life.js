// A page's life: what becomes of it when nobody looks at it is the browser's to decide. A hidden page goes on by itself, for what comes by a
// socket comes all the same, and what is due is known by the clock, however late a timer is. Here is what would not go by itself.

import { cutStreams } from "./bridge.js";
import { giveUpQueues } from "./client.js";
import { restDatabases, wakeDatabases } from "./database.js";

// Nothing of a page that is frozen or left runs, but the browser may hold its sockets and answer pings: brokers would keep its queues for it
// for two minutes. And who knows whether it comes back, or when. So it says how far it is, gives its queues up and cuts its connections, in
// one turn, and when it goes on it makes new ones and begins where its groups are by then.
function rests(target, type, comesBack) {
  target.addEventListener(type, () => {
    giveUpQueues();
    cutStreams("the page was frozen or left");
  });
  // A listener of its own: what the first has begun to keep is kept before this one is called.
  target.addEventListener(type, (event) => comesBack(event) && restDatabases());
}

// A Worker is told nothing of all this.
if (globalThis.document) {
  rests(document, "freeze", () => true);
  rests(globalThis, "pagehide", ({ persisted }) => persisted);
  document.addEventListener("resume", () => wakeDatabases());
  addEventListener("pageshow", ({ persisted }) => persisted && wakeDatabases());
}
