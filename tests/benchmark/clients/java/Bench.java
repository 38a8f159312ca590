// Apache RocketMQ's Java client under the contract of all clients here: see tests/benchmark/README.md.

import java.io.PrintStream;
import java.util.HashMap;
import java.util.Map;

final class Bench {
    /** The program's output; whatever else prints to standard output lands on standard error. */
    private static final PrintStream OUT = System.out;

    private Bench() {}

    public static void main(String[] args) throws Exception {
        System.setOut(System.err);
        Map<String, String> options = new HashMap<>();
        for (int i = 1; i + 1 < args.length; i += 2) {
            options.put(args[i].substring(2), args[i + 1]);
        }
        switch (args[0]) {
            case "produce" -> Produce.run(options);
            case "drain" -> Drain.run(options);
            case "consume" -> Consume.run(options);
            case "end-to-end" -> EndToEnd.run(options);
            default -> throw new IllegalArgumentException(args[0]);
        }
        // Java's client leaves threads behind after some failures.
        System.exit(0);
    }

    static int number(Map<String, String> options, String name, int otherwise) {
        return Integer.parseInt(options.getOrDefault(name, String.valueOf(otherwise)));
    }

    static void say(String word) {
        OUT.println(word);
        OUT.flush();
    }

    static void sayAndWait(String word) throws Exception {
        say(word);
        int read;
        do {
            read = System.in.read();
        } while (read != '\n' && read != -1);
    }
}
