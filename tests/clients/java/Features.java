import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.*;
import org.apache.rocketmq.client.consumer.listener.*;
import org.apache.rocketmq.client.producer.*;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.*;
import org.apache.rocketmq.common.protocol.heartbeat.MessageModel;

/**
 * Java's client, feature by feature: see tests/conformance/clients/main.rs for what each is to show.
 *
 *     java -cp ... Features NAME_SERVER PREFIX
 */
public class Features {
    static final int COUNT = 20;
    static final long PATIENCE = 60;
    static String nameServer, prefix;
    static DefaultMQProducer producer;

    interface Feature { void run(String topic, String group) throws Exception; }

    static void feature(String name, Feature feature) {
        String answer = "ok";
        try {
            feature.run(prefix + "-" + name, prefix + "-" + name + "-group");
        } catch (Throwable e) {
            answer = ("failed: " + e).replace('\n', ' ');
        }
        System.out.println(name + " " + answer);
    }

    static void expect(boolean holds, Object what) {
        if (!holds) throw new IllegalStateException(String.valueOf(what));
    }

    static Message message(String topic, String tag, int number) {
        return new Message(topic, tag, "key-" + number, String.valueOf(number).getBytes(StandardCharsets.UTF_8));
    }

    static int number(MessageExt message) {
        return Integer.parseInt(new String(message.getBody(), StandardCharsets.UTF_8));
    }

    static void send(String topic, String tag, int number) throws Exception {
        SendResult result = producer.send(message(topic, tag, number));
        expect(result.getSendStatus() == SendStatus.SEND_OK, result);
    }

    static DefaultMQPushConsumer consumer(String group, String instance, MessageModel model) {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(instance);
        consumer.setMessageModel(model);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        return consumer;
    }

    static void tags(String topic, String group) throws Exception {
        for (int i = 0; i < COUNT; i++) send(topic, List.of("A", "B", "C", "D").get(i % 4), i);
        Set<Integer> seen = ConcurrentHashMap.newKeySet();
        DefaultMQPushConsumer consumer = consumer(group, "tags", MessageModel.CLUSTERING);
        consumer.subscribe(topic, "A || C");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            messages.forEach(message -> seen.add(number(message)));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        await(() -> seen.size() >= COUNT / 2, () -> "seen " + seen);
        consumer.shutdown();
        expect(seen.stream().allMatch(number -> number % 2 == 0), "seen " + seen);
    }

    static void orderly(String topic, String group) throws Exception {
        for (int i = 0; i < COUNT; i++) {
            producer.send(message(topic, "", i), (queues, message, key) -> queues.get((int) key % queues.size()), i % 4);
        }
        List<Integer> seen = Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer consumer = consumer(group, "orderly", MessageModel.CLUSTERING);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            messages.forEach(message -> seen.add(number(message)));
            return ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        await(() -> seen.size() >= COUNT, () -> "seen " + seen);
        consumer.shutdown();
        for (int key = 0; key < 4; key++) {
            int of = key;
            List<Integer> ofKey = new ArrayList<>(seen);
            ofKey.removeIf(number -> number % 4 != of);
            List<Integer> sorted = new ArrayList<>(ofKey);
            Collections.sort(sorted);
            expect(ofKey.equals(sorted) && ofKey.size() == COUNT / 4, "seen " + seen);
        }
    }

    static void broadcasting(String topic, String group) throws Exception {
        List<Set<Integer>> seen = List.of(ConcurrentHashMap.newKeySet(), ConcurrentHashMap.newKeySet());
        List<DefaultMQPushConsumer> consumers = new ArrayList<>();
        for (int member = 0; member < 2; member++) {
            Set<Integer> mine = seen.get(member);
            DefaultMQPushConsumer consumer = consumer(group, "broadcasting-" + member, MessageModel.BROADCASTING);
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                messages.forEach(message -> mine.add(number(message)));
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
            consumers.add(consumer);
        }
        for (int i = 0; i < COUNT; i++) send(topic, "", i);
        await(() -> seen.stream().allMatch(mine -> mine.size() >= COUNT), () -> "seen " + seen);
        consumers.forEach(DefaultMQPushConsumer::shutdown);
    }

    static void retry(String topic, String group) throws Exception {
        send(topic, "", 7);
        List<Integer> times = Collections.synchronizedList(new ArrayList<>());
        DefaultMQPushConsumer consumer = consumer(group, "retry", MessageModel.CLUSTERING);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            messages.forEach(message -> times.add(message.getReconsumeTimes()));
            context.setDelayLevelWhenNextConsume(1);
            return times.size() < 2 ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        await(() -> times.size() >= 2, () -> "times " + times);
        consumer.shutdown();
        expect(times.equals(List.of(0, 1)), "times " + times);
    }

    @SuppressWarnings("deprecation")
    static void pull(String topic, String group) throws Exception {
        for (int i = 0; i < COUNT; i++) send(topic, "", i);
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(group);
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName("pull");
        consumer.start();
        Set<Integer> seen = new TreeSet<>();
        for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(topic)) {
            long offset = consumer.minOffset(queue), end = consumer.maxOffset(queue);
            while (offset < end) {
                PullResult result = consumer.pull(queue, "*", offset, 32);
                expect(result.getPullStatus() == PullStatus.FOUND, result);
                result.getMsgFoundList().forEach(message -> seen.add(number(message)));
                offset = result.getNextBeginOffset();
            }
            consumer.updateConsumeOffset(queue, offset);
            consumer.getOffsetStore().persist(queue);
            // The broker is told in a request without an answer.
            long committed = offset;
            await(() -> committed(consumer, queue) == committed, () -> "offset of " + queue + " is " + committed(consumer, queue));
        }
        consumer.shutdown();
        expect(seen.size() == COUNT, "seen " + seen);
    }

    @SuppressWarnings("deprecation")
    static long committed(DefaultMQPullConsumer consumer, MessageQueue queue) {
        try {
            return consumer.fetchConsumeOffset(queue, true);
        } catch (Exception e) {
            return -1;
        }
    }

    static void await(BooleanSupplier holds, java.util.function.Supplier<String> state) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE);
        while (!holds.get()) {
            expect(System.nanoTime() < end, "it takes too long, " + state.get());
            Thread.sleep(20);
        }
    }

    interface BooleanSupplier { boolean get(); }

    public static void main(String[] arguments) throws Exception {
        nameServer = arguments[0];
        prefix = arguments[1];
        producer = new DefaultMQProducer(prefix + "-producers");
        producer.setNamesrvAddr(nameServer);
        producer.setSendMsgTimeout(10_000);
        producer.start();
        feature("send", (topic, group) -> {
            for (int i = 0; i < COUNT; i++) send(topic, "", i);
        });
        feature("send-async", (topic, group) -> {
            CountDownLatch done = new CountDownLatch(COUNT);
            for (int i = 0; i < COUNT; i++) {
                producer.send(message(topic, "", i), new SendCallback() {
                    public void onSuccess(SendResult result) { done.countDown(); }
                    public void onException(Throwable e) { }
                });
            }
            expect(done.await(PATIENCE, TimeUnit.SECONDS), done.getCount() + " callbacks are missing");
        });
        feature("send-oneway", (topic, group) -> {
            for (int i = 0; i < COUNT; i++) producer.sendOneway(message(topic, "", i));
        });
        feature("send-batch", (topic, group) -> {
            List<Message> batch = new ArrayList<>();
            for (int i = 0; i < COUNT; i++) batch.add(message(topic, "", i));
            SendResult result = producer.send(batch);
            expect(result.getSendStatus() == SendStatus.SEND_OK, result);
        });
        feature("tags", Features::tags);
        feature("orderly", Features::orderly);
        feature("broadcasting", Features::broadcasting);
        feature("retry", Features::retry);
        feature("pull", Features::pull);
        feature("close", (topic, group) -> producer.shutdown());
        System.exit(0);
    }
}
