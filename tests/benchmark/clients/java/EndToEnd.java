// Sends at a steady rate and consumes what it sent, in the same process: how long messages are under way, and what that
// costs.

import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

final class EndToEnd {
    /** Messages that a client sends back return after 10 s. */
    private static final long PATIENCE_NS = 15_000_000_000L;

    private final DefaultMQProducer producer;
    private final String topic;
    private final int length;
    private final long periodNs;
    /** The phase under way, which the listener fills. */
    private volatile Journeys journeys = new Journeys(0);
    private int sent;

    private EndToEnd(DefaultMQProducer producer, Map<String, String> options) {
        this.producer = producer;
        this.topic = options.get("topic");
        this.length = Bench.number(options, "body", 128);
        this.periodNs = 1_000_000_000L / Bench.number(options, "rate", 1000);
    }

    static void run(Map<String, String> options) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("benchmark");
        producer.setNamesrvAddr(options.get("name-server"));
        producer.start();
        EndToEnd endToEnd = new EndToEnd(producer, options);
        DefaultMQPushConsumer consumer = Consume.start(options, (messages, context) -> {
            Journeys journeys = endToEnd.journeys;
            for (MessageExt message : messages) {
                journeys.arrived(ByteBuffer.wrap(message.getBody()));
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        endToEnd.phase(1, 60_000_000_000L);
        Bench.say("first");
        endToEnd.phase(Bench.number(options, "warm-up", 0), PATIENCE_NS);
        Bench.sayAndWait("ready");

        int count = Bench.number(options, "count", 0);
        long started = System.nanoTime();
        Phase measured = endToEnd.phase(count, PATIENCE_NS);
        double seconds = (System.nanoTime() - started) / 1e9;
        Bench.sayAndWait("done");
        // What was sent counts, not what came back: the broker has it.
        measured.print(seconds, endToEnd.sent - measured.successes());
        consumer.shutdown();
        producer.shutdown();
    }

    /** Sends so many, each at its time or as soon as the one before is acknowledged, and waits until all have come. */
    private Phase phase(int count, long patienceNs) throws Exception {
        Journeys journeys = new Journeys(count);
        this.journeys = journeys;
        long started = System.nanoTime();
        for (int ticket = 0; ticket < count; ticket++) {
            for (long left; (left = started + ticket * periodNs - System.nanoTime()) > 0; ) {
                LockSupport.parkNanos(left);
            }
            try {
                producer.send(new Message(topic, journeys.leaves(ticket, length)));
                sent++;
            } catch (Exception error) {
                journeys.phase.failed(error);
            }
        }
        long deadline = System.nanoTime() + patienceNs;
        while (journeys.arrived.get() < count && System.nanoTime() < deadline) {
            LockSupport.parkNanos(200_000);
        }
        for (int missing = count - journeys.phase.successes(); missing > 0; missing--) {
            journeys.phase.failed(new Exception("a message did not come"));
        }
        return journeys.phase;
    }

    /** When the messages of a phase were sent. */
    private static final class Journeys {
        final Phase phase;
        /** Tells this phase's messages from those of others and of earlier runs. */
        private final long mark = System.nanoTime() ^ ProcessHandle.current().pid() << 40;
        private final AtomicLongArray sentAt;
        final AtomicInteger arrived = new AtomicInteger();

        Journeys(int count) {
            phase = new Phase(count, 3600);
            sentAt = new AtomicLongArray(count);
        }

        byte[] leaves(int ticket, int length) {
            byte[] body = ByteBuffer.allocate(length).putLong(mark).putInt(ticket).array();
            sentAt.set(ticket, System.nanoTime());
            return body;
        }

        void arrived(ByteBuffer body) {
            if (body.getLong() == mark) {
                int ticket = body.getInt();
                phase.succeeded(ticket, sentAt.get(ticket));
                arrived.incrementAndGet();
            }
        }
    }
}
