// What a push consumer's handler counts: when the first message came, and when as many had come as are wanted.

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

final class Consumption {
    /** When nothing has come for so long, nothing will: messages that a client sends back return after 10 s. */
    private static final int PATIENCE_SECONDS = 30;

    private final int wanted;
    private final AtomicInteger seen = new AtomicInteger();
    private final CountDownLatch first = new CountDownLatch(1);
    private final CountDownLatch all = new CountDownLatch(1);
    private volatile long firstAt;
    private volatile long lastAt;

    Consumption(int wanted) {
        this.wanted = wanted;
    }

    void arrived(int messages) {
        int before = seen.getAndAdd(messages);
        if (before == 0) {
            firstAt = System.nanoTime();
            first.countDown();
        }
        if (before < wanted && before + messages >= wanted) {
            lastAt = System.nanoTime();
            all.countDown();
        }
    }

    void awaitFirst() throws Exception {
        if (!first.await(60, TimeUnit.SECONDS)) {
            throw new Exception("no message came");
        }
    }

    /** Waits for as many as are wanted, for so long at the most, and no longer than something comes. */
    void awaitAll(int seconds) throws Exception {
        int before = -1;
        for (int waited = 0, idle = 0; waited < seconds && idle < PATIENCE_SECONDS; waited++) {
            if (all.await(1, TimeUnit.SECONDS)) {
                return;
            }
            int now = seen.get();
            idle = now == before ? idle + 1 : 0;
            before = now;
        }
    }

    void print() {
        int count = seen.get();
        boolean isAll = all.getCount() == 0;
        double seconds = ((isAll ? lastAt : System.nanoTime()) - firstAt) / 1e9;
        Bench.say(String.format(
                java.util.Locale.ROOT,
                "{\"succeeded\":%d,\"failed\":%d,\"first_failure\":%s,\"seconds\":%.6f,"
                        + "\"p50_us\":0,\"p99_us\":0,\"total\":%d}",
                Math.min(count, wanted), Math.max(0, wanted - count),
                isAll ? "null" : "\"messages are missing\"", seconds, count));
    }
}
