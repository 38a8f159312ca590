// Topics, offsets and clusters.

import { call, unlessAborted } from "./bridge.js";
import * as check from "./check.js";
import { platform } from "./platform.js";
import { invalid } from "./values.js";
import { OffsetKind } from "./wasm.js";

const PERMISSIONS = { "read-write": 6, write: 2, read: 4 };

const at = ({ cluster, broker }) => {
  if (cluster !== undefined && broker !== undefined) throw invalid("a topic is at a cluster or at a broker, not at both");
  return [
    cluster === undefined ? undefined : check.text("cluster", cluster),
    broker === undefined ? undefined : check.text("broker", broker),
  ];
};

/** What administers a cluster. */
export class Admin {
  #inner;

  constructor(inner) {
    this.#inner = inner;
  }

  /** Creates a topic, or changes it: at all brokers, or at those of a cluster, or at one, by its name or `host:port`. */
  async createTopic(topic, options = {}) {
    check.text("the topic", topic);
    const names = ["queues", "permission", "cluster", "broker", "signal"];
    const { queues, permission, cluster, broker, signal } = check.fields("the options of a topic", options, ...names);
    if (queues !== undefined) check.whole("queues", queues, 1, 65_536);
    if (permission !== undefined) check.oneOf("permission", permission, ...Object.keys(PERMISSIONS));
    const place = at({ cluster, broker });
    check.signal(signal);
    await call((number) => this.#inner.createTopic(number, topic, queues, PERMISSIONS[permission], ...place), signal);
  }

  async deleteTopic(topic, options = {}) {
    check.text("the topic", topic);
    const place = at(check.fields("the options", options, "cluster", "broker", "signal"));
    await call((number) => this.#inner.deleteTopic(number, topic, ...place), check.signal(options.signal));
  }

  async topics(options) {
    return await call((number) => this.#inner.topics(number), check.waiting(options));
  }

  async groups(options) {
    return await call((number) => this.#inner.groups(number), check.waiting(options));
  }

  /** Where a topic is: brokers, their addresses, queues. */
  async route(topic, options) {
    check.text("the topic", topic);
    return await call((number) => this.#inner.route(number, topic), check.waiting(options));
  }

  /** The offsets of all queues of a topic. */
  async statistics(topic, options) {
    check.text("the topic", topic);
    const queues = await call((number) => this.#inner.statistics(number, topic), check.waiting(options));
    // A moment is a Date everywhere; a queue that never had a message has none.
    return queues.map(({ lastUpdate, ...rest }) => ({ ...rest, lastUpdate: lastUpdate > 0 ? new Date(lastUpdate) : undefined }));
  }

  /** How far a group is behind, by queue and in all. */
  async lag(group, options) {
    check.text("the group", group);
    return await call((number) => this.#inner.lag(number, group), check.waiting(options));
  }

  async cluster(options) {
    return await call((number) => this.#inner.cluster(number), check.waiting(options));
  }

  #offset(kind, group, queue, options, ms = 0) {
    const { topic, brokerName, queueId } = check.queue(queue);
    return call((number) => this.#inner.offset(number, kind, group, topic, brokerName, queueId, ms), check.waiting(options));
  }

  async minOffset(queue, options) {
    return await this.#offset(OffsetKind.Min, "", queue, options);
  }

  async maxOffset(queue, options) {
    return await this.#offset(OffsetKind.Max, "", queue, options);
  }

  async offsetAt(queue, moment, options) {
    return await this.#offset(OffsetKind.At, "", queue, options, check.moment("the moment", moment));
  }

  async groupOffset(group, queue, options) {
    return await this.#offset(OffsetKind.Committed, check.text("the group", group), queue, options);
  }

  async commitGroupOffset(group, queue, offset, options) {
    check.text("the group", group);
    const { topic, brokerName, queueId } = check.queue(queue);
    const to = check.offset("the offset", offset);
    await call((number) => this.#inner.commit(number, group, topic, brokerName, queueId, to), check.waiting(options));
  }

  /** Has a group go on elsewhere in a topic: "first", "last" or a Date. Ends with the new offsets. */
  async resetOffsets(group, topic, to, options) {
    check.text("the group", group);
    check.text("the topic", topic);
    const ms = to === "last" ? undefined : to === "first" ? -1 : check.moment('to, unless it is "first" or "last",', to);
    return await call((number) => this.#inner.resetOffsets(number, group, topic, ms), check.waiting(options));
  }

  /** The message of a receipt's `offsetMessageId`; undefined, if it is not there any more. */
  async messageById(id, options) {
    check.text("the id", id);
    const signal = check.waiting(options);
    await unlessAborted(platform.readable(), signal);
    return await call((number) => this.#inner.messageById(number, id), signal);
  }

  /** The message of a `messageId`. */
  async messageByUniqueKey(topic, id, options) {
    const signal = check.waiting(options);
    check.text("the topic", topic);
    check.text("the id", id);
    await unlessAborted(platform.readable(), signal);
    return await call((number) => this.#inner.messageByUniqueKey(number, topic, id), signal);
  }

  async messagesByKey(topic, key, options = {}) {
    check.text("the topic", topic);
    check.text("the key", key);
    const { max, signal } = check.fields("the options", options, "max", "signal");
    check.signal(signal);
    if (max !== undefined) check.whole("max", max, 1, 1024);
    await unlessAborted(platform.readable(), signal);
    return await call((number) => this.#inner.messagesByKey(number, topic, key, max), signal);
  }
}
