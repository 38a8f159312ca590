// What `connect` is given: where the name servers are, and how streams to them and to brokers are opened.

import * as check from "./check.js";
import { invalid } from "./values.js";
import { tunnel } from "./websocket.js";

const WAYS = '"host:9876", "rocketmq://host:9876", "rocketmqs://host:9876" (TLS), or "wss://gateway/path" with `nameServers`';

/** Where `target` is. `byTcp` makes a transport of sockets, where there are any. */
export function place(given, { tls, transport, webSocket, nameServers }, byTcp) {
  const target = given instanceof URL ? given.href : given;
  if (target !== null && typeof target === "object" && !Array.isArray(target)) {
    if (tls !== undefined || webSocket !== undefined) throw invalid("tls and webSocket are not for a transport of your own");
    const { addresses, transport: own } = target;
    return { addresses: joined(addresses ?? nameServers), transport: checked(own ?? transport) };
  }
  const isTunnel = typeof target === "string" && /^\s*wss?:/i.test(target);
  if (typeof target !== "string" && !Array.isArray(target)) throw invalid(`where to connect to is ${check.shown(target)}; it is ${WAYS}`);
  const targets = Array.isArray(target) || isTunnel ? [target].flat() : target.split(/[;,]/);
  if (targets.length === 0) throw invalid(`where to connect to is empty; it is ${WAYS}`);
  const read = targets.map((one) => parse(check.text("where to connect to", one).trim()));
  const [first] = read;
  if (read.some((one) => one.way !== first.way)) throw invalid("the servers are to be connected to in different ways");
  if (tls !== undefined && (transport !== undefined || first.way === "tunnel")) {
    throw invalid("tls is for sockets: a tunnel is secured by wss://, a transport of your own by itself");
  }
  if (first.way !== "tunnel") {
    if (nameServers !== undefined) throw invalid("nameServers are for a tunnel: here they are what is connected to");
    if (webSocket !== undefined) throw invalid("webSocket is for a tunnel: wss://…");
  }
  if (transport !== undefined) {
    if (first.way !== "tcp") throw invalid('with a transport of your own name servers are "host:port": how it connects is its own');
    return { addresses: joined(read.map((one) => one.address)), transport: checked(transport) };
  }
  if (first.way === "tunnel") {
    if (read.length > 1) throw invalid("there is one tunnel: what it leads to are the `nameServers`");
    if (nameServers === undefined) {
      throw invalid('a tunnel has no name servers of its own: say where they are, as in { nameServers: "10.0.0.1:9876" }');
    }
    return { addresses: joined(nameServers), transport: tunnel(first.address, webSocket) };
  }
  if (!byTcp) throw invalid("a page has no sockets: it connects through a gateway, wss://…, or a transport of your own");
  if (tls !== undefined && typeof tls !== "boolean") check.object("tls, unless it is true or false,", tls);
  if (tls === false && first.way === "tls") throw invalid("rocketmqs:// is TLS, and tls is false");
  const secured = first.way === "tls" ? (tls ?? true) : tls;
  return { addresses: joined(read.map((one) => one.address)), transport: byTcp(secured) };
}

function parse(text) {
  const [, scheme, rest] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/i.exec(text);
  // Not even in the error: there would be secrets in it.
  if (rest.includes("@") && !/^wss?$/i.test(scheme)) throw invalid("an address has no user and no password; those are the option `credentials`");
  switch (scheme?.toLowerCase()) {
    case undefined:
    case "rocketmq":
      return { way: "tcp", address: rest.replace(/\/$/, "") };
    case "rocketmqs":
      return { way: "tls", address: rest.replace(/\/$/, "") };
    case "ws":
    case "wss":
      return { way: "tunnel", address: text };
    default:
      throw invalid(`${JSON.stringify(text)} is no way to connect; there are ${WAYS}`);
  }
}

function joined(addresses) {
  if (addresses === undefined) throw invalid('it lacks `addresses`: the name servers, "host:port"');
  const all = Array.isArray(addresses) ? addresses : [addresses];
  return all.map((one) => check.text("a name server", one)).join(";");
}

function checked(transport) {
  if (typeof transport?.open !== "function") throw invalid("a transport is an object with a function `open`");
  return transport;
}
