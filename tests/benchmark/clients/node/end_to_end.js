// Sends at a steady rate and consumes what it sent, in the same process.
'use strict';

const { setTimeout: sleep } = require('node:timers/promises');
const client = require('./client');
const { number, say, sayAndWait, newPhase, succeeded, failed, successes, print } = require('./contract');

const PATIENCE = 15000; // milliseconds; messages that a client sends back return after 10 s

let current = { mark: 0n }; // the phase under way, which the handler fills
let phases = 0;
let sent = 0;

async function arrived(body) {
  if (body.readBigUInt64BE(0) !== current.mark) return;
  const ticket = body.readUInt32BE(8);
  succeeded(current, ticket, current.sentAt[ticket]);
  current.came++;
}

// Sends so many, each at its time or as soon as the one before is acknowledged, and waits until all have come.
async function phase(producer, count, patience) {
  // The mark tells this phase's messages from those of others and of earlier runs.
  const mark = BigInt(Date.now()) << 20n | BigInt(phases++);
  current = { ...newPhase(count), mark, sentAt: new Float64Array(count), came: 0 };
  const period = 1000 / number('rate', 1000);
  const started = performance.now();
  for (let ticket = 0; ticket < count; ticket++) {
    const left = started + ticket * period - performance.now();
    if (left > 0) await sleep(left);
    const body = Buffer.alloc(number('body', 128));
    body.writeBigUInt64BE(mark, 0);
    body.writeUInt32BE(ticket, 8);
    current.sentAt[ticket] = performance.now();
    try {
      await producer.send(body);
      sent++;
    } catch (error) {
      failed(current, error);
    }
  }
  const deadline = performance.now() + patience;
  while (current.came < count && performance.now() < deadline) await sleep(1);
  for (let missing = count - successes(current); missing > 0; missing--) failed(current, 'a message did not come');
  return current;
}

async function run() {
  const producer = await client.startProducer();
  const consumer = await client.startConsumer(arrived);
  await phase(producer, 1, 60000);
  say('first');
  await phase(producer, number('warm-up', 0), PATIENCE);
  sayAndWait('ready');

  const started = performance.now();
  const measured = await phase(producer, number('count', 0), PATIENCE);
  const seconds = (performance.now() - started) / 1000;
  sayAndWait('done');
  // What was sent counts, not what came back: the broker has it.
  print(measured, seconds, sent - successes(measured));
  await consumer.close();
  await producer.close();
}

module.exports = { run };
