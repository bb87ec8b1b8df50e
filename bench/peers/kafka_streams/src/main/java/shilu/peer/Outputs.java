package shilu.peer;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericData.EnumSymbol;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.util.Utf8;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** Postings, accounts and quarantine entries in the contract's own schemas. */
final class Outputs {
    private static final long DAY_MICROS = 86_400_000_000L;
    private static final long CHINA_MICROS = 8L * 3_600_000_000L;
    private static final int KEPT_BYTES_MAX = 64 * 1024;
    private static final Utf8 POLICY = new Utf8("default@0");
    private static final int SEQUENCE = 1;
    private static final int BALANCE_MINUTES = 2;

    private final Wire wire;
    private final Schema posting;
    private final Schema line;
    private final Schema account;
    private final Schema total;
    private final Schema page;
    private final Map<String, EnumSymbol> outcomes;
    private final EnumSymbol service;
    private final EnumSymbol manual;
    private final EnumSymbol effective;
    private final EnumSymbol totalKind;
    private final EnumSymbol totalState;

    /** What came of an event: outcome, reason, and the one line it may have. */
    record Result(String outcome, String reason, GenericRecord line, int minutes) {
        static final Result POSTED = new Result("posted", null, null, 0);
        static final Result DUPLICATE = new Result("duplicate", "duplicate_event", null, 0);
        static final Result CONFLICT = new Result("refused", "event_id_conflict", null, 0);
    }

    /** A volunteer's account: the plain fields of an Account record. */
    record Account(long sequence, long balanceMinutes) {
        static final Account NEW = new Account(0, 0);
    }

    Outputs(Wire wire) {
        this.wire = wire;
        posting = wire.schema("Posting");
        line = posting.getField("lines").schema().getElementType();
        account = wire.schema("Account");
        total = account.getField("totals").schema().getElementType();
        page = account.getField("pages").schema().getElementType();
        outcomes = posting.getField("outcome").schema().getEnumSymbols().stream()
                .collect(Collectors.toMap(
                        name -> name, name -> Wire.symbol(posting, "outcome", name)));
        service = Wire.symbol(line, "kind", "service");
        manual = Wire.symbol(line, "kind", "manual");
        effective = Wire.symbol(line, "state", "effective");
        totalKind = Wire.symbol(total, "kind", "service");
        totalState = Wire.symbol(total, "state", "effective");
    }

    /** The line that takes a session or grant from its minutes so far to these. */
    GenericRecord line(Session session, Object id, boolean grant, int minutes) {
        int day = (int) Math.floorDiv(session.start + CHINA_MICROS, DAY_MICROS);
        Utf8[] place = session.place;
        return filled(line, 1, grant ? null : id, grant ? id : null, place[0], place[1], place[2],
                place[3].getByteLength() == 0 ? null : place[3], place[4], day, minutes,
                grant ? manual : service, effective, POLICY);
    }

    /**
     * The posting of an event. Its index is the source offset, not a dense count: that would cost
     * a further state record per event.
     */
    byte[] posting(Kind.Fact fact, Object volunteerId, Account after, RecordMetadata source,
            long recordedAt, Result result) {
        List<GenericRecord> lines = result.line() == null ? List.of() : List.of(result.line());
        return wire.encode("Posting", filled(posting, source.partition(), source.offset(),
                source.topic(), source.partition(), source.offset(), fact.eventId(),
                fact.kind().name, volunteerId, after.sequence(), fact.occurredAt(), recordedAt,
                fact.actorId(), 0L, outcomes.get(result.outcome()), result.reason(), lines,
                after.balanceMinutes()));
    }

    /** The account record: totals, and the last offset of the topic that changed it last. */
    byte[] account(Object volunteerId, Account now, RecordMetadata source) {
        ByteBuffer offset = ByteBuffer.allocate(Long.BYTES).putLong(0, source.offset());
        return wire.encode("Account", filled(account, volunteerId, now.sequence(),
                now.balanceMinutes(),
                List.of(filled(total, totalKind, totalState, now.balanceMinutes())),
                now.sequence(), List.of(), List.of(filled(page, source.topic(), offset))));
    }

    /** What `account` wrote. */
    Account read(byte[] framed) {
        if (framed == null) {
            return Account.NEW;
        }
        try {
            GenericRecord record = wire.decode("Account", framed);
            return new Account((Long) record.get(SEQUENCE), (Long) record.get(BALANCE_MINUTES));
        } catch (Wire.Barred corrupt) {
            throw new IllegalStateException(corrupt);
        }
    }

    byte[] quarantined(byte[] key, byte[] value, RecordMetadata source, long recordedAt,
            String reason, String detail) {
        return wire.encode("Quarantined", filled(wire.schema("Quarantined"), source.topic(),
                source.partition(), source.offset(), recordedAt, reason, detail, cut(key),
                cut(value), value == null ? 0 : value.length));
    }

    private static ByteBuffer cut(byte[] bytes) {
        return bytes == null ? null
                : ByteBuffer.wrap(bytes, 0, Math.min(bytes.length, KEPT_BYTES_MAX));
    }

    private static GenericRecord filled(Schema schema, Object... values) {
        GenericRecord record = new GenericData.Record(schema);
        for (int i = 0; i < values.length; i++) {
            record.put(i, values[i]);
        }
        return record;
    }
}
