// ali-ons. Its producer has no oneway messages, and its consumer is for push only, one message a call.
'use strict';

const httpclient = require('urllib');
const { Consumer, Message, Producer } = require('ali-ons');
const { given } = require('./contract');

async function startProducer() {
  const producer = new Producer({ nameSrv: given['name-server'], producerGroup: 'benchmark', httpclient });
  await producer.ready();
  return {
    send: async body => {
      const result = await producer.send(new Message(given.topic, '', body));
      if (result.sendStatus !== 'SEND_OK') throw new Error(`status ${result.sendStatus}`);
    },
    close: () => producer.close(),
  };
}

// A consumer of a group that nobody has used.
async function startConsumer(handler) {
  const consumer = new Consumer({
    nameSrv: given['name-server'],
    consumerGroup: `benchmark-${process.hrtime.bigint()}`,
    consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
    httpclient,
  });
  consumer.on('error', error => console.error(error));
  consumer.subscribe(given.topic, '*', async ({ body }) => handler(body));
  await consumer.ready();
  return consumer;
}

module.exports = { startProducer, startConsumer };
