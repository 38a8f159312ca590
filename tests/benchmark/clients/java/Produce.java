// Sends messages: with so many threads each of which awaits its own, or asynchronously with so many in flight.

import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.Semaphore;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;

final class Produce {
    private final DefaultMQProducer producer;
    private final String topic;
    private final byte[] body;

    private Produce(DefaultMQProducer producer, String topic, byte[] body) {
        this.producer = producer;
        this.topic = topic;
        this.body = body;
    }

    static void run(Map<String, String> options) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("benchmark");
        producer.setNamesrvAddr(options.get("name-server"));
        producer.start();
        byte[] body = new byte[Bench.number(options, "body", 128)];
        Arrays.fill(body, (byte) 'a');
        Produce produce = new Produce(producer, options.get("topic"), body);
        produce.awaited();
        Bench.say("first");

        int inFlight = Bench.number(options, "in-flight", 1);
        String style = options.getOrDefault("style", "awaited");
        Phase warmUp = new Phase(Bench.number(options, "warm-up", 0), Bench.number(options, "warm-up-seconds", 3600));
        produce.phase(warmUp, inFlight, style);
        int before = 1 + warmUp.successes();
        Bench.sayAndWait("ready");

        Phase measured = new Phase(Bench.number(options, "count", 0), 3600);
        long started = System.nanoTime();
        produce.phase(measured, inFlight, style);
        double seconds = (System.nanoTime() - started) / 1e9;
        Bench.sayAndWait("done");
        measured.print(seconds, before);
        producer.shutdown();
    }

    private void phase(Phase phase, int inFlight, String style) throws Exception {
        if (style.equals("async")) {
            async(phase, inFlight);
            return;
        }
        Thread[] threads = new Thread[inFlight];
        for (int i = 0; i < inFlight; i++) {
            threads[i] = new Thread(() -> each(phase, style.equals("oneway")));
            threads[i].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
    }

    private void each(Phase phase, boolean oneway) {
        for (int ticket = phase.next(); ticket >= 0; ticket = phase.next()) {
            long started = System.nanoTime();
            try {
                if (oneway) {
                    producer.sendOneway(message());
                } else {
                    awaited();
                }
                phase.succeeded(ticket, started);
            } catch (Exception error) {
                phase.failed(error);
            }
        }
    }

    private void async(Phase phase, int inFlight) throws Exception {
        Semaphore permits = new Semaphore(inFlight);
        for (int next = phase.next(); next >= 0; next = phase.next()) {
            int ticket = next;
            permits.acquire();
            long started = System.nanoTime();
            try {
                producer.send(message(), new SendCallback() {
                    @Override
                    public void onSuccess(SendResult result) {
                        try {
                            check(result);
                            phase.succeeded(ticket, started);
                        } catch (Exception error) {
                            phase.failed(error);
                        }
                        permits.release();
                    }

                    @Override
                    public void onException(Throwable error) {
                        phase.failed(error);
                        permits.release();
                    }
                });
            } catch (Exception error) {
                phase.failed(error);
                permits.release();
            }
        }
        permits.acquire(inFlight);
    }

    private void awaited() throws Exception {
        check(producer.send(message()));
    }

    private static void check(SendResult result) throws Exception {
        if (result.getSendStatus() != SendStatus.SEND_OK) {
            throw new Exception(result.getSendStatus().name());
        }
    }

    private Message message() {
        return new Message(topic, body);
    }
}
