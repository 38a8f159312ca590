// What gateways and transports do wrong, that no socket does.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "stgclient";

/** As the platform's: it closes with few codes only, and what a listener throws is nobody's. */
class Odd extends EventTarget {
  bufferedAmount = 0;

  constructor() {
    super();
    setImmediate(() => {
      this.onopen?.();
      this.onmessage({ data: "502 Bad Gateway" });
    });
  }

  send() {}

  close(code) {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) throw new RangeError(`code ${code}`);
    setImmediate(() => this.onclose({ code: 1006, reason: "" }));
  }
}

test("a tunnel that sends text is closed, and that is said", async () => {
  const connecting = connect("ws://gateway.test/", {
    nameServers: "10.0.0.1:9876",
    webSocket: { WebSocket: Odd },
    requestTimeout: 500,
  });
  await assert.rejects(connecting, (error) => {
    assert.match(error.message, /the tunnel sent text/);
    return error.name === "ConnectionError";
  });
});

for (const [when, transport] of Object.entries({
  opening: { open: () => { throw Object.create(null); } },
  writing: {
    open: (_, { opened }) => {
      setImmediate(opened);
      return { write: () => { throw Object.create(null); }, close: () => {} };
    },
  },
})) {
  test(`a transport that throws what has no text while ${when} fails its connection, and no more`, async () => {
    const target = { addresses: "10.0.0.1:9876", transport };
    await assert.rejects(connect(target, { requestTimeout: 500 }), { name: "ConnectionError" });
    await assert.rejects(connect(target, { requestTimeout: 500 }), { name: "ConnectionError" });
  });
}
