// What came of a phase of so many messages, filled by all threads at once.

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;

final class Phase {
    final int count;
    final AtomicInteger tickets = new AtomicInteger();
    private final long deadline;
    /** Nanoseconds by ticket; 0 is none. */
    private final int[] latencies;
    private final AtomicInteger failures = new AtomicInteger();
    private volatile String firstFailure;

    Phase(int count, long limitSeconds) {
        this.count = count;
        this.deadline = System.nanoTime() + limitSeconds * 1_000_000_000L;
        this.latencies = new int[count];
    }

    /** The number of the next message, -1 when there are enough. */
    int next() {
        int ticket = tickets.getAndIncrement();
        if (ticket % 64 == 0 && System.nanoTime() - deadline > 0) {
            tickets.set(count);
            return -1;
        }
        return ticket < count ? ticket : -1;
    }

    void succeeded(int ticket, long since) {
        latencies[ticket] = (int) Math.max(1, Math.min(System.nanoTime() - since, Integer.MAX_VALUE));
    }

    void failed(Throwable error) {
        if (failures.getAndIncrement() == 0) {
            firstFailure = String.valueOf(error);
        }
    }

    int successes() {
        return (int) Arrays.stream(latencies).filter(ns -> ns > 0).count();
    }

    void print(double seconds, int before) {
        int[] sorted = Arrays.stream(latencies).filter(ns -> ns > 0).sorted().toArray();
        String failure = firstFailure == null ? "null" : '"' + firstFailure.replaceAll("[^ -!#-\\[\\]-~]", " ") + '"';
        Bench.say(String.format(
                java.util.Locale.ROOT,
                "{\"succeeded\":%d,\"failed\":%d,\"first_failure\":%s,\"seconds\":%.6f,"
                        + "\"p50_us\":%.1f,\"p99_us\":%.1f,\"total\":%d}",
                sorted.length, failures.get(), failure, seconds,
                percentile(sorted, 50), percentile(sorted, 99), before + sorted.length));
    }

    private static double percentile(int[] sorted, int percent) {
        return sorted.length == 0 ? 0 : sorted[(int) ((long) sorted.length * percent / 100)] / 1000.0;
    }
}
