/**
 * A cluster in memory, for tests and demos with no server. Times are in milliseconds, sizes in bytes.
 *
 * @module stgclient/embedded
 */

import type { MessageQueue, SendStatus, Transport } from "./index.js";

/**
 * Starts a cluster in memory, of one name server and one broker, or more: `await connect(cluster())`. Messages live in memory. Throws
 * InvalidArgumentError when an option is wrong.
 */
export function cluster(options?: ClusterOptions): Cluster;

/** How a cluster is set up. */
export interface ClusterOptions {
  /** How many brokers it has, 1 to 26. 1 by default. */
  brokers?: number | undefined;
  /** Whose servers they are like. `"apache"` by default. */
  dialect?: "apache" | "smartgo" | undefined;
  /** How many bytes of messages a broker keeps, the newest, 1 to 2^31 - 1. */
  messageBytes?: number | undefined;
}

/** A cluster in memory. What names a server that it does not have, or has a wrong option, throws InvalidArgumentError. */
export class Cluster {
  private constructor();
  /** Its name server, which `connect` asks for. */
  readonly addresses: string;
  /** How it is connected to, which `connect` asks for. */
  readonly transport: Transport;
  /** Broadcasting consumers keep their offsets in memory, unless `connect` is told otherwise. */
  readonly offsets: false;
  /** The names of the brokers. */
  readonly brokers: string[];

  /**
   * Has brokers answer otherwise, until `restore`: with a status, though they have stored the message; `"busy"` or `"no permission"`;
   * `"lost"`: the request is not served, and gets no answer; `"unanswered"`: it is served, and gets none.
   */
  force(what: Forced, options?: ForceOptions): void;
  /** With a code of the protocol's, 1 or more, such as 13 (MESSAGE_ILLEGAL), and a remark. The request is not served. */
  force(what: "refuse", options: ForceOptions & { code: number; remark?: string | undefined }): void;
  /** As they do, but so many milliseconds later, 1 or more. */
  force(what: "delay", options: ForceOptions & { delay: number }): void;
  /** Brokers answer as they do. */
  restore(): void;

  /** Stops a broker, or the `"name server"`, as a crash does. */
  stop(name: string): void;
  /** Starts one that was stopped, with what it had, or with nothing, if `keeps` is false. */
  start(name: string, options?: { keeps?: boolean | undefined }): void;

  /** Creates a topic at all brokers, with 1 to 16,384 queues at each, 8 by default. */
  createTopic(topic: string, options?: { queues?: number | undefined }): void;
  /** Deletes a topic at all brokers, with its messages. */
  deleteTopic(topic: string): void;

  /** The queues of a topic, none if it is not there, with their offsets, and with what a group has committed, if one is given. */
  queues(topic: string, group?: string): ClusterQueue[];
  /** The client ids of a group's members, sorted. */
  members(group: string): string[];
  /** The client id of the member that has the lock on a queue, for a group that consumes in order. */
  lockOwner(group: string, queue: MessageQueue): string | undefined;
}

/** What brokers can be made to answer: see {@link Cluster.force}. */
export type Forced = Exclude<SendStatus, "SEND_OK"> | "busy" | "no permission" | "lost" | "unanswered";

/** Which requests: sends, or those with these codes; all, or those of a topic, of a group or at one broker. */
export interface ForceOptions {
  /** The broker's name. All brokers by default. */
  broker?: string | undefined;
  /** The codes of requests, as the protocol has them, such as 11 for pulls. Sends by default. */
  codes?: readonly number[] | undefined;
  /** Requests about this topic alone. */
  topic?: string | undefined;
  /** Requests of this group alone. */
  group?: string | undefined;
  /** How often at each broker, 1 or more. Until `restore` by default. */
  times?: number | undefined;
}

/** A queue and what it has. */
export interface ClusterQueue extends MessageQueue {
  /** The first offset that it has. */
  readonly minOffset: bigint;
  /** The offset that the next message will have. */
  readonly maxOffset: bigint;
  /** Where the group goes on; undefined, if it has committed nothing or none was asked for. */
  readonly committed: bigint | undefined;
}
