// A cluster and a topic of it, and a client that sends: what stgclient is needed for on the sender's side.

import { connect } from "stgclient";

/** Connects to a cluster in this page's memory, or to one behind a gateway, and creates the topic. */
export async function begin({ where, url, nameServers, topic, queues }) {
  const join = where === "memory" ? await inMemory() : () => connect(url, { nameServers });
  const client = await join();
  try {
    await client.admin().createTopic(topic, { queues });
    return new Session(client, join, topic, await queuesOf(client, topic));
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** The cluster is a file of its own, which is loaded by whom needs it. */
async function inMemory() {
  const { cluster } = await import("stgclient/embedded");
  const servers = cluster();
  return () => connect(servers);
}

/** Brokers tell name servers of a new topic in their own time. */
async function queuesOf(client, topic) {
  for (let tries = 1; ; tries++) {
    try {
      const { writableQueues } = await client.admin().route(topic);
      if (writableQueues.length > 0) return writableQueues;
      if (tries > 20) throw new Error(`no queue of ${topic} can be written to`);
    } catch (error) {
      if (tries > 20) throw error;
    }
    await new Promise((again) => setTimeout(again, 250));
  }
}

export class Session {
  #client;
  #producer;

  constructor(client, join, topic, queues) {
    this.#client = client;
    this.#producer = client.producer("page");
    this.join = join;
    this.topic = topic;
    this.queues = queues;
  }

  /** How its connections are. */
  get state() {
    return this.#client.state;
  }

  /** How many messages a group has not consumed, as brokers know it. */
  async lagOf(group) {
    return (await this.#client.admin().lag(group)).total;
  }

  /** Sends a text; gives the receipt. Those of one order key go to one queue. */
  send(body, orderKey) {
    return this.#producer.send({ topic: this.topic, body }, orderKey ? { orderKey } : {});
  }

  close() {
    return this.#client.close();
  }
}
