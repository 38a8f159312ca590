// Consumes all messages of a topic with a handler that does nothing: first by one group, to warm up, then by another,
// which is measured.
'use strict';

const client = require('./client');
const { number, say, sayAndWait } = require('./contract');

const PATIENCE = 30000; // milliseconds; when nothing has come for so long, nothing will

// What a handler counts: when the first message came, and when as many had come as are wanted.
class Consumption {
  constructor(wanted) {
    this.wanted = wanted;
    this.seen = 0;
    this.first = new Promise(resolve => { this.firstCame = resolve; });
    this.all = new Promise(resolve => { this.allCame = resolve; });
  }

  arrived() {
    this.seen++;
    if (this.seen === 1) {
      this.firstAt = performance.now();
      this.firstCame();
    }
    if (this.seen === this.wanted) {
      this.lastAt = performance.now();
      this.allCame();
    }
  }

  // Waits for as many as are wanted, for so long at the most, and no longer than something comes.
  async awaitAll(seconds) {
    const deadline = performance.now() + seconds * 1000;
    let before = -1;
    let since = performance.now();
    const watch = setInterval(() => {
      const now = performance.now();
      if (this.seen !== before) [before, since] = [this.seen, now];
      if (now > deadline || now - since > PATIENCE) this.allCame();
    }, 1000);
    await this.all;
    clearInterval(watch);
  }

  print() {
    const missing = Math.max(0, this.wanted - this.seen);
    say(JSON.stringify({
      succeeded: this.wanted - missing,
      failed: missing,
      first_failure: missing > 0 ? 'messages are missing' : null,
      seconds: ((this.lastAt ?? performance.now()) - this.firstAt) / 1000,
      p50_us: 0,
      p99_us: 0,
      total: this.seen,
    }));
  }
}

async function run() {
  const warmUp = new Consumption(number('warm-up', 1));
  let consumer = await client.startConsumer(() => warmUp.arrived());
  await warmUp.first;
  say('first');
  await warmUp.awaitAll(number('warm-up-seconds', 3600));
  await consumer.close();
  sayAndWait('ready');

  const measured = new Consumption(number('count', 0));
  consumer = await client.startConsumer(() => measured.arrived());
  await measured.awaitAll(3600);
  sayAndWait('done');
  measured.print();
  await consumer.close();
}

module.exports = { run };
