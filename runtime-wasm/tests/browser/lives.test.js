// What becomes of pages: they are hidden and throttled, frozen, offline, closed. Nothing is lost, and what they had goes to others.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bench, eventually, nameServers, unique } from "../node/support/bench.js";
import { site } from "./support/site.js";
import { browser } from "./support/tabs.js";
import { door, tunnelUrl } from "./support/tunnel.js";

/** In the page: joins the group, and tells of each message. */
async function join([gateway, nameServers, topic, group, more, connect]) {
  globalThis.client = await stgclient.connect(gateway, { nameServers, requestTimeout: 2000, ...connect });
  globalThis.ends = [];
  client.events.addEventListener("disconnected", ({ message }) => ends.push(message));
  // So much later that none is committed before something becomes of the page.
  const options = { topic, from: "first", commitInterval: 600_000, ...more };
  globalThis.consumer = await client.consumer(group, options, (message) => tell(JSON.stringify(message.text().trim())));
  await consumer.ready();
}

/** In the page: sends, patiently. */
async function sendAll([topic, bodies, bytes]) {
  const producer = client.producer("pages", { sendTimeout: 60_000, compressionThreshold: Infinity });
  await Promise.all(bodies.map((body) => producer.send({ topic, body: body + " ".repeat(bytes) })));
}

const countQueues = (tab) => tab.evaluate(() => consumer.status.queues.filter(({ queue }) => !queue.topic.startsWith("%")).length);

/** A topic and a group whose members are tabs, which connect through a gateway of the test's, if it has one. */
async function scene(t, queues, through) {
  const on = await bench(t, queues);
  const gatewayUrl = through?.url ?? (await tunnelUrl());
  const { url } = await site(t);
  const first = await browser(t);
  const group = unique("tabs");
  const tabs = [];
  let sent = 0;
  return {
    tabs,
    browser: first,
    async join({ of = first, options, connect } = {}) {
      const tab = await of.tab(url);
      await tab.evaluate(join, [gatewayUrl, nameServers, on.topic, group, options, connect]);
      tabs.push(tab);
      return tab;
    },
    send: (count) => Promise.all(Array.from({ length: count }, () => on.send(String(sent++)))),
    /** The same by a tab's own producer, with so many bytes more in each. */
    sendFrom(tab, count, bytes = 0) {
      const bodies = Array.from({ length: count }, () => String(sent++));
      return tab.evaluate(sendAll, [on.topic, bodies, bytes]);
    },
    /** All that was sent has come to a tab; gives how many came again. */
    async all() {
      const told = () => tabs.flatMap((tab) => tab.told);
      await eventually(`${sent} are consumed`, () => new Set(told()).size === sent);
      return told().length - sent;
    },
    /** How far the group is, in all. */
    async committed() {
      const offsets = await Promise.all((await on.queues()).map((queue) => on.admin.groupOffset(group, queue)));
      return offsets.reduce((sum, offset) => sum + Number(offset ?? 0n), 0);
    },
    share: (wanted, among = tabs) =>
      eventually(`they have ${wanted} queues`, async () => (await Promise.all(among.map(countQueues))).sort().join() === wanted.join()),
  };
}

/** In the page: counts how often a timer comes that is to come all the time. */
const tick = () => (globalThis.ticks = 0, setInterval(() => ticks++, 1), undefined);

/** Asserts that while something is done in a hidden tab hardly any timer comes: then it hangs on none. */
async function withoutTimers(tab, act) {
  assert.ok(await tab.evaluate(() => document.hidden));
  await tab.evaluate(tick);
  // Throttled is what has been hidden for some time.
  let before = await tab.evaluate(() => ticks);
  await eventually("the tab is throttled", async () => {
    await new Promise((later) => setTimeout(later, 2500));
    const now = await tab.evaluate(() => ticks);
    const isThrottled = now - before <= 3;
    before = now;
    return isThrottled;
  });
  const began = Date.now();
  const done = await act();
  const ticks = (await tab.evaluate(() => ticks)) - before;
  const seconds = (Date.now() - began) / 1000;
  assert.ok(ticks <= 2 + seconds, `${ticks} ticks of the timer in ${seconds} s`);
  return { done, ticks };
}

/** How long a gateway is away: long enough for Chromium to hold WebSockets back that are tried all the time. */
const AWAY_MS = 40_000;

/** How long a tab is hidden: brokers forget whom they have not heard of for two minutes, and look every ten seconds. */
const HIDDEN_MS = 140_000;

describe("a tab", { concurrency: 3, timeout: 380_000 }, () => {
  // Apache's servers are the judge, and one time is enough.
  const onApache = process.env.STGCLIENT_SERVERS ? test : () => {};
  onApache("that is hidden keeps its queues for longer than brokers wait for who says nothing", async (t) => {
    const { join, all, send, share } = await scene(t, 4);
    const tab = await join();
    await join();
    await share([2, 2]);
    await withoutTimers(tab, () => new Promise((later) => setTimeout(later, HIDDEN_MS)));
    assert.deepEqual(await tab.evaluate(() => ends), []);
    await share([2, 2]);
    await send(20);
    assert.equal(await all(), 0);
  });

  test("shares the queues of a group with others, and when one is closed in the middle nothing is lost", async (t) => {
    const { join, send, all, share, tabs } = await scene(t, 6);
    await join();
    await join();
    await share([3, 3]);
    await send(60);
    await all();
    await join();
    await share([2, 2, 2]);
    const sending = send(300);
    const [first, ...others] = tabs;
    await eventually("it has some", () => first.told.length > 22);
    await first.close();
    await share([3, 3], others);
    await sending;
    await send(30);
    await all();
  });

  for (const [how, leave] of [
    ["closed", (tab) => tab.close()],
    ["reloaded", (tab) => tab.reload()],
    // Which keeps it, in case that the user comes back.
    ["left for another page", (tab) => tab.leave()],
  ]) {
    test(`that is ${how} has committed what it has consumed, and its queues go to another one at once`, async (t) => {
      const { join, send, all, share } = await scene(t, 4);
      const first = await join();
      const second = await join();
      await share([2, 2]);
      await send(40);
      await all();
      await leave(first);
      await share([4], [second]);
      await send(40);
      assert.equal(await all(), 0, "some came again");
    });
  }

  test("that crashes loses nothing, and its queues go to another one at once", async (t) => {
    const { join, send, all, share } = await scene(t, 4);
    const first = await join();
    const second = await join();
    await share([2, 2]);
    await send(40);
    await all();
    // Nobody is there to answer.
    first.send("Page.crash").catch(() => {});
    await share([4], [second]);
    await send(40);
    await all();
  });

  test("that is frozen gives its queues to another one at once, and has its share again when it goes on", async (t) => {
    const { join, send, all, share } = await scene(t, 4);
    const first = await join();
    const second = await join();
    await share([2, 2]);
    await send(20);
    await all();
    await first.evaluate(() => document.addEventListener("freeze", () => (globalThis.wasFrozen = true)));
    await first.freeze();
    await eventually("it is frozen", () => first.evaluate(() => globalThis.wasFrozen));
    const had = first.told.length;
    await send(20);
    await share([4], [second]);
    assert.equal(await all(), 0, "some came again");
    assert.equal(first.told.length, had);
    await first.resume();
    await share([2, 2]);
    await send(20);
    await all();
    assert.deepEqual(await first.evaluate(() => ends.filter((words) => !words.includes("the page was frozen or left"))), []);
  });

  const ways = {
    "is frozen": [(tab) => tab.freeze(), (tab) => tab.resume()],
    "is left for another page and come back to": [(tab) => tab.leave(), (tab) => tab.comeBack()],
  };
  for (const [how, [leave, comeBack]] of Object.entries(ways)) {
    test(`that ${how} begins where the others are by then: nothing comes again, and no offset goes back`, async (t) => {
      const { join, send, all, share, committed } = await scene(t, 4);
      // So that there is always something to commit when the page stands still.
      const first = await join({ options: { commitInterval: 100 } });
      const second = await join({ options: { commitInterval: 100 } });
      await share([2, 2]);
      await send(20);
      assert.equal(await all(), 0);
      await leave(first);
      await share([4], [second]);
      await send(200);
      assert.equal(await all(), 0, "some came again while it was away");
      await eventually("all is committed", async () => (await committed()) === 220);
      await comeBack(first);
      await share([2, 2]);
      // Whatever it has kept would be committed within some intervals.
      for (let look = 0; look < 20; look++) {
        assert.equal(await committed(), 220, "the group's offset has gone back");
        await new Promise((later) => setTimeout(later, 100));
      }
      await send(20);
      assert.equal(await all(), 0, "some came again");
      await eventually("all is committed", async () => (await committed()) === 240);
    });
  }

  for (const persisted of [true, false]) {
    // Firefox and Safari have no event for freezing.
    test(`that is told by \`pagehide\` alone that it is left (persisted: ${persisted}) has said all in that turn`, async (t) => {
      const { join, send, all, share, committed } = await scene(t, 4);
      const tab = await join({ options: { orderly: true } });
      const other = await join({ options: { orderly: true } });
      await share([2, 2]);
      await send(20);
      assert.equal(await all(), 0);
      const left = await tab.evaluate((persisted) => {
        dispatchEvent(new PageTransitionEvent("pagehide", { persisted }));
        return [consumer.status.queues.length, client.state];
      }, persisted);
      assert.deepEqual(left, [0, "disconnected"]);
      await eventually("its half is committed, though the interval is ten minutes", async () => (await committed()) === 10);
      // Which it is not, and so it is connected again.
      await tab.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
      await send(20);
      assert.equal(await all(), 0, "some came again");
      await share([2, 2], [tab, other]);
    });
  }

  for (const [how, leave] of [
    ["is frozen", (tab) => tab.freeze()],
    ["is closed", (tab) => tab.close()],
    ["is reloaded", (tab) => tab.reload()],
    ["is left for another page", (tab) => tab.leave()],
  ]) {
    test(`that consumes in order and ${how} gives its locks back at once`, async (t) => {
      const { join, send, all, share } = await scene(t, 4);
      const first = await join({ options: { orderly: true } });
      const second = await join({ options: { orderly: true } });
      await share([2, 2]);
      await send(20);
      assert.equal(await all(), 0);
      await leave(first);
      const began = Date.now();
      await send(20);
      assert.equal(await all(), 0, "some came again");
      const seconds = (Date.now() - began) / 1000;
      // A broker keeps the locks of who gives none back for a minute.
      assert.ok(seconds < 40, `after ${seconds} s`);
      await share([4], [second]);
    });
  }

  test("whose gateway is away for a minute is connected seconds after it is back, however short its time to connect is", async (t) => {
    const through = await door(t);
    const { join, send, all } = await scene(t, 4, through);
    const tab = await join({ connect: { connectTimeout: 1000 } });
    await send(20);
    await all();
    await tab.evaluate(() => {
      globalThis.tries = 0;
      globalThis.WebSocket = class extends WebSocket {
        constructor(...of) {
          super(...of);
          tries++;
        }
      };
    });
    await through.end("SIGKILL");
    await new Promise((later) => setTimeout(later, AWAY_MS));
    const tries = await tab.evaluate(() => tries);
    // From about sixteen on browsers would hold new ones back.
    assert.ok(tries > 5 && tries < 40, `${tries} WebSockets`);
    await send(20);
    await through.start();
    const began = Date.now();
    await all();
    const seconds = (Date.now() - began) / 1000;
    assert.ok(seconds < 15, `after ${seconds} s`);
  });

  test("that is offline loses nothing, and goes on when it is online again", async (t) => {
    const { join, send, sendFrom, all } = await scene(t, 4);
    const tab = await join();
    await send(20);
    await all();
    await tab.network(true);
    await send(20);
    const sending = sendFrom(tab, 20);
    await eventually("it notices", () => tab.evaluate(() => client.state === "disconnected" && ends.length >= 2));
    assert.equal(tab.told.length, 20);
    await tab.network(false);
    await all();
    await sending;
    await eventually("it is connected", () => tab.evaluate(() => client.state === "connected"));
  });

  for (const [how, signal, words] of [
    ["is told to end", "SIGTERM", /the gateway stops.*1001/],
    ["is killed", "SIGKILL", /code 1006/],
  ]) {
    test(`whose gateway ${how} and is started again loses nothing, and goes on when it is there`, async (t) => {
      const through = await door(t);
      const { join, send, sendFrom, all } = await scene(t, 4, through);
      const tab = await join();
      await send(20);
      await all();
      await through.end(signal);
      await eventually("it notices", () => tab.evaluate(() => client.state === "disconnected"));
      assert.match((await tab.evaluate(() => ends)).join(), words);
      await send(20);
      const sending = sendFrom(tab, 20);
      await through.start();
      await all();
      await sending;
    });
  }

  test("whose computer sleeps loses nothing, and has its share again when it wakes", async (t) => {
    // Who says nothing for so long is taken for gone.
    const through = await door(t, { bounds: "ping_seconds = 1\nidle_seconds = 3" });
    const { join, send, all, share, browser: laptop } = await scene(t, 4, through);
    const sleeper = await join();
    const other = await join({ of: await browser(t) });
    await share([2, 2]);
    await send(20);
    await all();
    laptop.sleep();
    await send(20);
    await share([4], [other]);
    await send(20);
    laptop.wake();
    await share([2, 2]);
    await send(20);
    await all();
    assert.ok((await sleeper.evaluate(() => ends)).length > 0, "its tunnels were not ended");
  });

  test("that is hidden, and whose timers come once a minute, gets what is sent, keeps its queues and sends", async (t) => {
    const { join, all, send, sendFrom, share } = await scene(t, 4);
    const tab = await join();
    const front = await join();
    await share([2, 2]);
    await withoutTimers(tab, async () => {
      for (let round = 0; round < 5; round++) {
        await send(20);
        await all();
        await sendFrom(tab, 20);
        await all();
      }
    });
    await share([2, 2]);
    assert.ok(tab.told.length >= 50 && front.told.length >= 50, `${tab.told.length} and ${front.told.length}`);
  });

  test("that is hidden sends more than a WebSocket takes at once", async (t) => {
    const { join, sendFrom, all } = await scene(t, 1);
    const tab = await join();
    await join();
    await withoutTimers(tab, () => sendFrom(tab, 80, 128 << 10));
    await all();
  });

  test("that is hidden goes on with a cluster in memory", async (t) => {
    const { join } = await scene(t, 1);
    const tab = await join();
    await join();
    const consumed = await withoutTimers(tab, () => tab.evaluate(async () => {
      const { cluster } = await import("/stgclient/dist/embedded-browser.js");
      const client = await stgclient.connect(cluster());
      await client.admin().createTopic("t", { queues: 2 });
      let heard = 0;
      const all = new Promise((resolve) => (globalThis.heardAll = resolve));
      await client.consumer("g", { topic: "t", from: "first" }, () => ++heard === 500 && heardAll());
      const producer = client.producer("p");
      for (let n = 0; n < 500; n++) await producer.send({ topic: "t", body: "x" });
      await all;
      return heard;
    }));
    assert.equal(consumed.done, 500);
  });
});
