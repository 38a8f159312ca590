// Topics, offsets and clusters.

import { call } from "./bridge.js";
import * as check from "./check.js";
import { OffsetKind } from "./wasm.js";

const PERMISSIONS = { "read-write": 6, write: 2, read: 4 };

/** Where topics are made and deleted: at a cluster or at a broker, if the options say so. */
const placed = (place) => ({
  cluster: (value) => (place[0] = check.text("cluster", value)),
  broker: (value) => (place[1] = check.text("broker", value)),
});

/** What administers a cluster. */
export class Admin {
  #inner;

  constructor(inner) {
    this.#inner = inner;
  }

  /** Creates a topic, or changes it: at all brokers, or at those of a cluster, or at one, by its name or `host:port`. */
  async createTopic(topic, options = {}) {
    check.text("the topic", topic);
    const place = [undefined, undefined];
    check.options("the options of a topic", options, {
      queues: (value) => check.whole("queues", value, 1, 65_536),
      permission: (value) => check.oneOf("permission", value, ...Object.keys(PERMISSIONS)),
      ...placed(place),
    });
    const { queues, permission } = options;
    await call((number) => this.#inner.createTopic(number, topic, queues, PERMISSIONS[permission], ...place));
  }

  async deleteTopic(topic, options = {}) {
    check.text("the topic", topic);
    const place = [undefined, undefined];
    check.options("the options of deleting a topic", options, placed(place));
    await call((number) => this.#inner.deleteTopic(number, topic, ...place));
  }

  async topics() {
    return call((number) => this.#inner.topics(number));
  }

  async groups() {
    return call((number) => this.#inner.groups(number));
  }

  /** Where a topic is: brokers, their addresses, queues. */
  async route(topic) {
    check.text("the topic", topic);
    return call((number) => this.#inner.route(number, topic));
  }

  /** The offsets of all queues of a topic. */
  async statistics(topic) {
    check.text("the topic", topic);
    return call((number) => this.#inner.statistics(number, topic));
  }

  /** How far a group is behind, by queue and in all. */
  async lag(group) {
    check.text("the group", group);
    return call((number) => this.#inner.lag(number, group));
  }

  async cluster() {
    return call((number) => this.#inner.cluster(number));
  }

  #offset(kind, group, queue, ms = 0) {
    const { topic, brokerName, queueId } = check.queue(queue);
    return call((number) => this.#inner.offset(number, kind, group, topic, brokerName, queueId, ms));
  }

  async minOffset(queue) {
    return this.#offset(OffsetKind.Min, "", queue);
  }

  async maxOffset(queue) {
    return this.#offset(OffsetKind.Max, "", queue);
  }

  async offsetAt(queue, moment) {
    return this.#offset(OffsetKind.At, "", queue, check.moment("the moment", moment));
  }

  async groupOffset(group, queue) {
    return this.#offset(OffsetKind.Committed, check.text("the group", group), queue);
  }

  async commitGroupOffset(group, queue, offset) {
    check.text("the group", group);
    const { topic, brokerName, queueId } = check.queue(queue);
    const to = check.offset("the offset", offset);
    await call((number) => this.#inner.commit(number, group, topic, brokerName, queueId, to));
  }

  /** Has a group go on elsewhere in a topic: "first", "last" or a Date. Ends with the new offsets. */
  async resetOffsets(group, topic, to) {
    check.text("the group", group);
    check.text("the topic", topic);
    const ms = to === "last" ? undefined : to === "first" ? -1 : check.moment('to, unless it is "first" or "last",', to);
    return call((number) => this.#inner.resetOffsets(number, group, topic, ms));
  }

  /** The message of a receipt's `offsetMessageId`; undefined, if it is not there any more. */
  async messageById(id) {
    check.text("the id", id);
    return call((number) => this.#inner.messageById(number, id));
  }

  /** The message of a `messageId`. */
  async messageByUniqueKey(topic, id) {
    check.text("the topic", topic);
    check.text("the id", id);
    return call((number) => this.#inner.messageByUniqueKey(number, topic, id));
  }

  async messagesByKey(topic, key, options = {}) {
    check.text("the topic", topic);
    check.text("the key", key);
    check.options("the options of a search", options, { max: (value) => check.whole("max", value, 1, 2 ** 31 - 1) });
    return call((number) => this.#inner.messagesByKey(number, topic, key, options.max));
  }
}
