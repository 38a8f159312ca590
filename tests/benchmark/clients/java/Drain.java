// Pulls all messages of a topic with DefaultLitePullConsumer, which pulls all queues by itself into a buffer.

import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

final class Drain {
    private Drain() {}

    static void run(Map<String, String> options) throws Exception {
        String topic = options.get("topic");
        int count = Bench.number(options, "count", 0);
        int batch = Bench.number(options, "batch", 32);
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer("benchmark-" + System.nanoTime());
        consumer.setNamesrvAddr(options.get("name-server"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setPullBatchSize(batch);
        consumer.setAutoCommit(false);
        consumer.start();
        Bench.say("first");
        Bench.sayAndWait("ready");

        long started = System.nanoTime();
        Collection<MessageQueue> queues = consumer.fetchMessageQueues(topic);
        consumer.assign(queues);
        for (MessageQueue queue : queues) {
            consumer.seekToBegin(queue);
        }
        int messages = 0;
        long bytes = 0;
        long last = System.nanoTime();
        while (messages < count && System.nanoTime() - last < 10_000_000_000L) {
            List<MessageExt> polled = consumer.poll();
            for (MessageExt message : polled) {
                bytes += message.getBody().length;
            }
            messages += polled.size();
            if (!polled.isEmpty()) {
                last = System.nanoTime();
            }
        }
        double seconds = (System.nanoTime() - started) / 1e9;
        Bench.sayAndWait("done");
        boolean isShort = bytes < (long) messages * Bench.number(options, "body", 128);
        Bench.say(String.format(
                java.util.Locale.ROOT,
                "{\"succeeded\":%d,\"failed\":%d,\"first_failure\":%s,\"seconds\":%.6f,"
                        + "\"p50_us\":0,\"p99_us\":0,\"total\":%d}",
                messages, Math.max(0, count - messages), isShort ? "\"bodies are missing\"" : "null", seconds, messages));
        consumer.shutdown();
    }
}
