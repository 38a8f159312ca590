// examples/web as its users have it: by keyboard, on a phone, in the dark, through a gateway. Its pictures are taken on the way.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { eventually, nameServers, unique } from "../node/support/bench.js";
import { serve } from "../../../examples/web/serve.mjs";
import { context, page } from "./support/chromium.js";
import { atFreePort } from "./support/ports.js";
import { installed } from "./support/site.js";
import { tunnelUrl } from "./support/tunnel.js";

const EXAMPLE = fileURLToPath(new URL("../../../examples/web", import.meta.url));
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const PICTURES = process.env.STGCLIENT_SCREENSHOTS ?? join(process.env.STGCLIENT_TARGET, "npm/browser/screenshots");

const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const DESKTOP = { viewport: { width: 1200, height: 900 } };

/** The example in a page, as `serve.mjs` serves it. */
async function open(t, options = DESKTOP) {
  let server;
  const port = await atFreePort(async (port) => (server = await serve(port, installed)));
  t.after(() => (server.closeAllConnections(), server.close()));
  return page(t, { at: `http://127.0.0.1:${port}/`, within: await context(t, options) });
}

/** What there is in a page by its words. */
const text = (on, selector) => on.locator(selector).innerText();

const state = (on, words) => eventually(words, async () => (await text(on, "#state")).includes(words));

/** Each group has four queues, and members who share them. */
const shared = (on) => eventually("the groups share the queues", () => on.evaluate(() => {
  const owners = (group) => Array.from(group.querySelectorAll("tbody td:nth-child(2)"), (cell) => cell.textContent);
  const members = Array.from(document.querySelectorAll(".group"), owners);
  return members.length === 2 && members.every((of) => of.length === 4 && new Set(of).size === 2);
}));

async function connected(t, options) {
  const on = await open(t, options);
  await on.click("#connect");
  await state(on, "Connected: topic orders");
  await shared(on);
  return on;
}

/** What is behind, by group. */
const behind = (on) => on.evaluate(() => [...document.querySelectorAll(".lag strong")].map((of) => Number(of.textContent)));

/** Each group has handled all that was sent. */
function handled(on, sent) {
  const words = `${sent} sent, ${2 * sent} handled by the two groups together.`;
  return eventually(words, async () => (await text(on, "#counts")) === words);
}

/** What somebody who cannot see it, or use a mouse, would stumble at. */
async function assertAccessible(on) {
  await on.addScriptTag({ path: AXE });
  const { violations } = await on.evaluate(() => axe.run());
  assert.deepEqual(violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`)), []);
}

/** A copy as it is installed, of which a program serves the page, and says where. */
function started(t, program, port) {
  const folder = mkdtempSync(join(tmpdir(), "example-web-"));
  cpSync(EXAMPLE, folder, { recursive: true, filter: (name) => !name.includes("node_modules") });
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(installed, join(folder, "node_modules", "stgclient"));
  const server = spawn(process.execPath, [program, port], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(server, "close");
  t.after(async () => {
    server.kill();
    await ended;
    rmSync(folder, { recursive: true });
  });
  const said = once(createInterface({ input: server.stdout }), "line").then(([line]) => line);
  return Promise.race([said, ended.then(() => Promise.reject(new Error("it has ended")))]);
}

test("serve.mjs serves the page and the package, and nothing else", async (t) => {
  const url = await started(t, "serve.mjs", "0");
  assert.match(url, /^http:\/\/localhost:\d+$/);
  const typed = async (path) => {
    const { status, headers } = await fetch(url.replace("localhost", "127.0.0.1") + path);
    return status === 200 ? headers.get("content-type") : status;
  };
  assert.equal(await typed("/"), "text/html; charset=utf-8");
  assert.equal(await typed("/src/main.js"), "text/javascript");
  assert.equal(await typed("/stgclient/dist/stgclient_bg.wasm"), "application/wasm");
  for (const path of ["/serve.mjs", "/nothing.js", "/src/", "/stgclient/package.json", "/..%2f..%2fetc/passwd", "/%zz"]) {
    assert.equal(await typed(path), 404, path);
  }
});

test("demo.mjs has a gateway and a cluster in memory, and the page says how it connects", async (t) => {
  const on = await page(t, { at: await started(t, "demo.mjs", "0"), within: await context(t, DESKTOP) });
  await on.click("#connect");
  await state(on, "Connected: topic orders");
  await shared(on);
  await on.click("text=Send 20");
  await handled(on, 20);
  await on.click("#disconnect");
  await state(on, "Not connected");
});

describe("the page", { concurrency: 2, timeout: 120_000 }, () => {
  test("shows a group's members, queues and lag while they consume, and rebalances when one joins or leaves", async (t) => {
    const on = await connected(t);
    await on.locator("#work").fill("1000");
    await on.click("text=Send 20");
    await eventually("both are behind", async () => (await behind(on)).every((count) => count > 0));
    await eventually("a message is on its way", () => on.evaluate(() => document.querySelectorAll(".dot").length > 0));
    const billing = on.locator('[data-group="0"].group');
    await billing.getByText("Member joins").click();
    await eventually("the third has a share", async () => (await billing.locator("tbody").innerText()).includes("billing 3"));
    assert.match(await billing.locator(".log").innerText(), /billing 3 takes queue/);
    await billing.getByText("Member leaves").click();
    await eventually("it is gone", async () => !(await billing.locator("tbody").innerText()).includes("billing 3"));
    await eventually("nothing is behind", async () => (await behind(on)).every((count) => count === 0));
    await eventually("all dots have arrived", () => on.evaluate(() => document.querySelectorAll(".dot").length === 0));
  });

  test("is used by keyboard alone", async (t) => {
    const on = await open(t);
    const { keyboard } = on;
    const focused = () => on.evaluate(() => document.activeElement.name || document.activeElement.id || document.activeElement.textContent);
    const tab = async (wanted) => {
      await keyboard.press("Tab");
      assert.equal(await focused(), wanted);
    };
    await tab("where");
    await keyboard.press("ArrowDown");
    assert.ok(await on.isVisible("#gateway"));
    await keyboard.press("ArrowUp");
    assert.ok(!(await on.isVisible("#gateway")));
    await tab("topic");
    await tab("queues");
    await tab("connect");
    await keyboard.press("Enter");
    await state(on, "Connected: topic orders");
    await shared(on);
    await eventually("the focus is where one goes on", async () => (await focused()) === "body");
    await keyboard.press("Enter");
    await handled(on, 1);
    await tab("orderKey");
    await keyboard.type("7");
    await tab("count");
    await tab("count");
    await keyboard.press("Space");
    await handled(on, 21);
    await tab("work");
    await keyboard.press("ArrowLeft");
    assert.equal(await text(on, "#work-shown"), "200 ms");
    await tab("Member joins");
    await keyboard.press("Enter");
    await eventually("it has joined", async () => (await text(on, '[data-group="0"].group tbody')).includes("billing 3"));
    assert.equal(await focused(), "Member joins");
    // The order key's messages are in one queue.
    const offsets = await on.locator('[data-group="1"].group tbody td:nth-child(3)').allInnerTexts();
    assert.equal(Math.max(...offsets.map(Number)) >= 20, true, String(offsets));
    await on.locator("#disconnect").focus();
    await keyboard.press("Enter");
    await state(on, "Not connected");
    assert.equal(await focused(), "connect");
  });

  test("says what went wrong, and connects through a gateway", async (t) => {
    const on = await open(t);
    await on.getByLabel("behind a gateway").check();
    await on.fill("[name=url]", "ws://127.0.0.1:1/");
    await on.fill("[name=nameServers]", nameServers);
    await on.fill("[name=topic]", unique("page"));
    await on.click("#connect");
    await eventually("it says why", async () => /tunnel could not be opened/.test(await text(on, "#failure")));
    on.complaints.length = 0;
    await on.fill("[name=url]", await tunnelUrl());
    await on.click("#connect");
    await state(on, "Connected: topic page");
    await shared(on);
    assert.equal(await text(on, "#failure"), "");
    await on.click("text=Send 20");
    await handled(on, 20);
    await on.click("#disconnect");
    await state(on, "Not connected");
  });

  test("moves nothing for who wants nothing moved", async (t) => {
    const on = await connected(t, { ...DESKTOP, reducedMotion: "reduce" });
    await on.evaluate(() => {
      globalThis.dots = 0;
      const isDot = (node) => node.matches?.(".dot");
      const count = (changes) => (dots += changes.flatMap(({ addedNodes }) => [...addedNodes]).filter(isDot).length);
      new MutationObserver(count).observe(document.querySelector("#way"), { childList: true, subtree: true });
    });
    await on.click("text=Send 20");
    await handled(on, 20);
    assert.equal(await on.evaluate(() => dots), 0);
  });

  for (const [name, options] of [
    ["phone", { ...PHONE, colorScheme: "light" }],
    ["phone-dark", { ...PHONE, colorScheme: "dark" }],
    ["desktop", { ...DESKTOP, colorScheme: "light" }],
    ["desktop-dark", { ...DESKTOP, colorScheme: "dark" }],
  ]) {
    test(`is accessible, and as wide as its screen: ${name}`, async (t) => {
      const on = await open(t, options);
      await on.getByLabel("behind a gateway").check();
      await assertAccessible(on);
      await on.getByLabel("in this page’s memory").check();
      await on.click("#connect");
      await shared(on);
      await on.click("text=Send 20");
      await eventually("messages are on their way to members", () => on.evaluate(() => document.querySelectorAll(".dot[data-group]").length > 3));
      mkdirSync(PICTURES, { recursive: true });
      await on.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true, scale: "css" });
      await handled(on, 20);
      await assertAccessible(on);
      // By the screen: a phone's window grows with what is too wide for it.
      assert.equal(await on.evaluate(() => document.documentElement.scrollWidth), options.viewport.width, "it scrolls sideways");
      const small = await on.evaluate(() => {
        const isSmall = (one) => one.checkVisibility() && one.getBoundingClientRect().height < 35;
        return [...document.querySelectorAll("button, .choice")].filter(isSmall).map((one) => one.textContent);
      });
      assert.deepEqual(small, [], "too small for a finger");
    });
  }
});
