// How the tests reach their servers, as their environment says; by TCP and with nothing more, if it says nothing.
//
//   STGCLIENT_WAY           tls: as the servers of tests/servers/with-secured-cluster want it, also who it is
//                           tunnel: by WebSocket, at STGCLIENT_TUNNEL
//   STGCLIENT_HEADER_CODEC  json, binary
//   STGCLIENT_DIALECT       apache, smartgo

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const { env } = process;

/** The name servers of the tests, `host:port`. */
export const nameServers = env.STGCLIENT_NAME_SERVERS;

/** A file that tests/servers/certificates made. */
export const certificate = (name) => readFileSync(join(env.STGCLIENT_CERTIFICATES, name));

/** The user who may do anything. */
export function administrator() {
  const [accessKey, secretKey] = env.STGCLIENT_ADMIN.split(" ");
  return { accessKey, secretKey };
}

export const isSmartgo = env.STGCLIENT_DIALECT === "smartgo";

/** A test of what Apache's servers do, and smartgo's do not or in another way: `tests/conformance` has those rules. */
export const apacheTest = isSmartgo ? () => {} : test;

const ways = {
  tcp: () => ({ target: nameServers }),
  tls: () => ({ target: `rocketmqs://${nameServers}`, tls: { ca: certificate("ca.pem") }, options: { credentials: administrator() } }),
  tunnel: () => ({ target: env.STGCLIENT_TUNNEL, route: { nameServers } }),
};

const { target, tls, route = {}, options = {} } = ways[env.STGCLIENT_WAY ?? "tcp"]();

/** TLS of the sockets that tests open by themselves, if there is any. */
export const security = tls;

/** What `connect` is given for a test: the way, unless the test has one of its own, which reads headers as JSON and goes by TCP. */
export function placed(own, at = target) {
  const kept = { ...options, ...(env.STGCLIENT_DIALECT && { dialect: env.STGCLIENT_DIALECT }) };
  if (own.transport) return [at === target ? nameServers : at, { ...kept, ...own }];
  const headers = env.STGCLIENT_HEADER_CODEC && { headerCodec: env.STGCLIENT_HEADER_CODEC };
  return [at, { ...(at === target && { ...route, ...(tls && { tls }) }), ...kept, ...headers, ...own }];
}
