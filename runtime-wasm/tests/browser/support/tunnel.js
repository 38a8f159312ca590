// How pages reach the cluster: through the project's own gateway, a program, unless the environment names another.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";

import { nameServers } from "../../node/support/bench.js";
import { ORIGINS } from "./ports.js";

const PROGRAM = process.env.STGCLIENT_GATEWAY_PROGRAM;

/** What the gateway of the tests' pages is told: they may do what they like, on servers of this machine. */
const config = (listen, servers, bounds) => `
listen = ${JSON.stringify(listen)}
origins = ${JSON.stringify(ORIGINS)}
[cluster]
name_servers = ${JSON.stringify(servers.split(";"))}
networks = ["loopback"]
[anonymous]
administers = true
[bounds]
# All are of one address.
connections_per_address = 2000
handshakes_per_second_per_address = 500
${bounds}
[operation]
listen = "127.0.0.1:0"
`;

/** A gateway, which can be ended and started again where it was. */
export class Door {
  #servers;
  #bounds;
  #folder = mkdtempSync(join(tmpdir(), "stgclient-gateway-"));
  #listen = "127.0.0.1:0";
  #program;

  constructor({ servers = nameServers, bounds = "" } = {}) {
    this.#servers = servers;
    this.#bounds = bounds;
  }

  async start() {
    const file = join(this.#folder, "gateway.toml");
    writeFileSync(file, config(this.#listen, this.#servers, this.#bounds));
    this.#program = spawn(PROGRAM, ["--config", file, "--log-level", "warn"], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(this.#program, "close").then(() => Promise.reject(new Error("the gateway has ended")));
    // Which it may, later.
    ended.catch(() => {});
    const said = {};
    const lines = (async () => {
      for await (const line of createInterface({ input: this.#program.stdout })) {
        const [what, where] = line.split(/\s+/);
        said[what] = where;
        if (what === "operation") return;
      }
    })();
    await Promise.race([lines, ended]);
    this.url = said.tunnels;
    this.operation = said.operation;
    this.#listen = new URL(this.url).host;
  }

  /** By SIGTERM it takes leave of its visitors, by SIGKILL it does not. */
  async end(signal) {
    const closed = once(this.#program, "close");
    this.#program.kill(signal);
    await closed;
  }

  async close() {
    if (this.#program?.exitCode === null && this.#program.signalCode === null) await this.end("SIGKILL");
    rmSync(this.#folder, { recursive: true });
  }
}

/** A gateway until the end of the test, to the cluster of these name servers and with these lines among its bounds. */
export async function door(t, options) {
  const made = new Door(options);
  t.after(() => made.close());
  await made.start();
  return made;
}

let shared;

after(async () => (await shared)?.close());

/** The gateway of all tests of a file that do nothing to it. */
async function started() {
  const made = new Door();
  await made.start();
  return made;
}

/** Where pages connect to. */
export async function tunnelUrl() {
  return process.env.STGCLIENT_TUNNEL ?? (await (shared ??= started())).url;
}
