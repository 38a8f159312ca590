// Pull consumers: who keeps offsets, and chooses queues.

import { call } from "./bridge.js";
import * as check from "./check.js";
import { readSelector } from "./consumer.js";
import { OffsetKind } from "./wasm.js";

/** What asks for messages itself. */
export class PullConsumer {
  #inner;

  constructor(inner) {
    this.#inner = inner;
  }

  /** The queues of a topic that can be read. */
  async queues(topic, options) {
    check.text("the topic", topic);
    return await call((number) => this.#inner.queues(number, topic), check.waiting(options));
  }

  /** Pulls from a queue, beginning at an offset. Without `wait` it ends at once where nothing is. */
  async pull(queue, offset, options = {}) {
    const { topic, brokerName, queueId } = check.queue(queue);
    const from = check.offset("the offset", offset);
    const read = {};
    check.options("the options of a pull", options, {
      maxMessages: (value) => (read.maxMessages = check.whole("maxMessages", value, 1, 1024)),
      wait: (value) => (read.wait = check.time("wait", value)),
      timeout: (value) => (read.timeout = check.time("timeout", value, 1)),
      signal: (value) => (read.signal = check.signal(value)),
      tags: () => {},
      sql: () => {},
    });
    const [expression, isSql] = readSelector(options);
    const { maxMessages, wait, timeout, signal } = read;
    return await call(
      (number) =>
        this.#inner.pull(number, topic, brokerName, queueId, expression, isSql, from, maxMessages, wait, timeout),
      signal,
    );
  }

  #offset(kind, queue, options, ms = 0) {
    const { topic, brokerName, queueId } = check.queue(queue);
    return call((number) => this.#inner.offset(number, kind, topic, brokerName, queueId, ms), check.waiting(options));
  }

  /** The offset of the first message that is still there. */
  async minOffset(queue, options) {
    return await this.#offset(OffsetKind.Min, queue, options);
  }

  /** The offset that the next message will have. */
  async maxOffset(queue, options) {
    return await this.#offset(OffsetKind.Max, queue, options);
  }

  /** The offset of the first message that was stored at this moment or later. */
  async offsetAt(queue, moment, options) {
    return await this.#offset(OffsetKind.At, queue, options, check.moment("the moment", moment));
  }

  /** Where the group goes on; undefined, if it has committed nothing. */
  async committedOffset(queue, options) {
    return await this.#offset(OffsetKind.Committed, queue, options);
  }

  /** Says where the group goes on: at the first message that it has not consumed. */
  async commitOffset(queue, offset, options) {
    const { topic, brokerName, queueId } = check.queue(queue);
    const at = check.offset("the offset", offset);
    return await call((number) => this.#inner.commit(number, topic, brokerName, queueId, at), check.waiting(options));
  }

  async close(options) {
    await call((number) => this.#inner.close(number), check.waiting(options));
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }
}
