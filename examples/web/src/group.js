// A group of consumers. Each member is a client of its own, as if it were another program.

/** How many messages a member handles at once. */
const AT_ONCE = 4;

export class Group {
  #session;
  #told;
  #lastNumber = 0;
  #isClosed = false;
  members = [];

  /** `told` hears of what happens, by functions: `rebalanced(member, what, queues)`, `handled(member, message)`. `work` gives the ms that a handler
   * takes. */
  constructor(name, session, work, told) {
    this.name = name;
    this.work = work;
    this.#session = session;
    this.#told = told;
  }

  /** A new member, which gets its share of the queues. */
  async join() {
    const member = { name: `${this.name} ${++this.#lastNumber}` };
    member.client = await this.#session.join();
    await this.#begin(member).catch(async (error) => {
      await member.client.close();
      throw error;
    });
    // The page may have disconnected meanwhile.
    if (this.#isClosed) return member.client.close();
    this.members.push(member);
  }

  async #begin(member) {
    const rebalanced = (what) => (queues) => this.#told.rebalanced(member, what, queues.filter((queue) => this.#isOurs(queue)));
    const options = {
      topic: this.#session.topic,
      from: "first",
      maxInWork: AT_ONCE,
      rebalanceListener: { assigned: rebalanced("takes"), revoked: rebalanced("gives up") },
    };
    member.consumer = await member.client.consumer(this.name, options, async (message) => {
      await new Promise((done) => setTimeout(done, this.work()));
      this.#told.handled(member, message);
    });
  }

  /** How many messages the group has not consumed; with no member brokers say it. */
  async behind() {
    if (this.members.length > 0) return this.shares.reduce((sum, { lag }) => sum + (lag ?? 0n), 0n);
    return this.#session.lagOf(this.name);
  }

  /** The last one that joined leaves, and has finished what it has in hand. */
  async leave() {
    await this.members.pop()?.client.close();
  }

  /** Retries have a queue of their own. */
  #isOurs({ topic }) {
    return topic === this.#session.topic;
  }

  /** Who has which queue, as far as each is: by queue. */
  get shares() {
    const shares = this.members.flatMap((member) => {
      const queues = member.consumer.status.queues.filter(({ queue }) => this.#isOurs(queue));
      return queues.map(({ queue, offset, lag }) => ({ member, queue, offset, lag }));
    });
    return shares.sort((one, other) => keyOf(one.queue).localeCompare(keyOf(other.queue), "en", { numeric: true }));
  }

  close() {
    this.#isClosed = true;
    return Promise.all(this.members.splice(0).map(({ client }) => client.close()));
  }
}

/** What a queue is known by. */
export const keyOf = ({ brokerName, queueId }) => `${brokerName} ${queueId}`;
