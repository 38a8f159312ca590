// Credentials that a function gives: when it is asked, what is signed with what it gives, and what its failures do.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { connect, InvalidArgumentError } from "stgclient";

import { bench, client, DEADLINE, eventually, isSettled, nameServers, promised } from "./support/bench.js";
import { rewriting } from "./support/transports.js";

/** Connects with these credentials; gives the keys that requests were signed with so far, and the client's warnings. */
async function signed(t, credentials, options = {}) {
  const keys = [];
  const transport = rewriting({}, ({ header }) => keys.push(header.extFields?.AccessKey));
  const made = await client(t, { transport, credentials, ...options });
  const warnings = [];
  made.events.addEventListener("warning", ({ message }) => warnings.push(message));
  const ask = async () => {
    await made.admin().topics();
    return keys.at(-1);
  };
  return { client: made, keys, warnings, ask };
}

const numbered = (number, more = {}) => ({ accessKey: `key ${number}`, secretKey: "secret", ...more });

describe("a function that gives credentials", { concurrency: 8, timeout: DEADLINE }, () => {
  for (const [what, wrap] of [["at once", (value) => value], ["later", async (value) => value]]) {
    test(`${what} is asked before the first request, and again before they expire`, async (t) => {
      let asked = 0;
      const at = [];
      const give = () => {
        at.push(performance.now());
        return wrap(numbered(asked++, { securityToken: "token", expiresAt: Date.now() + 5000 }));
      };
      const { keys, ask } = await signed(t, give);
      assert.equal(asked, 1);
      assert.ok(keys.length > 0 && keys.every((key) => key === "key 0"), String(keys));
      await eventually("the next key is used", async () => (await ask()) === "key 1");
      // Four fifths of 5 s, and not all the time.
      assert.equal(asked, 2);
      assert.ok(at[1] - at[0] >= 3900 && at[1] - at[0] < 5000, String(at[1] - at[0]));
    });
  }

  test("that do not say when they expire is asked no more than once a minute", async (t) => {
    let asked = 0;
    const { ask } = await signed(t, () => numbered(asked++));
    await new Promise((turn) => setTimeout(turn, 2500));
    assert.equal(await ask(), "key 0");
    assert.equal(asked, 1);
  });

  test("that are over at once is asked once a second at the most", async (t) => {
    const at = [];
    const give = () => numbered(at.push(performance.now()), { expiresAt: new Date(0) });
    await signed(t, give);
    await eventually("it is asked some times", () => at.length === 4);
    for (let turn = 1; turn < 4; turn++) assert.ok(at[turn] - at[turn - 1] >= 990, String(at));
  });

  test("and fails keeps nobody from connecting later: connect rejects with what it has thrown", async () => {
    const own = new Error("own");
    await assert.rejects(connect(nameServers, { credentials: () => { throw own; } }), (error) => error === own);
    await assert.rejects(connect(nameServers, { credentials: async () => { throw own; } }), (error) => error === own);
    for (const garbage of [undefined, null, 7, {}, { accessKey: "a" }, numbered(1, { expires: 5 })]) {
      await assert.rejects(connect(nameServers, { credentials: () => garbage }), InvalidArgumentError);
    }
  });

  test("and fails later leaves the old ones, which is a warning, and is asked again", async (t) => {
    let asked = 0;
    const give = () => {
      if (++asked === 2) throw new Error("the vault is away");
      return asked === 3 ? undefined : numbered(asked, { expiresAt: new Date(0) });
    };
    const { ask, warnings } = await signed(t, give);
    await eventually("both warnings", async () => {
      assert.ok(asked >= 4 || (await ask()) === "key 1");
      return warnings.length === 2;
    });
    assert.match(warnings[0], /new credentials cannot be had, the old ones stay: .*the vault is away/);
    assert.match(warnings[1], /credentials is undefined/);
    await eventually("the next ones", async () => (await ask()) === `key ${asked}` && asked >= 4);
  });

  test("that never answers holds nobody up: a signal ends connecting, and the client closes", async (t) => {
    const abort = new AbortController();
    const asked = promised();
    const never = () => (asked.resolve(), new Promise(() => {}));
    const connecting = connect(nameServers, { credentials: never, signal: abort.signal });
    connecting.catch(() => {});
    await asked;
    assert.equal(await isSettled(connecting), false);
    abort.abort("enough");
    await assert.rejects(connecting, (reason) => reason === "enough");

    const again = promised();
    let times = 0;
    const made = await client(t, { credentials: () => (times++ === 0 ? numbered(0, { expiresAt: 0 }) : (again.resolve(), new Promise(() => {}))) });
    await again;
    await made.close();
  });

  test("is not asked any more when its client is closed", async () => {
    let asked = 0;
    const made = await connect(nameServers, { credentials: () => numbered(asked++, { expiresAt: 0 }) });
    await eventually("it is asked again", () => asked === 2);
    await made.close();
    const before = asked;
    await new Promise((turn) => setTimeout(turn, 2500));
    assert.equal(asked, before);
  });

  test("has its place taken by what is set by hand, until it gives others", async (t) => {
    const { client: made, ask } = await signed(t, () => numbered(0));
    made.setCredentials(numbered(7));
    assert.equal(await ask(), "key 7");
    assert.throws(() => made.setCredentials(() => numbered(8)), InvalidArgumentError);
  });
});

test("credentials that do not change sign every request, and none are sent without them", async (t) => {
  await bench(t, 0);
  assert.equal(await (await signed(t, numbered(1))).ask(), "key 1");
  assert.equal(await (await signed(t, undefined)).ask(), undefined);
});
