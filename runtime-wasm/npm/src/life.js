// A page's life: what becomes of it when nobody looks at it is the browser's to decide. A hidden page goes on by itself, for what comes by a
// socket comes all the same, and what is due is known by the clock, however late a timer is. Here is what would not go by itself.

import { commitAll, leaveGroups } from "./consumer.js";
import { restDatabases, wakeDatabases } from "./database.js";
import { cutTunnels } from "./websocket.js";

// Nothing of a frozen page runs, but the browser holds its sockets and answers pings: brokers would keep its queues for it for two minutes.
// So it says how far it is and cuts its connections, of which it makes new ones when it goes on; by listeners of their own, since what the
// first has begun is written before the second is called.
function rests(target, type, isRest = () => true) {
  target.addEventListener(type, (event) => isRest(event) && commitAll());
  target.addEventListener(type, (event) => isRest(event) && (cutTunnels("the page was frozen"), restDatabases()));
}

// A Worker is told nothing of all this.
if (globalThis.document) {
  rests(document, "freeze");
  rests(globalThis, "pagehide", ({ persisted }) => persisted);
  document.addEventListener("resume", () => wakeDatabases());
  addEventListener("pageshow", ({ persisted }) => persisted && wakeDatabases());
  // It never comes back. What is written now still goes out: how far it is, and that its queues are free.
  addEventListener("pagehide", ({ persisted }) => persisted || leaveGroups());
}
