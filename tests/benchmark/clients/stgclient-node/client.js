// Ours, from npm.
'use strict';

const { connect } = require('stgclient');
const { given } = require('./contract');

let connecting;
const connected = () => (connecting ??= connect(given['name-server']));

async function startProducer() {
  const producer = (await connected()).producer('benchmark');
  return {
    send: async body => {
      const { status } = await producer.send({ topic: given.topic, body });
      if (status !== 'SEND_OK') throw new Error(`status ${status}`);
    },
    close: () => producer.close(),
  };
}

// A consumer of a group that nobody has used. The handler of all peers gives a promise.
async function startConsumer(handler) {
  const client = await connected();
  const group = `benchmark-${process.hrtime.bigint()}`;
  const asBuffer = bytes => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return client.consumer(group, { topic: given.topic, from: 'first' }, async message => handler(asBuffer(message.bytes())));
}

module.exports = { startProducer, startConsumer };
