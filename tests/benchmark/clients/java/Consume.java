// Consumes all messages of a topic with DefaultMQPushConsumer and a listener that does nothing: first by one group, to
// warm up, then by another, which is measured.

import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;

final class Consume {
    private Consume() {}

    static void run(Map<String, String> options) throws Exception {
        Consumption warmUp = new Consumption(Bench.number(options, "warm-up", 1));
        DefaultMQPushConsumer consumer = start(options, counting(warmUp));
        warmUp.awaitFirst();
        Bench.say("first");
        warmUp.awaitAll(Bench.number(options, "warm-up-seconds", 3600));
        consumer.shutdown();
        Bench.sayAndWait("ready");

        Consumption measured = new Consumption(Bench.number(options, "count", 0));
        consumer = start(options, counting(measured));
        measured.awaitAll(3600);
        Bench.sayAndWait("done");
        measured.print();
        consumer.shutdown();
    }

    private static MessageListenerConcurrently counting(Consumption consumption) {
        return (messages, context) -> {
            consumption.arrived(messages.size());
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        };
    }

    /** A consumer of a group that nobody has used. */
    static DefaultMQPushConsumer start(Map<String, String> options, MessageListenerConcurrently listener)
            throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("benchmark-" + System.nanoTime());
        consumer.setNamesrvAddr(options.get("name-server"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setConsumeMessageBatchMaxSize(Bench.number(options, "batch", 1));
        consumer.subscribe(options.get("topic"), "*");
        consumer.registerMessageListener(listener);
        consumer.start();
        return consumer;
    }
}
