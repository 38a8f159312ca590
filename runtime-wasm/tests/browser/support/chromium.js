// A Chromium for the tests of a file, and pages in it, each with storage of its own. A page that complains fails its test.

import assert from "node:assert/strict";
import { after } from "node:test";

import { chromium } from "playwright-core";

import { PATIENCE } from "../../node/support/bench.js";
import { site } from "./site.js";

export const PROGRAM = process.env.STGCLIENT_CHROMIUM ?? "/usr/bin/chromium";

export const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A host that is not this machine's own, so that its pages are not secure.
  "--host-resolver-rules=MAP insecure.test 127.0.0.1",
  // The tests' CA is none that a browser knows.
  ...(process.env.STGCLIENT_TUNNEL?.startsWith("wss:") ? ["--ignore-certificate-errors"] : []),
];

let browser;

async function launched() {
  browser ??= chromium.launch({ executablePath: PROGRAM, args: FLAGS });
  return await browser;
}

after(async () => (await browser)?.close());

/** A context: pages of one share their storage. */
export async function context(t, options = {}) {
  const made = await (await launched()).newContext(options);
  t.after(() => made.close());
  made.setDefaultTimeout(PATIENCE);
  return made;
}

/** A page at this address; `complaints` is what it has said on its console and thrown, and has to stay empty, but for `mayComplain`. */
export async function page(t, { at, within, mayComplain, ...options } = {}) {
  const url = at ?? (await site(t, options)).url;
  const made = await (within ?? (await context(t, options.context))).newPage();
  made.complaints = [];
  made.on("pageerror", (error) => made.complaints.push(String(error.stack ?? error)));
  made.on("console", (line) => ["error", "warning"].includes(line.type()) && made.complaints.push(line.text()));
  t.after(() => {
    const unwanted = made.complaints.filter((one) => !mayComplain?.test(one));
    assert.deepEqual(unwanted, [], "the page complains");
  });
  await made.goto(url);
  return made;
}

/** A page in which the package is there, as `stgclient`. */
export async function plain(t, options) {
  const made = await page(t, options);
  await made.waitForFunction(() => globalThis.stgclient);
  return made;
}
