// What a group has committed on each queue of a topic, before and after Java commits the queue's maximum offset.

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.common.message.MessageQueue;

@SuppressWarnings("deprecation")
final class Offsets {
    private Offsets() {}

    /**
     * Prints queueId, before, committed and after; with readOnly only queueId and before. Where nothing is committed
     * a broker answers 0 for a queue that still has its first message, and else nothing, which is -1 here.
     */
    static void each(String nameServer, String topic, String group, boolean readOnly, Lines lines) throws Exception {
        DefaultMQPullConsumer consumer = Pull.consumer(nameServer, group);
        consumer.start();
        try {
            for (MessageQueue queue : new TreeSet<>(consumer.fetchSubscribeMessageQueues(topic))) {
                Map<String, Object> fields = new LinkedHashMap<>();
                fields.put("queueId", queue.getQueueId());
                fields.put("before", consumer.fetchConsumeOffset(queue, true));
                if (!readOnly) {
                    long maximum = consumer.maxOffset(queue);
                    // Awaited, where updateConsumeOffset would be sent some seconds later.
                    consumer.getDefaultMQPullConsumerImpl().getOffsetStore()
                            .updateConsumeOffsetToBroker(queue, maximum, false);
                    fields.put("committed", maximum);
                    fields.put("after", consumer.fetchConsumeOffset(queue, true));
                }
                lines.print(fields);
            }
        } finally {
            consumer.shutdown();
        }
    }
}
