// What an adversary has found: each test is named after the rule that is broken.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as path } from "node:path";
import { describe, test } from "node:test";

import { chromium } from "playwright-core";

import { serve } from "../../../examples/web/serve.mjs";
import { bench, eventually, nameServers, unique } from "../node/support/bench.js";
import { gateway as relay } from "../node/support/gateway.js";
import { context, FLAGS, page, plain, PROGRAM } from "./support/chromium.js";
import { atFreePort } from "./support/ports.js";
import { installed, site } from "./support/site.js";
import { browser } from "./support/tabs.js";
import { door, tunnelUrl } from "./support/tunnel.js";

/** At once, on a loaded machine: brokers keep what nobody gives them back for a minute or two. */
const AT_ONCE = 20_000;

/** In the page: joins the group, and tells of each message. `more` are options of the consumer; `revokedMs` is how long a listener takes. */
async function join([gateway, nameServers, topic, group, more, revokedMs, connecting]) {
  globalThis.client = await stgclient.connect(gateway, { nameServers, requestTimeout: 2000, ...connecting });
  const options = { topic, from: "first", commitInterval: 600_000, ...more };
  if (revokedMs) options.rebalanceListener = { revoked: () => new Promise((done) => setTimeout(done, revokedMs)) };
  globalThis.consumer = await client.consumer(group, options, (message) => tell(JSON.stringify(message.text())));
  await consumer.ready();
}

const countQueues = (tab) => tab.evaluate(() => consumer.status.queues.filter(({ queue }) => !queue.topic.startsWith("%")).length);

/** A topic and a group of tabs. */
async function scene(t, queues, { more = {}, revokedMs = 0, url: gatewayUrl, connecting = {} } = {}) {
  const on = await bench(t, queues);
  const { url } = await site(t);
  const first = await browser(t);
  const group = unique("tabs");
  gatewayUrl ??= await tunnelUrl();
  const tabs = [];
  let sent = 0;
  return {
    on,
    url,
    group,
    tabs,
    browser: first,
    async join() {
      const tab = await first.tab(url);
      await tab.evaluate(join, [gatewayUrl, nameServers, on.topic, group, more, revokedMs, connecting]);
      tabs.push(tab);
      return tab;
    },
    send: (count) => Promise.all(Array.from({ length: count }, () => on.send(String(sent++)))),
    async all(patience) {
      const told = () => tabs.flatMap((tab) => tab.told);
      await eventually(`${sent} are consumed`, () => new Set(told()).size === sent, patience);
      return told().length - sent;
    },
    share: (wanted, among = tabs) =>
      eventually(`they have ${wanted} queues`, async () => (await Promise.all(among.map(countQueues))).sort().join() === wanted.join()),
  };
}

describe("the life of a page that consumes in order", { concurrency: 2, timeout: 200_000 }, () => {
  for (const [how, leave] of [
    ["frozen", async (tab) => {
      await tab.evaluate(() => document.addEventListener("freeze", () => (globalThis.wasFrozen = true)));
      await tab.freeze();
      await eventually("it is frozen", () => tab.evaluate(() => globalThis.wasFrozen));
    }],
    ["told to close its consumer (a control)", (tab) => tab.evaluate(async () => void (await consumer.close()))],
    ["closed", (tab) => tab.close()],
    ["left for another page", (tab) => tab.send("Page.navigate", { url: "about:blank" })],
    ["killed", async (tab) => void tab.send("Page.crash").catch(() => {})],
  ]) {
    test(`that is ${how}: others have its queues at once`, async (t) => {
      const { join, send, all, share } = await scene(t, 4, { more: { orderly: true } });
      const first = await join();
      await join();
      await share([2, 2]);
      await send(20);
      await all();
      await leave(first);
      await send(20);
      const began = Date.now();
      await all();
      const took = Date.now() - began;
      t.diagnostic(`${how}: ${took} ms`);
      assert.ok(took < AT_ONCE, `it took ${took} ms`);
    });
  }
});

describe("the life of a page", { concurrency: 2, timeout: 200_000 }, () => {
  for (const [how, leave, comeBack] of [
    ["frozen", async (tab) => {
      await tab.evaluate(() => document.addEventListener("freeze", () => (globalThis.wasFrozen = true)));
      await tab.freeze();
      await eventually("it is frozen", () => tab.evaluate(() => globalThis.wasFrozen));
    }, (tab) => tab.resume()],
    ["left for another page, and comes back as it was", async (tab, url) => {
      await tab.evaluate(() => (globalThis.isSame = true));
      await tab.send("Page.navigate", { url: `${url}nothing.html` });
    }, async (tab) => {
      const { entries, currentIndex } = await tab.send("Page.getNavigationHistory");
      await tab.send("Page.navigateToHistoryEntry", { entryId: entries[currentIndex - 1].id });
      await eventually("it is back", () => tab.evaluate(() => globalThis.isSame === true).catch(() => false));
    }],
  ]) {
    test(`that is ${how}: what others have consumed and committed meanwhile does not come again`, async (t) => {
      // Others commit all the time.
      const { on, join, send, all, share, url, group } = await scene(t, 4, { more: { commitInterval: 100 } });
      const first = await join();
      const second = await join();
      await share([2, 2]);
      await send(20);
      await all();
      await leave(first, url);
      await share([4], [second]);
      await send(200);
      assert.equal(await all(), 0);
      const committed = async () => {
        const offsets = await Promise.all((await on.queues()).map((queue) => on.admin.groupOffset(group, queue)));
        return offsets.reduce((sum, offset) => sum + offset, 0n);
      };
      await eventually("all is committed", async () => (await committed()) === 220n);
      const had = first.told.length;
      await comeBack(first);
      let least = 220n;
      for (const until = Date.now() + 15_000; Date.now() < until; ) {
        const now = await committed();
        if (now < least) least = now;
        await new Promise((later) => setTimeout(later, 20));
      }
      const again = first.told.length - had;
      assert.deepEqual({ again, committed: least }, { again: 0, committed: 220n });
    });
  }
});

/** In the page: how many objects of a kind there are, all garbage collected. */
async function countOf(page, tools, expression) {
  await tools.send("HeapProfiler.collectGarbage");
  await tools.send("HeapProfiler.collectGarbage");
  const { result } = await tools.send("Runtime.evaluate", { expression });
  const { objects } = await tools.send("Runtime.queryObjects", { prototypeObjectId: result.objectId });
  const { result: length } = await tools.send("Runtime.callFunctionOn", { objectId: objects.objectId, functionDeclaration: "function () { return this.length; }", returnByValue: true });
  await tools.send("Runtime.releaseObject", { objectId: objects.objectId });
  return length.value;
}

describe("a page's clients", { concurrency: 2, timeout: 120_000 }, () => {
  for (const [kind, model, prototype] of [
    ["connection to IndexedDB", "broadcasting", "IDBDatabase.prototype"],
  ]) {
    test(`leave no ${kind} once they are closed`, async (t) => {
      const { topic } = await bench(t, 2);
      const on = await plain(t);
      const tools = await on.context().newCDPSession(on);
      await on.evaluate(async ([url, nameServers, topic, group, model]) => {
        for (let n = 0; n < 10; n++) {
          const client = await stgclient.connect(url, { nameServers });
          const consumer = await client.consumer(`${group}-${n}`, { topic, from: "first", model }, () => {});
          await consumer.ready();
          await client.producer("p").send({ topic, body: "x" });
          await consumer.close();
          await client.close();
        }
      }, [await tunnelUrl(), nameServers, topic, unique("g"), model]);
      await new Promise((later) => setTimeout(later, 1500));
      await on.evaluate(() => 0);
      assert.equal(await countOf(on, tools, prototype), 0);
    });
  }

  test("leave no cluster in memory that nobody has any more", async (t) => {
    const on = await plain(t);
    const tools = await on.context().newCDPSession(on);
    await on.evaluate(async () => {
      const { cluster, Cluster } = await import("stgclient/embedded");
      globalThis.Cluster = Cluster;
      for (let n = 0; n < 10; n++) {
        const client = await stgclient.connect(cluster());
        await client.admin().createTopic("t", { queues: 1 });
        await client.producer("p").send({ topic: "t", body: "x" });
        await client.close();
      }
    });
    await new Promise((later) => setTimeout(later, 3000));
    assert.equal(await countOf(on, tools, "Cluster.prototype"), 0);
  });

  test("that are closed while a tunnel is being opened do not complain on the console", async (t) => {
    // A gateway that takes its time.
    const through = await relay(t, { verifyClient: (_, done) => setTimeout(() => done(true), 500) });
    const on = await plain(t);
    const code = await on.evaluate(async ([url, nameServers]) => {
      const signal = AbortSignal.timeout(100);
      return stgclient.connect(url, { nameServers, signal }).catch(({ name }) => name);
    }, [through.url, nameServers]);
    assert.equal(code, "TimeoutError");
    await new Promise((later) => setTimeout(later, 1000));
    assert.deepEqual(on.complaints.splice(0), []);
  });

  for (const token of ["of the user", "dXNlcg==/"]) {
    test(`say that a token that cannot be a subprotocol is wrong: ${token}`, async (t) => {
      const on = await plain(t);
      const told = await on.evaluate(async ([url, nameServers, token]) => {
        const client = await stgclient.connect(url, { nameServers, webSocket: { token } }).catch((error) => error);
        return [client.code, client.message];
      }, [await tunnelUrl(), nameServers, token]);
      t.diagnostic(String(told));
      assert.equal(told[0], "INVALID_ARGUMENT", told[1]);
    });
  }
});

describe("a signal", { concurrency: 2, timeout: 60_000 }, () => {
  const hangs = (file) => ({ answer: (path) => path.endsWith(`/${file}`) });
  /** What became of a call within so many ms. */
  const attempt = (on, act, given) => on.evaluate(`Promise.race([(${act})(${JSON.stringify(given)}).then(() => "done", ({ name }) => name), new Promise((r) => setTimeout(r, 5000, "it waits"))])`);

  test("gives up `connect` while the WebAssembly is loaded", async (t) => {
    const on = await plain(t, hangs("stgclient_bg.wasm"));
    const how = await attempt(on, ([url, nameServers]) => stgclient.connect(url, { nameServers, signal: AbortSignal.timeout(200) }), [await tunnelUrl(), nameServers]);
    assert.equal(how, "TimeoutError");
  });

  for (const [what, begin] of [
    ["a consumer with a handler", (client, options) => client.consumer("g", options, () => {})],
    ["a stream", (client, options) => client.consumer("g", options).next()],
    ["a pull consumer", (client, { signal }) => client.pullConsumer("g", { signal })],
  ]) {
    test(`gives up starting ${what} while what it needs is loaded`, async (t) => {
      const on = await plain(t, hangs("stgclient_compression_bg.wasm"));
      const act = `async ([url, nameServers, topic]) => {
        const client = await stgclient.connect(url, { nameServers });
        await (${begin})(client, { topic, signal: AbortSignal.timeout(500) });
      }`;
      assert.equal(await attempt(on, act, [await tunnelUrl(), nameServers, unique("t")]), "TimeoutError");
    });
  }
});

describe("the life of a page's tunnels", { concurrency: 2, timeout: 200_000 }, () => {
  const frozen = async (tab) => {
    await tab.evaluate(() => document.addEventListener("freeze", () => (globalThis.wasFrozen = true)));
    await tab.freeze();
    await eventually("it is frozen", () => tab.evaluate(() => globalThis.wasFrozen));
  };

  test("that is frozen while it sends more than its line takes: none stands", async (t) => {
    const through = await relay(t);
    const { on, join, share } = await scene(t, 2, { url: through.url });
    const tab = await join();
    await share([2]);
    // A slow line.
    for (const tunnel of through.tunnels) tunnel.pause();
    await tab.evaluate((topic) => {
      const producer = client.producer("p", { compressionThreshold: Infinity });
      for (let n = 0; n < 200; n++) producer.send({ topic, body: new Uint8Array(128 << 10) }).catch(() => {});
    }, on.topic);
    await new Promise((later) => setTimeout(later, 1000));
    await frozen(tab);
    await new Promise((later) => setTimeout(later, 500));
    for (const tunnel of through.tunnels) tunnel.resume();
    await eventually("its tunnels have ended", () => through.tunnels.size === 0, AT_ONCE);
  });
});

/** In the page: joins as one who gets every message. */
async function broadcast([gateway, nameServers, topic, group]) {
  globalThis.client = await stgclient.connect(gateway, { nameServers });
  globalThis.heard = [];
  globalThis.warnings = [];
  client.events.addEventListener("warning", ({ message }) => warnings.push(message));
  const options = { topic, from: "first", model: "broadcasting", commitInterval: 50 };
  globalThis.consumer = await client.consumer(group, options, (message) => void heard.push(message.text()));
  await consumer.ready();
}

describe("the offsets of a page's broadcasting consumer", { concurrency: 2, timeout: 120_000 }, () => {
  test("go on where the page was after a reload, also when another tab, which kept them, is frozen", async (t) => {
    const on = await bench(t, 1);
    await on.fill(0, 5);
    const { url } = await site(t);
    const made = await browser(t);
    const given = [await tunnelUrl(), nameServers, on.topic, unique("tabs")];
    const begin = async () => {
      const tab = await made.tab(url);
      await tab.evaluate(broadcast, given);
      return tab;
    };
    const hears = (tab, wanted) => eventually(`it hears ${wanted}`, async () => (await tab.evaluate(() => heard)).join() === wanted);
    const first = await begin();
    await hears(first, "0,1,2,3,4");
    await new Promise((later) => setTimeout(later, 1000));
    const second = await begin();
    await first.freeze();
    await on.fill(5, 10);
    await hears(second, "5,6,7,8,9");
    await new Promise((later) => setTimeout(later, 1000));
    await second.send("Page.reload");
    await new Promise((later) => setTimeout(later, 500));
    await eventually("it is there again", () => second.evaluate(() => typeof stgclient === "object" && !globalThis.client));
    await second.evaluate(broadcast, given);
    await on.fill(10, 11);
    await eventually("it hears the last", async () => (await second.evaluate(() => heard)).includes("10"));
    assert.deepEqual(await second.evaluate(() => heard), ["10"]);
  });

  test("that nothing can be kept of, since the user has forbidden the site to keep anything, are told by warnings", async (t) => {
    const on = await bench(t, 1);
    await on.fill(0, 5);
    const { url } = await site(t);
    const profile = mkdtempSync(path(tmpdir(), "stgclient-forbidden-"));
    mkdirSync(path(profile, "Default"));
    // As by the browser's settings: "sites are not allowed to save data on this device".
    writeFileSync(path(profile, "Default", "Preferences"), JSON.stringify({ profile: { default_content_setting_values: { cookies: 2 } } }));
    const within = await chromium.launchPersistentContext(profile, { executablePath: PROGRAM, args: FLAGS });
    t.after(async () => {
      await within.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    });
    const one = await plain(t, { at: url, within });
    const asked = await one.evaluate(() => new Promise((resolve) => {
      try {
        const asked = indexedDB.open("x");
        asked.onerror = () => resolve(asked.error.name);
        asked.onsuccess = () => resolve("opened");
      } catch (error) {
        resolve(`thrown: ${error.name}`);
      }
    }));
    t.diagnostic(`IndexedDB says: ${asked}`);
    assert.notEqual(asked, "opened");
    await one.evaluate(broadcast, [await tunnelUrl(), nameServers, on.topic, unique("tabs")]);
    await eventually("it hears all", async () => (await one.evaluate(() => heard)).join() === "0,1,2,3,4");
    await eventually("it is told", () => one.evaluate(() => warnings.some((text) => /cannot save/.test(text))));
  });
});

const DESKTOP = { viewport: { width: 1200, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

/** examples/web in a page. */
async function example(t, { options = DESKTOP, mayComplain, query = "" } = {}) {
  let server;
  const port = await atFreePort(async (port) => (server = await serve(port, installed)));
  t.after(() => (server.closeAllConnections(), server.close()));
  return page(t, { at: `http://127.0.0.1:${port}/${query}`, within: await context(t, options), mayComplain });
}

const text = (on, selector) => on.locator(selector).innerText();
const state = (on, words, patience) => eventually(words, async () => (await text(on, "#state")).includes(words), patience);

async function through(on, url, servers = nameServers, topic = unique("page")) {
  await on.getByLabel("behind a gateway").check();
  await on.fill("[name=url]", url);
  await on.fill("[name=nameServers]", servers);
  await on.fill("[name=topic]", topic);
}

describe("examples/web", { concurrency: 2, timeout: 120_000 }, () => {
  for (const topic of ["t".repeat(100)]) {
    test(`is as wide as its screen on a phone, with a topic of ${topic.length} letters`, async (t) => {
      const on = await example(t, { options: PHONE });
      await on.fill("[name=topic]", topic);
      await on.click("#connect");
      await state(on, "Connected");
      assert.equal(await on.evaluate(() => document.documentElement.scrollWidth), PHONE.viewport.width);
    });
  }

  test("is as wide as its screen on a phone, when it says what went wrong", async (t) => {
    const on = await example(t, { options: PHONE });
    await through(on, `https://${"gateway".repeat(9)}.example.org/tunnel`);
    await on.click("#connect");
    await eventually("it says why", async () => (await text(on, "#failure")) !== "");
    t.diagnostic(await text(on, "#failure"));
    assert.equal(await on.evaluate(() => document.documentElement.scrollWidth), PHONE.viewport.width);
  });

  test("says how far a group is behind, also when it has no member", async (t) => {
    const on = await example(t);
    await on.click("#connect");
    await state(on, "Connected");
    const billing = on.locator('[data-group="0"].group');
    await eventually("it has members", async () => (await billing.locator("tbody tr").count()) === 4);
    await billing.getByText("Member leaves").click();
    await billing.getByText("Member leaves").click();
    await eventually("it has none", async () => (await billing.locator("tbody tr").count()) === 0);
    await on.click("text=Send 20");
    await eventually("the other has handled them", async () => (await text(on, "#counts")).startsWith("20 sent, 20 handled"));
    await new Promise((later) => setTimeout(later, 1000));
    assert.notEqual(await billing.locator(".lag").innerText(), "0 behind");
  });

  test("connects again when one has disconnected while members were joining", async (t) => {
    const gateway = await relay(t, { verifyClient: (_, done) => setTimeout(() => done(true), 700) });
    const on = await example(t, { mayComplain: /before the connection is established/ });
    await through(on, gateway.url);
    await on.click("#connect");
    await state(on, "Connected");
    await on.click("#disconnect");
    await state(on, "Not connected");
    // As users do, who do not wait for what says of itself only to those who cannot see that it is busy.
    await on.evaluate(() => document.querySelector("#connect").click());
    await state(on, "Connected", 30_000);
  });

  test("has no tunnel left once it is disconnected, also of members that could not start", async (t) => {
    const gateway = await relay(t);
    const on = await example(t, { mayComplain: /Failed to load resource/ });
    await on.route("**/stgclient_compression_bg.wasm", (route) => route.fulfill({ status: 404 }));
    await through(on, gateway.url);
    await on.click("#connect");
    await eventually("it says why", async () => (await text(on, "#failure")) !== "");
    await on.locator('[data-group="0"].group').getByText("Member joins").click();
    await new Promise((later) => setTimeout(later, 1000));
    await on.click("#disconnect");
    await state(on, "Not connected");
    await new Promise((later) => setTimeout(later, 3000));
    assert.equal(gateway.tunnels.size, 0);
  });
});

describe("a page", { concurrency: 2, timeout: 120_000 }, () => {
  // Chromium holds each new WebSocket of a page back for 1 to 5 s once many have failed: each try makes it worse.
  test("that was offline for some time is connected within a second or so after it is online", async (t) => {
    const { join, send, all } = await scene(t, 2);
    const tab = await join();
    const took = [];
    for (let round = 0; round < 3; round++) {
      await tab.network(true);
      await new Promise((later) => setTimeout(later, 40_000));
      await send(4);
      await tab.network(false);
      const began = Date.now();
      await all();
      took.push(Date.now() - began);
    }
    t.diagnostic(`${took} ms`);
    assert.ok(Math.max(...took) < 3000, `${took} ms`);
  });

  for (const connectTimeout of [1000]) {
    test(`whose gateway was away for a minute goes on soon after it is there, with a connectTimeout of ${connectTimeout} ms`, async (t) => {
      const through = await door(t);
      const { join, send, all } = await scene(t, 2, { url: through.url, connecting: { connectTimeout } });
      const tab = await join();
      await through.end("SIGKILL");
      await new Promise((later) => setTimeout(later, 60_000));
      await send(4);
      await through.start();
      const began = Date.now();
      await all(60_000).catch((error) => assert.fail(`${error.message}; ${Date.now() - began}`));
      t.diagnostic(`${connectTimeout}: ${Date.now() - began} ms`);
      assert.ok(Date.now() - began < 5000, `${Date.now() - began} ms`);
    });
  }

  test("whose client has failed by a fault of its own does not complain when it is frozen", async (t) => {
    const on = await plain(t);
    await on.evaluate(async () => {
      const { cluster } = await import("stgclient/embedded");
      const client = await stgclient.connect(cluster());
      await client.admin().createTopic("t", { queues: 1 });
      await client.consumer("g", { topic: "t" }, () => {});
      globalThis.client = client;
      const deep = () => {
        try {
          deep();
        } catch (error) {
          try { client.metrics(); } catch {}
          throw error;
        }
      };
      try { deep(); } catch {}
    });
    const failed = await on.evaluate(() => { try { return client.state; } catch ({ message }) { return message; } });
    assert.match(failed, /fault of its own/);
    on.complaints.length = 0;
    await on.evaluate(() => void document.dispatchEvent(new Event("freeze")));
    await new Promise((later) => setTimeout(later, 200));
    assert.deepEqual(on.complaints.splice(0), []);
  });
});
