// Groups of our members and Java's, each a process, that come, go and are killed while messages keep coming: on Apache's servers.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bench, eventually, unique } from "../support/bench.js";
import { Members } from "../support/members.js";

const QUEUES = 5;
/** Between two messages, in ms. */
const PACE = 5;
/** A dead member's queue locks last a minute (`RebalanceLockManager.REBALANCE_LOCK_MAX_LIVE_TIME`). */
const PATIENCE = 120_000;

/** A group that consumes what a producer keeps sending, from queue to queue. `book` has what all members were given. */
class Crowd {
  book = [];
  #goesOn = true;

  static async gather(t, options) {
    const crowd = new Crowd();
    crowd.on = await bench(t, QUEUES);
    crowd.members = new Members(t, crowd.on.topic, unique("crowd"), options, (delivered) => crowd.book.push(delivered));
    crowd.sending = crowd.#keepSending();
    crowd.sending.catch(() => {});
    return crowd;
  }

  async #keepSending() {
    const queues = await this.on.queues();
    let number = 0;
    for (; this.#goesOn; number++) {
      await this.on.send(String(number), {}, { queue: queues[number % QUEUES] });
      await new Promise((later) => setTimeout(later, PACE));
    }
    return number;
  }

  /** Waits until each of these members, and nobody else, has been given something, and every queue has gone on. */
  async settle(...members) {
    const from = this.book.length;
    const wanted = members.map(({ number }) => number).sort().join();
    await eventually(`all queues are consumed by ${wanted}`, () => {
      const owners = new Map(this.book.slice(from).map(({ queueId, member }) => [queueId, member]));
      return owners.size === QUEUES && [...new Set(owners.values())].sort().join() === wanted;
    }, PATIENCE);
  }

  /** No more messages are sent, and all that were have been consumed. */
  async finish() {
    this.#goesOn = false;
    const sent = await this.sending;
    const consumed = () => new Set(this.book.map(({ body }) => body)).size;
    await eventually(`${sent} messages are consumed`, () => consumed() === sent, PATIENCE);
  }

  /** One of ours and one of Java's is killed, one of ours leaves, and others take over. */
  async live() {
    const [first, second, java] = await Promise.all([this.members.joinOurs(), this.members.joinOurs(), this.members.joinJavas()]);
    await this.settle(first, second, java);
    assert.equal(await first.kill(), "SIGKILL");
    await this.settle(second, java);
    const third = await this.members.joinOurs();
    await this.settle(second, third, java);
    assert.equal(await java.kill(), "SIGKILL");
    await this.settle(second, third);
    const other = await this.members.joinJavas();
    await this.settle(second, third, other);
    assert.equal(await second.end(), 0);
    await this.settle(third, other);
    return [third, other];
  }
}

/** A member is given a queue's messages one after the other. It goes on elsewhere only where somebody has been: forwards when the queue
 * was another's meanwhile, backwards when its last commit was lost. */
function assertInOrder(book) {
  for (const group of Object.values(grouped(book))) {
    const [{ member, queueId }] = group;
    const others = new Set(book.filter((one) => one.queueId === queueId && one.member !== member).map(({ queueOffset }) => queueOffset));
    const seen = new Set();
    group.reduce((before, { queueOffset: next }) => {
      if (before !== undefined) {
        seen.add(before);
        const between = Array.from({ length: Math.max(0, next - before - 1) }, (_, at) => before + 1 + at);
        const fits = next > before ? between.every((offset) => others.has(offset)) : seen.has(next) || others.has(next);
        assert.ok(fits, `member ${member} was given ${next} after ${before} of queue ${queueId}`);
      }
      return next;
    }, undefined);
  }
}

const key = ({ member, queueId }) => `${member}/${queueId}`;

function grouped(book) {
  const groups = {};
  for (const one of book) (groups[key(one)] ??= []).push(one);
  return groups;
}

describe("a group of members of both kinds that come, go and are killed", { concurrency: 2, timeout: 400_000 }, () => {
  test("consumes every message", async (t) => {
    const crowd = await Crowd.gather(t, {});
    const members = await crowd.live();
    await crowd.finish();
    for (const member of members) assert.equal(await member.end(), 0);
  });

  test("keeps each queue in order, and skips nothing", async (t) => {
    const crowd = await Crowd.gather(t, { orderly: true });
    const members = await crowd.live();
    await crowd.finish();
    assertInOrder(crowd.book);
    for (const member of members) assert.equal(await member.end(), 0);
  });
});
