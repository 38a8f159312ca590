// Runs the shop, billing, or both, until SIGTERM or SIGINT:
//
//   node src/main.js [shop] [billing]        both by default
//
// Environment: NAMESRV_ADDR, the name servers, host:port;...; without it a cluster in memory. PORT, that of the shop, 8080 by default.

import { connect } from "stgclient";

import { start } from "./service.js";
import { stopOnSignal } from "./stopping.js";

const { NAMESRV_ADDR, PORT = "8080" } = process.env;
const [, , ...chosen] = process.argv;
const roles = chosen.length > 0 ? chosen : ["shop", "billing"];

/** How long what is in hand may take when the service stops, in ms: less than whoever sends SIGTERM waits before SIGKILL. */
const WITHIN = 10_000;

const client = await connectTo(NAMESRV_ADDR);
const service = await start(client, { roles, port: Number(PORT), within: WITHIN });
stopOnSignal(() => service.stop(), WITHIN + 5000);
console.log(`started: ${roles.join(", ")}${service.port ? `, at port ${service.port}` : ""}`);

async function connectTo(nameServers) {
  if (nameServers) {
    console.log(`connects to ${nameServers}`);
    // Servers that start at the same time as we do may be there a little later.
    return connect(nameServers, { waitForServers: 30_000, log: "warn" });
  }
  console.log("NAMESRV_ADDR is not set: with a cluster in memory");
  const { cluster } = await import("stgclient/embedded");
  const servers = cluster();
  for (const topic of ["orders", "bills"]) servers.createTopic(topic);
  return connect(servers, { log: "warn" });
}
