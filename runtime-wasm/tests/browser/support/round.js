// What every page that has the package is asked for: a message goes to a cluster and comes to a handler. It is a module of the pages' own.
// The group is named as the topic, since pages of several tests share a cluster: members of one group that subscribe to different topics
// would be given each other's queues, which nobody consumes then.

export async function round({ connect }, target, options, topic = "rounds") {
  const client = await connect(target, options);
  await client.admin().createTopic(topic, { queues: 2 });
  let told;
  const heard = new Promise((resolve) => (told = resolve));
  const consumer = await client.consumer(topic, { topic, from: "first" }, (message) => told(message.text()));
  const { status } = await client.producer("rounds").send({ topic, body: "round" });
  const text = await heard;
  await consumer.close();
  await client.close();
  return `${status} ${text}`;
}
