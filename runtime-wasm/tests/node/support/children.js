// Programs of their own, in processes and threads.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

import { nameServers } from "./bench.js";

const folder = fileURLToPath(new URL("..", import.meta.url));

/** Runs a program in a process of its own; gives what it prints as it comes, and a promise of its end. `topic` and what the package
 * exports are there. */
export function child(t, program, values = {}, type = "module") {
  const constants = { nameServers, ...values };
  const start = Object.entries(constants).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};`);
  const from = type === "module" ? 'import * as stgclient from "stgclient";' : 'const stgclient = require("stgclient");';
  const text = [from, "const { connect } = stgclient;", ...start, program].join("\n");
  return started(t, [`--input-type=${type}`, "--eval", text], { cwd: folder });
}

/** Starts Node with these arguments, as `child` does. */
export function started(t, args, options) {
  const made = spawn(process.execPath, args, options);
  t.after(() => made.kill("SIGKILL"));
  const state = { printed: "", complained: "", process: made };
  made.stdout.on("data", (bytes) => (state.printed += bytes));
  made.stderr.on("data", (bytes) => (state.complained += bytes));
  state.ended = new Promise((resolve) => made.on("close", (code, signal) => resolve({ code, signal, ...state })));
  return state;
}

/** Runs a program in a thread of its own; gives what it posts. `done` gives it to us. */
export function thread(t, program, values = {}) {
  const text = `
    const { parentPort, workerData } = require("node:worker_threads");
    const { connect } = require(workerData.installed);
    (async () => { ${program} })().then((value) => parentPort.postMessage({ value }), (error) => parentPort.postMessage({ error }));
  `;
  // Such a thread looks for packages where the process was started.
  const installed = fileURLToPath(import.meta.resolve("stgclient"));
  const worker = new Worker(text, { eval: true, workerData: { installed, nameServers, ...values } });
  t.after(() => worker.terminate());
  const posted = new Promise((resolve, reject) => {
    worker.on("message", ({ value, error }) => (error ? reject(error) : resolve(value)));
    worker.on("error", reject);
  });
  return { worker, posted, ended: new Promise((resolve) => worker.on("exit", resolve)) };
}
