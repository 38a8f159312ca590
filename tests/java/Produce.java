// Sends messages with Java's producer, one by one or as one batch, and prints what the broker said of each.

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.message.Message;

final class Produce {
    private Produce() {}

    /**
     * Sends count messages, their tags and sizes in turn, each awaited; a compressed one is compressed however short
     * it is, and with NONE none is however long.
     */
    static void each(
            String nameServer, String topic, int count, String tags, Map<String, String> options, Lines lines)
            throws Exception {
        DefaultMQProducer producer = producer(nameServer);
        if (options.containsKey("compress")) {
            String type = options.get("compress");
            boolean none = type.equals("NONE");
            producer.setCompressMsgBodyOverHowmuch(none ? Integer.MAX_VALUE : 1);
            producer.setCompressType(CompressionType.of(none || type.isEmpty() ? "ZLIB" : type));
        }
        producer.start();
        try {
            String[] tag = tags.split(",");
            for (int i = 0; i < count; i++) {
                Message message = message(topic, tag[i % tag.length], i, options);
                byte[] body = message.getBody();
                print(lines, message, body, producer.send(message));
            }
        } finally {
            producer.shutdown();
        }
    }

    /** Sends count messages in one request. The answer names all their ids in one string, with commas between. */
    static void batch(String nameServer, String topic, int count, Lines lines) throws Exception {
        DefaultMQProducer producer = producer(nameServer);
        producer.start();
        try {
            List<Message> messages = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                messages.add(message(topic, "batch", i, Map.of()));
            }
            SendResult result = producer.send(messages);
            String[] ids = result.getMsgId().split(",");
            String[] offsetIds = result.getOffsetMsgId().split(",");
            for (int i = 0; i < count; i++) {
                Message message = messages.get(i);
                lines.print(fields(message, message.getBody(), result, ids[i], offsetIds[i], result.getQueueOffset() + i));
            }
        } finally {
            producer.shutdown();
        }
    }

    private static DefaultMQProducer producer(String nameServer) {
        DefaultMQProducer producer = new DefaultMQProducer("crossing-producer");
        producer.setNamesrvAddr(nameServer);
        producer.setInstanceName(Crossing.uniqueName());
        producer.setSendMsgTimeout(Crossing.TIMEOUT_MILLIS);
        producer.setMqClientApiTimeout(Crossing.TIMEOUT_MILLIS);
        return producer;
    }

    private static Message message(String topic, String tag, int number, Map<String, String> options) {
        boolean unicode = options.containsKey("unicode");
        String text = (unicode ? "Grüße, 消息 \uD83D\uDE80 " : "message ") + number;
        String[] sizes = options.getOrDefault("body-size", "0").split(",");
        int size = Integer.parseInt(sizes[number % sizes.length]);
        String key = (unicode ? "schlüssel-" : "key-") + number;
        Message message = new Message(topic, tag, key + " every", body(text, size, options.containsKey("noise")));
        message.putUserProperty(unicode ? "größe" : "size", unicode ? "klein 小" : "small");
        if (unicode) {
            message.putUserProperty("消息 \uD83D\uDE80", "\"值=1;2\" \\/\n\t\uD83D\uDE80");
        }
        if (options.containsKey("delay")) {
            message.setDelayTimeLevel(Integer.parseInt(options.get("delay")));
        }
        return message;
    }

    /** The text, or so many bytes of it or of what no compression shortens. */
    private static byte[] body(String text, int size, boolean noise) {
        if (size == 0) {
            return text.getBytes(StandardCharsets.UTF_8);
        }
        byte[] body = new byte[size];
        if (noise) {
            new Random(size).nextBytes(body);
            return body;
        }
        byte[] once = (text + " ").getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < size; i++) {
            body[i] = once[i % once.length];
        }
        return body;
    }

    private static void print(Lines lines, Message message, byte[] body, SendResult result) {
        lines.print(
                fields(message, body, result, result.getMsgId(), result.getOffsetMsgId(), result.getQueueOffset()));
    }

    private static Map<String, Object> fields(
            Message message, byte[] body, SendResult result, String id, String offsetId, long queueOffset) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("messageId", id);
        fields.put("offsetMessageId", offsetId);
        fields.put("queueId", result.getMessageQueue().getQueueId());
        fields.put("queueOffset", queueOffset);
        fields.put("status", result.getSendStatus().name());
        fields.put("keys", message.getKeys());
        fields.put("tags", message.getTags());
        fields.put("bodyHex", Lines.hex(body));
        fields.put("properties", new TreeMap<>(message.getProperties()));
        return fields;
    }
}
