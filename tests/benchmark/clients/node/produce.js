// Sends messages with so many promises, each of which awaits its own.
'use strict';

const client = require('./client');
const { number, say, sayAndWait, newPhase, succeeded, failed, successes, print } = require('./contract');

async function run() {
  const producer = await client.startProducer();
  const body = Buffer.alloc(number('body', 128), 'a');
  await producer.send(body);
  say('first');

  const phase = async (count, inFlight, limitSeconds) => {
    const result = newPhase(count);
    const deadline = performance.now() + limitSeconds * 1000;
    let tickets = 0;
    const each = async () => {
      while (tickets < count) {
        const ticket = tickets++;
        const started = performance.now();
        if (started > deadline) return;
        try {
          await producer.send(body);
          succeeded(result, ticket, started);
        } catch (error) {
          failed(result, error);
        }
      }
    };
    await Promise.all(Array.from({ length: inFlight }, each));
    return result;
  };
  const inFlight = number('in-flight', 1);
  const before = 1 + successes(await phase(number('warm-up', 0), inFlight, number('warm-up-seconds', 3600)));
  sayAndWait('ready');

  const started = performance.now();
  const measured = await phase(number('count', 0), inFlight, 3600);
  const seconds = (performance.now() - started) / 1000;
  sayAndWait('done');
  print(measured, seconds, before);
  await producer.close();
}

module.exports = { run };
