// The tables of options and errors in the package's page have all that there are, and no others.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import * as stgclient from "stgclient";
import { cluster } from "stgclient/embedded";

import { PAGES } from "./snippets.mjs";

const { connect, InvalidArgumentError, StgError } = stgclient;
const page = readFileSync(PAGES.at(-1), "utf8");

/** The rows of the table whose first line begins so, as columns. */
function table(head) {
  const lines = page.slice(page.indexOf(`\n| ${head} |`) + 1).split("\n");
  assert.notEqual(lines[0], "", `there is no table of ${head}`);
  const rows = lines.slice(2, lines.findIndex((line) => !line.startsWith("|")));
  return rows.map((row) => row.split(" | ").map((column) => column.replace(/^\| | \|$/g, "")));
}

const quoted = (text) => [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name);

/** What a call says that there is, when it is asked for an option that nobody knows. */
async function known(call) {
  const error = await Promise.resolve()
    .then(() => call({ nobody: 1 }))
    .then(() => assert.fail("an option that nobody knows is taken"), (error) => error);
  assert.ok(error instanceof InvalidArgumentError, error.stack);
  return /there are (.*)$/.exec(error.message)[1].split(", ").sort();
}

describe("the page's table of", () => {
  for (const [head, call] of Object.entries({
    "option of `connect`": (unknown) => connect("10.0.0.1:9876", unknown),
    "option of `client.producer`": (unknown, client) => client.producer("g", unknown),
    "option of a send": (unknown, client) => client.producer("g").send({ topic: "t", body: "b" }, unknown),
    "option of `client.consumer`": (unknown, client) => client.consumer("g", { topic: "t", ...unknown }, () => {}),
  })) {
    test(`${head} has them all`, async (t) => {
      const client = await connect(cluster());
      t.after(() => client.close());
      const told = table(head).flatMap(([names]) => quoted(names));
      assert.deepEqual(told.sort(), await known((unknown) => call(unknown, client)));
    });
  }

  test("errors has every class and code, each where it belongs", () => {
    const types = readFileSync(fileURLToPath(new URL("index.d.ts", import.meta.resolve("stgclient"))), "utf8");
    const codes = ([, text]) => [...text.matchAll(/"([A-Z_]+)"/g)].map(([, code]) => code);
    const wanted = new Map();
    for (const found of types.matchAll(/export class (\w+) extends \w*Error \{([^}]*)\}/g)) {
      if (found[1] !== "StgError") wanted.set(found[1], codes([, found[2]]).sort());
    }
    const rest = new Set(codes(/export type ErrorCode =([^;]*);/.exec(types)));
    for (const [name, ofClass] of wanted) {
      assert.ok(stgclient[name].prototype instanceof StgError);
      for (const code of ofClass) rest.delete(code);
    }
    wanted.set("StgError", [...rest].sort());
    // That is a class of its own, and named there.
    wanted.set("RefusedError", ["REFUSED"]);

    const told = new Map();
    let name;
    for (const [classes, ofClass] of table("class")) {
      name = quoted(classes)[0] ?? name;
      told.set(name, [...(told.get(name) ?? []), ...quoted(ofClass)].sort());
    }
    assert.deepEqual(new Map([...told].sort()), new Map([...wanted].sort()));
  });
});
