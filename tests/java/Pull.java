// Pulls all of a topic that an expression lets through, queue by queue, with Java's pull consumer.

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.common.message.MessageClientExt;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

@SuppressWarnings("deprecation")
final class Pull {
    private static final int AT_ONCE = 32;

    private Pull() {}

    static void all(String nameServer, String topic, String expression, Lines lines) throws Exception {
        DefaultMQPullConsumer consumer = consumer(nameServer, "crossing-pull");
        consumer.start();
        try {
            for (MessageQueue queue : new TreeSet<>(consumer.fetchSubscribeMessageQueues(topic))) {
                one(consumer, queue, expression, lines);
            }
        } finally {
            consumer.shutdown();
        }
    }

    static DefaultMQPullConsumer consumer(String nameServer, String group) {
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(group);
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(Crossing.uniqueName());
        consumer.setMqClientApiTimeout(Crossing.TIMEOUT_MILLIS);
        consumer.setConsumerPullTimeoutMillis(Crossing.TIMEOUT_MILLIS);
        return consumer;
    }

    /** From the queue's minimum to the maximum it has now; what is sent meanwhile does not matter. */
    private static void one(DefaultMQPullConsumer consumer, MessageQueue queue, String expression, Lines lines)
            throws Exception {
        long offset = consumer.minOffset(queue);
        long end = consumer.maxOffset(queue);
        long deadline = System.currentTimeMillis() + Crossing.TIMEOUT_MILLIS;
        while (offset < end) {
            PullResult result = consumer.pull(queue, expression, offset, AT_ONCE);
            if (result.getPullStatus() == PullStatus.FOUND) {
                for (MessageExt message : result.getMsgFoundList()) {
                    lines.print(fields(message));
                }
            }
            if (result.getNextBeginOffset() > offset) {
                offset = result.getNextBeginOffset();
            } else if (System.currentTimeMillis() > deadline) {
                throw new IllegalStateException(queue + " stands at " + offset + " of " + end + ": " + result);
            } else {
                Thread.sleep(20);
            }
        }
    }

    private static Map<String, Object> fields(MessageExt message) {
        // The pull client adds these two; they were not sent.
        TreeMap<String, String> properties = new TreeMap<>(message.getProperties());
        properties.remove(MessageConst.PROPERTY_MIN_OFFSET);
        properties.remove(MessageConst.PROPERTY_MAX_OFFSET);
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("messageId", message.getMsgId());
        fields.put("offsetMessageId", ((MessageClientExt) message).getOffsetMsgId());
        fields.put("queueId", message.getQueueId());
        fields.put("queueOffset", message.getQueueOffset());
        fields.put("keys", message.getKeys());
        fields.put("tags", message.getTags());
        fields.put("bodyHex", Lines.hex(message.getBody()));
        fields.put("properties", properties);
        fields.put("sysFlag", message.getSysFlag());
        fields.put("bornTimestamp", message.getBornTimestamp());
        return fields;
    }
}
