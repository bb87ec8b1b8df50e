package shilu.peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/**
 * Confluent framing over Avro, with the ids of schemas/ids.lock.json.
 *
 * <p>Not thread-safe: each processor has its own, so that decoder, encoder and buffer are reused.
 */
final class Wire {
    private static final int BYTES_MAX = 16 * 1024;
    private static final int FRAME_BYTES = 5;
    // Off by default in Avro 1.12.
    private static final GenericData DATA = new GenericData().setFastReaderEnabled(true);

    private final Map<Integer, Message> byId = new HashMap<>();
    private final Map<String, Message> byName = new HashMap<>();
    private final ByteArrayOutputStream out = new ByteArrayOutputStream(1024);
    private BinaryDecoder decoder;
    private BinaryEncoder encoder;

    /** One Avro file, ready to be read and written. */
    private record Message(Schema schema, byte[] frame, Kind kind,
            GenericDatumReader<GenericRecord> reader, GenericDatumWriter<GenericRecord> writer) {}

    /** Bytes that may not enter: a reason code, and what was found. */
    static final class Barred extends Exception {
        final String code;

        Barred(String code, String detail) {
            super(detail, null, false, false);
            this.code = code;
        }
    }

    /** Reads every schema of the lock file in this folder. */
    Wire(Path folder) throws IOException {
        JsonNode lock = new ObjectMapper().readTree(folder.resolve("ids.lock.json").toFile());
        for (Map.Entry<String, JsonNode> entry : lock.properties()) {
            String title = entry.getKey();
            // A parser each: the files define the same nested names again.
            Path file = folder.resolve("avro").resolve(title + ".avsc");
            Schema schema = new Schema.Parser().parse(file.toFile());
            int id = entry.getValue().get("id").asInt();
            byte[] frame = ByteBuffer.allocate(FRAME_BYTES).put((byte) 0).putInt(id).array();
            Message message = new Message(schema, frame, new Kind(schema),
                    new GenericDatumReader<>(schema, schema, DATA),
                    new GenericDatumWriter<>(schema));
            byId.put(id, message);
            byName.put(title.substring(0, title.lastIndexOf(".v")), message);
        }
    }

    Schema schema(String name) {
        return byName.get(name).schema;
    }

    /** Framed bytes to a fact; refuses what the contract does not know and trailing bytes. */
    Kind.Fact fact(byte[] value) throws Barred {
        if (value == null || value.length < FRAME_BYTES || value[0] != 0) {
            throw new Barred("bad_framing", (value == null ? 0 : value.length) + " bytes");
        }
        if (value.length > BYTES_MAX) {
            throw new Barred("oversized", value.length + " bytes");
        }
        int id = ByteBuffer.wrap(value).getInt(1);
        Message message = byId.get(id);
        if (message == null || message.kind.topic == null) {
            throw new Barred("unknown_schema", "id " + id);
        }
        return message.kind.new Fact(read(message, value));
    }

    /** The record in framed bytes of this name. */
    GenericRecord decode(String name, byte[] value) throws Barred {
        return read(byName.get(name), value);
    }

    private GenericRecord read(Message message, byte[] value) throws Barred {
        int length = value.length - FRAME_BYTES;
        decoder = DecoderFactory.get().binaryDecoder(value, FRAME_BYTES, length, decoder);
        GenericRecord record;
        boolean isEnd;
        try {
            record = message.reader.read(null, decoder);
            isEnd = decoder.isEnd();
        } catch (IOException | RuntimeException error) {
            throw new Barred("undecodable", error.getClass().getSimpleName());
        }
        if (!isEnd) {
            throw new Barred("not_canonical", "bytes after the end");
        }
        return record;
    }

    byte[] encode(String name, GenericRecord record) {
        Message message = byName.get(name);
        out.reset();
        out.writeBytes(message.frame);
        // Straight into the array: a buffer in between would only be copied.
        encoder = EncoderFactory.get().directBinaryEncoder(out, encoder);
        try {
            message.writer.write(record, encoder);
        } catch (IOException impossible) {
            throw new IllegalStateException(impossible);
        }
        return out.toByteArray();
    }

    static GenericData.EnumSymbol symbol(Schema schema, String field, String name) {
        return new GenericData.EnumSymbol(schema.getField(field).schema(), name);
    }
}
