// The page with a cluster that is not in it: starts a gateway with a cluster in memory behind it, serves the page, and says where to look.
//
//   node demo.mjs [PORT]
//
// Environment: STGCLIENT_GATEWAY_PROGRAM is the gateway; by default cargo makes it of this repository.

import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { serve } from "./serve.mjs";

const installed = dirname(dirname(fileURLToPath(import.meta.resolve("stgclient"))));
const server = await serve(Number(process.argv[2] ?? 8000), installed);
const { port } = server.address();

const manifest = fileURLToPath(new URL("../../Cargo.toml", import.meta.url));
const made = process.env.STGCLIENT_GATEWAY_PROGRAM;
const [program, ...first] = made ? [made] : ["cargo", "run", "--quiet", "--release", "--manifest-path", manifest, "-p", "stgclient-gateway", "--"];
const origins = ["localhost", "127.0.0.1"].flatMap((host) => ["--origin", `http://${host}:${port}`]);
const gateway = spawn(program, [...first, "--embedded", "--listen", "127.0.0.1:0", ...origins], { stdio: ["ignore", "pipe", "inherit"] });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => gateway.kill("SIGTERM"));
gateway.on("error", (error) => console.error(`${program} cannot be run: ${error.message}`));
gateway.on("close", (code) => {
  process.exitCode = code ?? 1;
  server.close();
  server.closeAllConnections();
});

const said = {};
for await (const line of createInterface({ input: gateway.stdout })) {
  const [, what, where] = /^(name server|tunnels)\s+(\S+)/.exec(line) ?? [];
  said[what] = where;
  if (what === "tunnels") {
    const where = new URLSearchParams({ gateway: said.tunnels, nameServers: said["name server"] });
    console.log(`http://localhost:${port}/?${where}`);
  }
}
