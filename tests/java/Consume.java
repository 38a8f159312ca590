// Consumes a topic with Java's push consumer, concurrently or in order, or with its lite pull consumer, and prints each
// message as it is given to the application.

import java.nio.file.Files;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageClientExt;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;

final class Consume {
    /** How long an orderly consumer waits before it tries a message again. */
    private static final long SUSPENSION_MILLIS = 50;

    /**
     * An orderly consumer asks for all its locks for the first time one second after its start, by a timer that it does
     * not wait for when it ends: asked after they have been given back, they stay for a minute
     * (ConsumeMessageOrderlyService.start and shutdown). So no end comes before that is over.
     */
    private static final long FIRST_LOCKING_MILLIS = 2000;

    private Consume() {}

    /** A message fails while it has been consumed fewer times before than --fail-times says. */
    static void push(
            String nameServer, String topic, String group, int count, Map<String, String> options, Lines lines)
            throws Exception {
        // Where broadcast offsets go; nobody comes back for them.
        System.setProperty("rocketmq.client.localOffsetStoreDir", Files.createTempDirectory("crossing").toString());
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(Crossing.uniqueName());
        consumer.setMqClientApiTimeout(Crossing.TIMEOUT_MILLIS);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setPersistConsumerOffsetInterval(500);
        // What has been printed is committed, also when the end comes before its listener has returned.
        consumer.setAwaitTerminationMillisWhenShutdown(Crossing.TIMEOUT_MILLIS);
        consumer.setMaxReconsumeTimes(Integer.parseInt(options.getOrDefault("max-reconsume", "-1")));
        if (options.containsKey("broadcast")) {
            consumer.setMessageModel(MessageModel.BROADCASTING);
        }
        if (options.containsKey("sql")) {
            consumer.subscribe(topic, MessageSelector.bySql(options.get("sql")));
        } else {
            consumer.subscribe(topic, options.getOrDefault("tags", "*"));
        }
        int failTimes = Integer.parseInt(options.getOrDefault("fail-times", "0"));
        CountDownLatch left = new CountDownLatch(count);
        if (options.containsKey("orderly")) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                context.setSuspendCurrentQueueTimeMillis(SUSPENSION_MILLIS);
                boolean isDone = take(messages, failTimes, left, lines);
                return isDone ? ConsumeOrderlyStatus.SUCCESS : ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
            });
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                context.setDelayLevelWhenNextConsume(1);
                boolean isDone = take(messages, failTimes, left, lines);
                return isDone ? ConsumeConcurrentlyStatus.CONSUME_SUCCESS : ConsumeConcurrentlyStatus.RECONSUME_LATER;
            });
        }
        consumer.start();
        long startedAt = System.currentTimeMillis();
        try {
            if (count == 0) {
                Map<String, Object> started = new LinkedHashMap<>();
                started.put("clientId", consumer.getDefaultMQPushConsumerImpl().getmQClientFactory().getClientId());
                lines.print(started);
                while (System.in.read() >= 0) {
                    // What is written does not matter.
                }
            } else if (!left.await(2 * Crossing.TIMEOUT_MILLIS, TimeUnit.MILLISECONDS)) {
                throw new IllegalStateException(left.getCount() + " of " + count + " messages did not come");
            }
        } finally {
            if (options.containsKey("orderly")) {
                Thread.sleep(Math.max(0, startedAt + FIRST_LOCKING_MILLIS - System.currentTimeMillis()));
            }
            consumer.shutdown();
        }
    }

    private static boolean take(List<MessageExt> messages, int failTimes, CountDownLatch left, Lines lines) {
        boolean isDone = true;
        for (MessageExt message : messages) {
            lines.print(fields(message));
            left.countDown();
            isDone &= message.getReconsumeTimes() >= failTimes;
        }
        return isDone;
    }

    /** By subscription, or of all queues that the topic has. Commits what it has printed. */
    static void lite(
            String nameServer, String topic, String group, int count, Map<String, String> options, Lines lines)
            throws Exception {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(group);
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(Crossing.uniqueName());
        consumer.setMqClientApiTimeout(Crossing.TIMEOUT_MILLIS);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setAutoCommit(false);
        boolean assign = options.containsKey("assign");
        if (!assign) {
            consumer.subscribe(topic, "*");
        }
        consumer.start();
        try {
            if (assign) {
                consumer.assign(consumer.fetchMessageQueues(topic));
            }
            long deadline = System.currentTimeMillis() + 2L * Crossing.TIMEOUT_MILLIS;
            for (int taken = 0; taken < count; ) {
                for (MessageExt message : consumer.poll(200)) {
                    lines.print(fields(message));
                    taken++;
                }
                if (System.currentTimeMillis() > deadline) {
                    throw new IllegalStateException(taken + " of " + count + " messages came");
                }
            }
            consumer.commit(new HashSet<>(consumer.fetchMessageQueues(topic)), true);
        } finally {
            consumer.shutdown();
        }
    }

    private static Map<String, Object> fields(MessageExt message) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("messageId", message.getMsgId());
        fields.put("offsetMessageId", ((MessageClientExt) message).getOffsetMsgId());
        fields.put("topic", message.getTopic());
        fields.put("queueId", message.getQueueId());
        fields.put("queueOffset", message.getQueueOffset());
        fields.put("reconsumeTimes", message.getReconsumeTimes());
        fields.put("tags", message.getTags());
        fields.put("bodyHex", Lines.hex(message.getBody()));
        fields.put("properties", new TreeMap<>(message.getProperties()));
        return fields;
    }
}
