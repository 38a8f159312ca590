// The program's output: one JSON object a line. Whatever else prints to standard output lands on standard error.

import com.alibaba.fastjson2.JSON;
import com.alibaba.fastjson2.JSONWriter;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;

final class Lines implements AutoCloseable {
    private final PrintStream out;

    Lines() {
        // Flushed line by line: who reads them may wait for each.
        out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err);
    }

    synchronized void print(Map<String, Object> fields) {
        out.println(JSON.toJSONString(fields, JSONWriter.Feature.WriteNulls));
    }

    @Override
    public void close() {
        out.flush();
    }

    static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder(bytes.length * 2);
        for (byte b : bytes) {
            text.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
        }
        return text.toString();
    }
}
