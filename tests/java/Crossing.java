// The Java client on the other side of our tests: it sends what we pull and pulls what we send.
//
//   Crossing produce NAME_SERVER TOPIC COUNT TAG[,TAG...] [--compress[=ZLIB|LZ4|ZSTD|NONE]] [--body-size=N[,N...]]
//                    [--noise] [--unicode] [--delay=LEVEL]
//   Crossing batch   NAME_SERVER TOPIC COUNT
//   Crossing pull    NAME_SERVER TOPIC EXPRESSION
//   Crossing offset  NAME_SERVER TOPIC GROUP [--read]
//   Crossing consume NAME_SERVER TOPIC GROUP COUNT [--orderly] [--broadcast] [--tags=EXPRESSION] [--sql=EXPRESSION]
//                    [--fail-times=N] [--max-reconsume=N]
//   Crossing lite    NAME_SERVER TOPIC GROUP COUNT [--assign]
//
// A push consumer ends when it has been given COUNT messages; with 0 it first says that it has started, and ends when
// its standard input does.
//
// One line of JSON for each message or queue on standard output and nothing else. After an error: one line on
// standard error and the exit code 1.

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

public final class Crossing {
    /** Longer than any healthy call takes on a loaded machine. */
    static final int TIMEOUT_MILLIS = 20_000;

    public static void main(String[] arguments) {
        System.setProperty("rmq.logback.configurationFile", "quiet.xml");
        System.setProperty("rocketmq.client.logUseSlf4j", "false");
        // A group that has changed is shared anew at once, and not after 20 seconds.
        System.setProperty("rocketmq.client.rebalance.waitInterval", "1000");
        System.setProperty("rocketmq.client.rebalance.minInterval", "200");
        List<String> words = new ArrayList<>();
        Map<String, String> options = new HashMap<>();
        sort(arguments, words, options);
        int code = 0;
        try (Lines lines = new Lines()) {
            run(words, options, lines);
        } catch (Throwable error) {
            System.err.println("Crossing: " + String.valueOf(error).replaceAll("\\s+", " "));
            code = 1;
        }
        // Not a return: a client's left-over threads must not keep the process.
        System.exit(code);
    }

    private static void run(List<String> words, Map<String, String> options, Lines lines) throws Exception {
        boolean counts = !words.isEmpty() && List.of("produce", "consume", "lite").contains(words.get(0));
        if (words.size() < (counts ? 5 : 4)) {
            throw new IllegalArgumentException("too few arguments; Crossing.java says which there are");
        }
        switch (words.get(0)) {
            case "produce":
                Produce.each(words.get(1), words.get(2), Integer.parseInt(words.get(3)), words.get(4), options, lines);
                break;
            case "batch":
                Produce.batch(words.get(1), words.get(2), Integer.parseInt(words.get(3)), lines);
                break;
            case "pull":
                Pull.all(words.get(1), words.get(2), words.get(3), lines);
                break;
            case "offset":
                Offsets.each(words.get(1), words.get(2), words.get(3), options.containsKey("read"), lines);
                break;
            case "consume":
                Consume.push(words.get(1), words.get(2), words.get(3), Integer.parseInt(words.get(4)), options, lines);
                break;
            case "lite":
                Consume.lite(words.get(1), words.get(2), words.get(3), Integer.parseInt(words.get(4)), options, lines);
                break;
            default:
                throw new IllegalArgumentException("the first argument is none of those that Crossing.java names");
        }
    }

    /** "--name=value" and "--name" are options, "--body-size 10" too; the rest are words. */
    private static void sort(String[] arguments, List<String> words, Map<String, String> options) {
        for (int i = 0; i < arguments.length; i++) {
            if (!arguments[i].startsWith("--")) {
                words.add(arguments[i]);
                continue;
            }
            String[] option = arguments[i].substring(2).split("=", 2);
            if (option.length == 1 && option[0].equals("body-size") && i + 1 < arguments.length) {
                options.put(option[0], arguments[++i]);
            } else {
                options.put(option[0], option.length == 2 ? option[1] : "");
            }
        }
    }

    /** Two clients of one name in one process or on one machine would share connections and offsets. */
    static String uniqueName() {
        return "crossing-" + ProcessHandle.current().pid() + "-" + System.nanoTime();
    }
}
