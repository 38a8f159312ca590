// Where the tests' sites are. A gateway lets in pages of origins that it was told beforehand, so a site takes one of these ports, below
// those that systems give by themselves.

import { once } from "node:events";

const PORTS = Array.from({ length: 96 }, (_, at) => 20_480 + at);

/** Hosts that are this machine; the second's pages are not secure: see FLAGS. */
const HOSTS = ["127.0.0.1", "localhost", "insecure.test"];

/** The origins of all pages of the tests. */
export const ORIGINS = HOSTS.flatMap((host) => PORTS.map((port) => `http://${host}:${port}`));

/** Has something listen at the first port that is free, by `listen(port)`, which fails when it is not. Who else looks begins elsewhere. */
export async function atFreePort(listen) {
  const from = Math.floor(Math.random() * PORTS.length);
  for (const port of [...PORTS.slice(from), ...PORTS.slice(0, from)]) {
    const listens = await listen(port).then(() => true, (error) => {
      if (error.code !== "EADDRINUSE") throw error;
    });
    if (listens) return port;
  }
  throw new Error("no port of the tests' sites is free");
}

/** Has a server of Node's listen there. */
export const listenAt = (server) => (port) => {
  server.listen(port, "127.0.0.1");
  return once(server, "listening");
};
