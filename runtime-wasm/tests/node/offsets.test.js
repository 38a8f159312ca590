// Where broadcasting consumers keep their offsets: stores of the application's own, and files.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";

import { StgError } from "stgclient";

import { bench, client, DEADLINE, eventually, fails, isSettled, promised, unique } from "./support/bench.js";
import { child } from "./support/children.js";

/** A store in memory, whose calls may be done otherwise. */
function memory(otherwise = {}) {
  const texts = new Map();
  const store = {
    load: (key) => texts.get(key),
    save: (key, text) => void texts.set(key, text),
    ...otherwise,
  };
  return { store, texts };
}

/** A folder that is removed after the test. */
function folder(t) {
  const made = mkdtempSync(join(tmpdir(), "stgclient-"));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A topic of one queue with so many messages, and members of a group that broadcasts, each of a client of its own. */
async function scene(t, count, options = {}) {
  const on = await bench(t, 1);
  await on.fill(0, count);
  const group = unique("broadcasting");
  const member = async (offsets, more = {}) => {
    const of = await client(t, { offsets, ...options, ...more });
    const warnings = [];
    of.events.addEventListener("warning", ({ message }) => warnings.push(message));
    const seen = [];
    const wanted = on.all({ model: "broadcasting", commitInterval: 100 });
    const consumer = await of.consumer(group, wanted, (message) => void seen.push(message.text()));
    return { of, consumer, seen, warnings };
  };
  return { on, group, member };
}

/** Consumes what there is, and closes; gives what came. */
async function consumed(member, count) {
  await eventually(`${count} messages`, () => member.seen.length >= count);
  assert.deepEqual(await member.consumer.close(), []);
  await member.of.close();
  return member.seen;
}

const LATER = (what) => async (...given) => {
  await new Promise((turn) => setImmediate(turn));
  return what(...given);
};

describe("a consumer that broadcasts", { concurrency: 6, timeout: DEADLINE }, () => {
  for (const [what, wrap] of [["at once", (what) => what], ["later", LATER]]) {
    test(`goes on where it was by a store that answers ${what}`, async (t) => {
      const { on, group, member } = await scene(t, 5);
      const { store, texts } = memory();
      const [offsets, keys] = [{ load: wrap(store.load), save: wrap(store.save) }, [`DEFAULT/${group}`]];
      assert.deepEqual(await consumed(await member(offsets), 5), ["0", "1", "2", "3", "4"]);
      assert.deepEqual([...texts.keys()], keys);
      await on.fill(5, 8);
      assert.deepEqual(await consumed(await member(offsets), 3), ["5", "6", "7"]);
      // Another instance is another member.
      assert.equal((await consumed(await member(offsets, { instance: "other" }), 8)).length, 8);
      assert.deepEqual([...texts.keys()], [...keys, `other/${group}`]);
    });
  }

  test("begins anew each time, if it keeps none", async (t) => {
    const { member } = await scene(t, 3);
    for (let time = 0; time < 2; time++) assert.equal((await consumed(await member(false), 3)).length, 3);
  });

  test("calls a store as its methods, one save after the other, and tells it of its close", async (t) => {
    const { on, group, member } = await scene(t, 1);
    const calls = [];
    class Store {
      #under = 0;
      load(key) {
        calls.push(["load", key]);
      }
      async save(key, text) {
        assert.equal(this.#under++, 0, "two at once");
        await new Promise((turn) => setTimeout(turn, 20));
        this.#under--;
        calls.push(["save", JSON.stringify(text).length > 2]);
      }
      close(key) {
        calls.push(["close", key]);
        throw new Error("it is a little late for that");
      }
    }
    const running = await member(new Store());
    await on.fill(1, 10);
    await consumed(running, 10);
    const key = `DEFAULT/${group}`;
    assert.deepEqual(calls.at(0), ["load", key]);
    assert.deepEqual(calls.at(-1), ["close", key]);
    assert.ok(calls.length >= 3);
    assert.ok(calls.slice(1, -1).every(([what, isText]) => what === "save" && isText));
  });

  for (const [what, fail] of [
    ["throws", () => { throw new Error("the disk is full"); }],
    ["rejects", () => Promise.reject(new Error("the disk is full"))],
  ]) {
    test(`goes on when its store ${what}, which is a warning, and the next save has all`, async (t) => {
      const { on, member } = await scene(t, 3);
      let fails = true;
      const { store } = memory();
      const save = (key, text) => (fails ? fail() : store.save(key, text));
      const failing = await member({ load: store.load, save });
      await eventually("the warning", () => failing.warnings.length > 0);
      assert.match(failing.warnings[0], /offsets were not stored.*the disk is full/);
      fails = false;
      await on.fill(3, 5);
      assert.equal((await consumed(failing, 5)).length, 5);
      await on.send("5");
      assert.deepEqual(await consumed(await member(store), 1), ["5"]);
    });

    test(`does not start when its store ${what} as it is to say where to begin; its client goes on`, async (t) => {
      const { member, on } = await scene(t, 1);
      const error = await fails(member({ load: fail, save() {} }), StgError, "OFFSET_STORE", /cannot load .*the disk is full/);
      assert.equal(error.retryable, false);
      let isBroken = true;
      const { store } = memory();
      const of = await client(t, { offsets: { ...store, load: (key) => (isBroken ? fail() : store.load(key)) } });
      const start = () => of.consumer(unique("g"), on.all({ model: "broadcasting" }), () => {});
      await fails(start(), StgError, "OFFSET_STORE");
      isBroken = false;
      await (await start()).close();
    });
  }

  test("does not start with what nobody has saved", async (t) => {
    const { member } = await scene(t, 0);
    for (const garbage of [7, {}, "{", "[1", "offsets", true, new Uint8Array(3)]) {
      await fails(member({ load: () => garbage, save() {} }), StgError, "OFFSET_STORE", /cannot (load|read) DEFAULT/);
      await fails(member({ load: async () => garbage, save() {} }), StgError, "OFFSET_STORE", /cannot (load|read) DEFAULT/);
    }
    for (const nothing of [undefined, null, "", " \n", "\0\0"]) await (await member({ load: () => nothing, save() {} })).of.close();
  });

  test("whose store never says where to begin waits no longer than its signal, or its client, and gives the store back", async (t) => {
    const { on } = await scene(t, 0);
    const [loaded, closed] = [[], []];
    const load = (key) => new Promise(() => loaded.push(key));
    const of = await client(t, { offsets: { load, save() {}, close: (key) => closed.push(key) } });
    const abort = new AbortController();
    const start = (signal) => of.consumer(unique("g"), on.all({ model: "broadcasting", signal }), () => {});
    const aborted = start(abort.signal);
    const waiting = start();
    aborted.catch(() => {});
    waiting.catch(() => {});
    await eventually("both are asked for", () => loaded.length === 2);
    assert.equal(await isSettled(aborted), false);
    abort.abort("enough");
    await assert.rejects(aborted, (reason) => reason === "enough");
    await of.close();
    await fails(waiting, StgError, "CLOSED");
    await eventually("both have been given back", () => closed.length === 2);
  });

  test("whose store never says that it has saved consumes on, and closes in its time", async (t) => {
    const { on, member } = await scene(t, 3);
    const asked = promised();
    const stuck = await member({ load() {}, save: () => (asked.resolve(), new Promise(() => {})) });
    await asked;
    await on.fill(3, 6);
    const started = performance.now();
    assert.equal((await consumed(stuck, 6)).length, 6);
    assert.ok(performance.now() - started < 30_000);
  });
});

describe("offsets in files", { concurrency: 4, timeout: DEADLINE }, () => {
  const program = `
    const c = await connect(nameServers, { offsets: home === undefined ? folder : undefined });
    const options = { topic, from: "first", model: "broadcasting", commitInterval: 50 };
    const consumer = await c.consumer(group, options, (message) => console.log(message.text()));
    process.stdin.once("data", async () => { await consumer.close(); await c.close(); process.exit(); });`;

  test("are where the Rust client has them; another process goes on there, also after one that was killed", async (t) => {
    const { on, group } = await scene(t, 3);
    const root = folder(t);
    const [path, lock] = ["offsets.json", "lock.node"].map((name) => join(root, "DEFAULT", group, name));
    const start = () => child(t, `const home = undefined; ${program}`, { topic: on.topic, group, folder: root });
    const printed = (state, text) => eventually(`${text} is printed`, () => state.printed === text);

    const first = start();
    await printed(first, "0\n1\n2\n");
    first.process.stdin.write("end");
    assert.equal((await first.ended).code, 0, (await first.ended).complained);
    assert.match(readFileSync(path, "utf8"), /^\{"offsetTable":\{\{"brokerName":".*","queueId":0,"topic":".*"\}:3/);
    assert.equal(existsSync(lock), false);

    await on.fill(3, 5);
    const second = start();
    await printed(second, "3\n4\n");
    await eventually("they are saved", () => readFileSync(path, "utf8").includes('"}:5'));
    second.process.kill("SIGKILL");
    await second.ended;
    assert.equal(existsSync(lock), true);

    await on.fill(5, 6);
    const third = start();
    await printed(third, "5\n");
    third.process.stdin.write("end");
    assert.equal((await third.ended).code, 0, (await third.ended).complained);
  });

  test("are locked for as long as they are used: the lock is written anew, and one that another has taken meanwhile is left to him", async (t) => {
    const root = folder(t);
    const program = `
      const { mock } = await import("node:test");
      const { readFileSync, statSync, utimesSync, writeFileSync } = await import("node:fs");
      const { Files } = await import(new URL("files.js", import.meta.resolve("stgclient")));
      mock.timers.enable({ apis: ["setInterval"] });
      const lock = root + "/DEFAULT/billing/lock.node";
      const files = new Files(root);
      files.load("DEFAULT/billing");
      const age = () => Math.round((Date.now() - statSync(lock).mtimeMs) / 1000);
      const ages = [];
      for (let time = 0; time < 3; time++) {
        utimesSync(lock, new Date(Date.now() - 20_000), new Date(Date.now() - 20_000));
        mock.timers.tick(10_000);
        ages.push(age() < 10);
      }
      writeFileSync(lock, "another");
      utimesSync(lock, new Date(Date.now() - 20_000), new Date(Date.now() - 20_000));
      mock.timers.tick(10_000);
      ages.push(age() < 10);
      await files.close("DEFAULT/billing");
      console.log(JSON.stringify(ages), readFileSync(lock, "utf8"));`;
    const { code, printed, complained } = await child(t, program, { root }).ended;
    assert.equal(code, 0, complained);
    assert.equal(printed, "[true,true,true,false] another\n");
  });

  test("are in the user's home folder, if nothing else is said", async (t) => {
    const { on, group } = await scene(t, 1);
    const home = folder(t);
    const state = child(t, `process.env.HOME = home; ${program}`, { topic: on.topic, group, home });
    const path = join(home, ".rocketmq_offsets", "DEFAULT", group, "offsets.json");
    await eventually("they are there", () => existsSync(path) && readFileSync(path, "utf8").includes('"}:1'));
    assert.equal(state.complained, "");
  });

  test("are for one consumer at a time: another is refused, in this process or another, unless it has another instance", async (t) => {
    const { on, group, member } = await scene(t, 1);
    const root = folder(t);
    const first = await member(root);
    const words = /another consumer uses .*; give each client an `instance` of its own/;
    await fails(member(root), StgError, "OFFSET_STORE", words);
    // Nor has the one that was refused taken the lock away.
    await fails(member(root), StgError, "OFFSET_STORE", words);
    const inAnother = child(t, `const home = undefined; ${program}`, { topic: on.topic, group, folder: root });
    assert.notEqual((await inAnother.ended).code, 0);
    assert.match((await inAnother.ended).complained, /OFFSET_STORE/);
    const other = await member(root, { instance: "other" });
    await consumed(other, 1);
    await consumed(first, 1);
    await (await member(root)).of.close();
  });

  test("are not kept from a consumer by a lock that nobody holds any more", async (t) => {
    const { member, group } = await scene(t, 0);
    const root = folder(t);
    const place = join(root, "DEFAULT", group);
    const lock = join(place, "lock.node");
    mkdirSync(place, { recursive: true });
    const ago = (ms) => new Date(Date.now() - ms);
    // One of a process that is gone, one that has not been written for long, and one of a process that had our number before.
    for (const [pid, at] of [[2 ** 22 + 1, ago(0)], [process.ppid, ago(60_000)], [process.pid, ago(process.uptime() * 1000 + 10_000)]]) {
      writeFileSync(lock, String(pid));
      utimesSync(lock, at, at);
      const { of } = await member(root);
      await of.close();
    }
    writeFileSync(lock, String(process.ppid));
    await fails(member(root), StgError, "OFFSET_STORE", /another consumer/);
  });

  test("that Java wrote are read, older ones beside those that are damaged too, and what is damaged without them is an error", async (t) => {
    const { on, group, member } = await scene(t, 5);
    const root = folder(t);
    const path = join(root, "DEFAULT", group, "offsets.json");
    mkdirSync(join(root, "DEFAULT", group), { recursive: true });
    const { brokerName } = await on.queue(0);
    const java = `{\n\t"offsetTable":{{\n\t\t"brokerName":"${brokerName}",\n\t\t"queueId":0,\n\t\t"topic":"${on.topic}"\n\t}:3\n\t}\n}`;
    writeFileSync(path, java);
    assert.deepEqual(await consumed(await member(root), 2), ["3", "4"]);
    for (const damaged of ["{", "", "\0".repeat(64)]) {
      writeFileSync(path, damaged);
      writeFileSync(`${path}.bak`, java);
      assert.deepEqual(await consumed(await member(root), 2), ["3", "4"]);
    }
    rmSync(`${path}.bak`);
    writeFileSync(path, "{");
    await fails(member(root), StgError, "OFFSET_STORE", /cannot read .*offsets\.json/);
    // It has given the lock back, and what is empty is no damage.
    writeFileSync(path, "");
    assert.equal((await consumed(await member(root), 5)).length, 5);
  });

  test("are kept though somebody removes the folder, and what names no folder is refused", async (t) => {
    const { on, group, member } = await scene(t, 2);
    const root = folder(t);
    const running = await member(root);
    await eventually("they are there", () => running.seen.length === 2);
    rmSync(root, { recursive: true, force: true });
    await on.fill(2, 4);
    assert.equal((await consumed(running, 4)).length, 4);
    assert.match(readFileSync(join(root, "DEFAULT", group, "offsets.json"), "utf8"), /\}:4/);
    for (const instance of ["..", "a/b", "a\\b", "", "a\0"]) {
      await fails(member(root, { instance }), StgError, "OFFSET_STORE", /instance and group are no names of folders/);
    }
  });
});
