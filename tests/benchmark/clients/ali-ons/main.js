// ali-ons under the contract of all clients here: see tests/benchmark/README.md. Its producer has no oneway messages
// and its consumer is for push only, so it only produces.
'use strict';

const fs = require('node:fs');
const httpclient = require('urllib');
const { Producer, Message } = require('ali-ons');

const given = {};
for (let i = 3; i + 1 < process.argv.length; i += 2) given[process.argv[i].slice(2)] = process.argv[i + 1];
const number = (name, otherwise) => Number(given[name] ?? otherwise);

const say = word => fs.writeSync(1, `${word}\n`);

// Blocks, as nothing is under way meanwhile.
function sayAndWait(word) {
  say(word);
  const byte = Buffer.alloc(1);
  while (fs.readSync(0, byte) === 1 && byte[0] !== 10);
}

const producer = new Producer({ nameSrv: given['name-server'], producerGroup: 'benchmark', httpclient });
const body = Buffer.alloc(number('body', 128), 'a');

async function send() {
  const result = await producer.send(new Message(given.topic, '', body));
  if (result.sendStatus !== 'SEND_OK') throw new Error(`status ${result.sendStatus}`);
}

// Sends messages with so many promises, each of which awaits its own.
async function phase(count, inFlight, limitSeconds) {
  const latencies = new Uint32Array(count); // nanoseconds by ticket; 0 is none
  const deadline = performance.now() + limitSeconds * 1000;
  const result = { latencies, failed: 0, firstFailure: null };
  let tickets = 0;
  const each = async () => {
    while (tickets < count) {
      const ticket = tickets++;
      const started = performance.now();
      if (started > deadline) return;
      try {
        await send();
        latencies[ticket] = Math.max(1, (performance.now() - started) * 1e6);
      } catch (error) {
        result.failed++;
        result.firstFailure ??= String(error);
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, each));
  return result;
}

async function main() {
  await producer.ready();
  await send();
  say('first');

  const inFlight = number('in-flight', 1);
  const warmUp = await phase(number('warm-up', 0), inFlight, number('warm-up-seconds', 3600));
  const before = 1 + warmUp.latencies.filter(ns => ns > 0).length;
  sayAndWait('ready');

  const started = performance.now();
  const measured = await phase(number('count', 0), inFlight, 3600);
  const seconds = (performance.now() - started) / 1000;
  sayAndWait('done');

  const sorted = measured.latencies.filter(ns => ns > 0).sort();
  const percentile = percent => (sorted[Math.floor(sorted.length * percent / 100)] ?? 0) / 1000;
  say(JSON.stringify({
    succeeded: sorted.length,
    failed: measured.failed,
    first_failure: measured.firstFailure,
    seconds,
    p50_us: percentile(50),
    p99_us: percentile(99),
    total: before + sorted.length,
  }));
  await producer.close();
  process.exit(0); // timers of the client remain
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
