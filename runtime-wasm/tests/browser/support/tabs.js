// Tabs that live as a user's do: hidden behind others, throttled, frozen, offline, closed. Playwright's always count as looked at, so this is
// a Chromium of its own, by the DevTools protocol.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { WebSocket } from "ws";

import { eventually } from "../../node/support/bench.js";
import { FLAGS, PROGRAM } from "./chromium.js";

/** Timers of hidden tabs fire once a minute from this time on, which is five minutes otherwise. */
const GRACE = "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1";

/** A browser of a test's own. */
export async function browser(t) {
  const profile = mkdtempSync(join(tmpdir(), "stgclient-tabs-"));
  const flags = [...FLAGS, GRACE, "--headless", "--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank"];
  // Detached, it has a group of processes, which is stopped as a whole.
  const program = spawn(PROGRAM, flags, { stdio: ["ignore", "ignore", "pipe"], detached: true });
  const ended = new Promise((resolve) => program.on("close", resolve));
  t.after(async () => {
    process.kill(-program.pid, "SIGKILL");
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });
  const url = await new Promise((resolve, reject) => {
    createInterface({ input: program.stderr }).on("line", (line) => {
      const [, found] = /^DevTools listening on (\S+)/.exec(line) ?? [];
      if (found) resolve(found);
    });
    ended.then(() => reject(new Error("Chromium has ended")));
  });
  const tools = new Tools(new WebSocket(url));
  await tools.opened;
  return new Browser(tools, program);
}

/** Commands and their answers, and events by session. */
class Tools {
  #last = 0;
  #asked = new Map();
  #heard = new Map();

  constructor(socket) {
    this.socket = socket;
    this.opened = new Promise((resolve) => socket.on("open", resolve));
    socket.on("message", (text) => this.#received(JSON.parse(text)));
  }

  #received({ id, result, error, method, params, sessionId }) {
    if (method) return this.#heard.get(sessionId)?.(method, params);
    const { resolve, reject } = this.#asked.get(id);
    this.#asked.delete(id);
    if (error) reject(new Error(error.message));
    else resolve(result);
  }

  hear(sessionId, heard) {
    this.#heard.set(sessionId, heard);
  }

  send(method, params = {}, sessionId) {
    const id = ++this.#last;
    this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject }));
  }
}

class Browser {
  constructor(tools, program) {
    Object.assign(this, { tools, program });
  }

  /** As when the computer sleeps: nothing of it goes on, and nobody is told. */
  sleep() {
    process.kill(-this.program.pid, "SIGSTOP");
  }

  wake() {
    process.kill(-this.program.pid, "SIGCONT");
  }

  /** A tab with a page, in front of all others. */
  async tab(url = "about:blank") {
    const { targetId } = await this.tools.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.tools.send("Target.attachToTarget", { targetId, flatten: true });
    const made = new Tab(this.tools, targetId, sessionId);
    await made.send("Runtime.enable");
    await made.send("Network.enable");
    // What a page tells outlives it.
    await made.send("Runtime.addBinding", { name: "tell" });
    if (url !== "about:blank") await made.go(url);
    return made;
  }
}

class Tab {
  constructor(tools, targetId, sessionId) {
    Object.assign(this, { tools, targetId, sessionId, told: [], complaints: [] });
    tools.hear(sessionId, (method, params) => {
      if (method === "Runtime.bindingCalled") this.told.push(JSON.parse(params.payload));
      if (method === "Runtime.exceptionThrown") this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    });
  }

  send(method, params) {
    return this.tools.send(method, params, this.sessionId);
  }

  async go(url) {
    await this.send("Page.navigate", { url });
    await eventually("the page has the package", () => this.evaluate(() => typeof stgclient === "object"));
  }

  /** What a function gives in the page. */
  async evaluate(act, given) {
    const expression = `(${act})(${JSON.stringify(given)})`;
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Comes before the others, which are hidden by that. */
  async show() {
    await this.tools.send("Target.activateTarget", { targetId: this.targetId });
    await eventually("it is shown", () => this.evaluate(() => document.visibilityState === "visible"));
  }

  isHidden() {
    return this.evaluate(() => document.visibilityState === "hidden");
  }

  freeze() {
    return this.send("Page.setWebLifecycleState", { state: "frozen" });
  }

  /** Goes to another page, in such a way that the browser keeps this one, to come back to it. */
  async leave() {
    await this.send("Page.navigate", { url: "about:blank" });
    // What the page does until then it does as before, but nobody hears of it any more.
    await eventually("it is left", () => this.evaluate(() => location.href === "about:blank").catch(() => {}));
  }

  async reload() {
    await this.send("Page.reload");
    await eventually("it is reloaded", () => this.evaluate(() => typeof consumer === "undefined").catch(() => {}));
  }

  async comeBack() {
    const { entries, currentIndex } = await this.send("Page.getNavigationHistory");
    await this.send("Page.navigateToHistoryEntry", { entryId: entries[currentIndex - 1].id });
    await eventually("it is the page that was left", () => this.evaluate(() => typeof consumer === "object").catch(() => {}));
  }


  resume() {
    return this.send("Page.setWebLifecycleState", { state: "active" });
  }

  network(offline) {
    return this.send("Network.emulateNetworkConditions", { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
  }

  async close() {
    await this.tools.send("Target.closeTarget", { targetId: this.targetId });
  }
}
