// Bodies in formats that the client's own WebAssembly does not read: another one does, which is loaded for the first of them.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bench, client, DEADLINE, PATIENCE, unique } from "./support/bench.js";
import { flagging } from "./support/transports.js";

const TEXT = "stgclient ".repeat(100);

/** The text as the tools of both formats write it (`lz4 -9`, `zstd -9`). */
const BODIES = {
  LZ4: "BCJNGGRApxcAAACvc3RnY2xpZW50IAoA////yVBpZW50IAAAAADgCT0h",
  zstd: "KLUv/QRgjQAAUHN0Z2NsaWVudCABANtbFSS0nCAr",
};
/** What says so in a message's system flag. */
const FLAGS = { LZ4: 0x101, zstd: 0x201 };

const bytes = (format) => Buffer.from(BODIES[format], "base64");

/** A producer whose messages have this system flag. */
async function flagged(t, flag, target) {
  const sender = await client(t, { transport: flagging(flag), headerCodec: "json" }, target);
  return sender.producer(unique("producers"), { sendTimeout: PATIENCE });
}

describe("bodies that are compressed by others", { concurrency: 4, timeout: DEADLINE }, () => {
  for (const format of Object.keys(BODIES)) {
    test(`in ${format} come as they were: pulled, consumed, found`, async (t) => {
      const on = await bench(t);
      const producer = await flagged(t, FLAGS[format]);
      const { offsetMessageId, messageId } = await producer.send({ topic: on.topic, body: bytes(format) });
      const [pulled] = await on.pullAll(1);
      assert.equal(pulled.text(), TEXT);
      const stream = on.client.consumer(on.group, { topic: on.topic, from: "first" });
      const { value } = await stream.next();
      assert.equal(value.text(), TEXT);
      value.ack();
      await stream.return();
      assert.equal((await on.admin.messageById(offsetMessageId ?? messageId)).text(), TEXT);
    });

    test(`in ${format} and cut or too long are refused, and what follows comes`, async (t) => {
      const on = await bench(t, 1, { maxBodyLength: TEXT.length });
      const small = await client(t, { maxBodyLength: TEXT.length - 1 });
      const producer = await flagged(t, FLAGS[format]);
      const [queue] = await on.queues();
      await producer.send({ topic: on.topic, body: bytes(format).subarray(0, -6) });
      await producer.send({ topic: on.topic, body: bytes(format) });
      await on.send("after");
      const { messages, refused } = await on.pulls.pull(queue, 0n, { wait: 1000 });
      assert.deepEqual(messages.map((message) => message.text()), [TEXT, "after"]);
      assert.match(refused[0].reason, new RegExp(`the body is no ${format} data: .+`, "i"));
      const bounded = await (await small.pullConsumer(on.group)).pull(queue, 1n, { wait: 1000 });
      assert.deepEqual(bounded.messages.map((message) => message.text()), ["after"]);
      assert.match(bounded.refused[0].reason, /longer than 999 bytes when decompressed/);
    });
  }
});
