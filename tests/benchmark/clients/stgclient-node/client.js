// Ours, from npm.
'use strict';

const { connect } = require('stgclient');
const { given } = require('./contract');
const { startGateway } = require('./gateway');

let connecting;
const connected = () => (connecting ??= given.through === 'gateway' ? throughGateway() : connect(given['name-server']));

// Its time is not this process's, as a broker's is not.
async function throughGateway() {
  const { url, token } = await startGateway(given['name-server']);
  return connect(url, { nameServers: given['name-server'], webSocket: { token } });
}

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

// A consumer of a group that nobody has used. The handler gives a promise, as ali-ons' has to, or, with `--handler plain`, nothing.
async function startConsumer(handler) {
  const client = await connected();
  const group = `benchmark-${process.hrtime.bigint()}`;
  const asBuffer = bytes => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const plain = message => void handler(asBuffer(message.bytes()));
  const handlers = { plain, promise: async message => handler(asBuffer(message.bytes())) };
  return client.consumer(group, { topic: given.topic, from: 'first' }, handlers[given.handler ?? 'promise']);
}

module.exports = { startProducer, startConsumer };
