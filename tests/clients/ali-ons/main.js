// ali-ons, feature by feature: see tests/conformance/clients/main.rs for what each is to show. It has no oneway sends, no batches
// and no pulls.
//
//   node main.js NAME_SERVER PREFIX
'use strict';

const httpclient = require('urllib');
const { Consumer, Producer, Message } = require('ali-ons');

const COUNT = 20;
const PATIENCE = 60000; // milliseconds
const [nameSrv, prefix] = process.argv.slice(2);

async function feature(name, run) {
  let answer = 'ok';
  try {
    await run(`${prefix}-${name}`, `${prefix}-${name}-group`);
  } catch (error) {
    answer = `failed: ${error.message}`.replaceAll('\n', ' ');
  }
  console.log(`${name} ${answer}`);
}

function expect(holds, what) {
  if (!holds) throw new Error(JSON.stringify(what));
}

async function until(holds, state) {
  const end = performance.now() + PATIENCE;
  while (!holds()) {
    expect(performance.now() < end, { tookTooLong: state() });
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

async function consume(topic, group, expression, handle, options = {}) {
  const consumer = new Consumer({
    nameSrv,
    httpclient,
    consumerGroup: group,
    consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
    ...options,
  });
  consumer.on('error', error => console.error(error));
  consumer.subscribe(topic, expression, handle);
  await consumer.ready();
  return consumer;
}

async function main() {
  const producer = new Producer({ nameSrv, producerGroup: `${prefix}-producers`, httpclient });
  await producer.ready();
  const message = (topic, tag, number) => {
    const made = new Message(topic, tag, String(number));
    made.keys = [`key-${number}`];
    return made;
  };
  const send = async (topic, tag, number, key) => {
    const made = message(topic, tag, number);
    const result = await producer.send(made, key);
    expect(result.sendStatus === 'SEND_OK', result);
  };
  const sendAll = async topic => {
    for (let number = 0; number < COUNT; number++) await send(topic, '', number);
  };
  const numberOf = received => Number(received.body.toString());

  await feature('send', sendAll);
  await feature('send-async', topic => Promise.all(Array.from({ length: COUNT }, (_, number) => send(topic, '', number))));
  await feature('tags', async (topic, group) => {
    for (let number = 0; number < COUNT; number++) await send(topic, 'ABCD'[number % 4], number);
    const seen = new Set();
    const consumer = await consume(topic, group, 'A || C', async received => seen.add(numberOf(received)));
    await until(() => seen.size >= COUNT / 2, () => [...seen]);
    await consumer.close();
    expect([...seen].every(number => number % 2 === 0), [...seen]);
  });
  await feature('broadcasting', async (topic, group) => {
    const members = [new Set(), new Set()];
    const consumers = [];
    for (const [number, seen] of members.entries()) {
      const options = { isBroadcast: true, instanceName: `${group}-${number}` };
      consumers.push(await consume(topic, group, '*', async received => seen.add(numberOf(received)), options));
    }
    await sendAll(topic);
    await until(() => members.every(seen => seen.size >= COUNT), () => members.map(seen => [...seen]));
    for (const consumer of consumers) await consumer.close();
  });
  await feature('retry', async (topic, group) => {
    await send(topic, '', 7);
    const times = [];
    const consumer = await consume(topic, group, '*', async received => {
      times.push(received.reconsumeTimes);
      if (times.length < 2) throw new Error('not yet');
    });
    await until(() => times.length >= 2, () => times);
    await consumer.close();
    expect(times[0] === 0 && times[1] === 1, times);
  });
  await feature('close', () => producer.close());
  process.exit(0);
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
