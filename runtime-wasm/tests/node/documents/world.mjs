// What a program in a page finds, if it is run with this imported first: wherever it opens a connection, by socket, TLS or WebSocket, is a
// cluster in memory of its own, with its name server at 10.0.0.1:9876 and on this machine, and the topics `orders` and `ticks`. The group
// `billing` has consumed before, and orders and ticks come all the time, unless STGCLIENT_WORLD_RESTS is set: then nothing is there, so that
// what the program prints is sure. Nothing of it keeps the process alive.

import net from "node:net";
import { syncBuiltinESMExports } from "node:module";
import { Duplex } from "node:stream";
import tls from "node:tls";

import { connect } from "stgclient";
import { cluster } from "stgclient/embedded";

const servers = cluster();
for (const topic of ["orders", "ticks"]) servers.createTopic(topic, { queues: 4 });

const place = ({ host, port }) => ({ host: host === "127.0.0.1" ? "10.0.0.1" : host, port: Number(port) });

/** A stream into the cluster, with as much of a socket's as the package and the pages use. */
class Socket extends Duplex {
  #stream;
  #drained;
  #opened;

  constructor(address, opened) {
    super();
    this.#opened = new Promise((resolve) => this.once(opened, resolve));
    this.#stream = servers.transport.open(place(address), {
      opened: () => this.emit(opened),
      // The cluster's bytes may change after the call.
      received: (bytes) => this.push(bytes.slice()),
      drained: () => this.#drained?.(),
      closed: (reason) => this.destroy(reason),
    });
  }

  _read() {}

  async _write(bytes, _, done) {
    await this.#opened;
    if (this.#stream.write(Uint8Array.from(bytes)) === false) this.#drained = done;
    else done();
  }

  _destroy(error, done) {
    this.#stream.close();
    done(error);
  }

  destroySoon() {
    this.end(() => this.destroy());
  }

  setNoDelay() {}
  unref() {}
}

net.connect = (...of) => new Socket(typeof of[0] === "object" ? of[0] : { port: of[0], host: of[1] }, "connect");
// That TLS is right, tests of its own say; here that a program of a page asks for it, and has read its certificates.
tls.connect = ({ secureContext, ...address }) => {
  if (!secureContext) throw new TypeError("there is no context of TLS");
  return new Socket(address, "secureConnect");
};
syncBuiltinESMExports();

globalThis.WebSocket = class {
  bufferedAmount = 0;
  #stream;

  constructor(url, protocols) {
    const { protocol, searchParams } = new URL(url);
    if (protocol !== "wss:" || !protocols.includes("binary")) throw new TypeError(`no gateway takes ${url} with ${protocols}`);
    const [host, port] = searchParams.get("target").split(":");
    this.#stream = servers.transport.open(place({ host, port }), {
      opened: () => this.onopen(),
      received: (bytes) => this.onmessage({ data: bytes.slice().buffer }),
      drained: () => {},
      closed: (reason) => this.onclose({ code: reason ? 1006 : 1000, reason: "" }),
    });
  }

  send(bytes) {
    this.#stream.write(bytes.slice());
  }

  close() {
    this.#stream.close();
  }
};

if (!process.env.STGCLIENT_WORLD_RESTS) {
  const client = await connect(servers);
  const producer = client.producer("world");
  let number = 0;
  const more = () => {
    const body = JSON.stringify({ number: number++ });
    for (const topic of ["orders", "ticks"]) {
      producer.send({ topic, body, tag: "paid", keys: "42", properties: { amount: "150" } }, { orderKey: `${number}` });
    }
  };
  more();
  await producer.flush();
  await (await client.consumer("billing", { topic: "orders" }, () => {})).close();
  setInterval(more, 50).unref();
}
