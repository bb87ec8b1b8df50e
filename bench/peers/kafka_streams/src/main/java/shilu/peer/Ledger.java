package shilu.peer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.CRC32C;
import org.apache.avro.util.Utf8;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.processor.api.FixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.TimestampedKeyValueStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;

/**
 * One input record -> one posting and the account as it is then, or an entry in quarantine.
 *
 * <p>Simpler than the worker: a session is worth the whole minutes from its earliest check-in to
 * its earliest check-out. No overlap is counted once, no day is split, no catalogue or policy is
 * asked, no tick closes anything, and what decodes is not encoded again to compare the bytes.
 */
final class Ledger implements FixedKeyProcessor<byte[], byte[], byte[]> {
    private static final Utf8 NOBODY = new Utf8();
    private static final Outputs.Result NOTHING_DUE =
            new Outputs.Result("posted", "nothing_due", null, 0);
    private static final Outputs.Result GRANT_EXISTS =
            new Outputs.Result("refused", "grant_exists", null, 0);

    private final int partitions;
    private final Wire wire;
    private final Outputs outputs;
    private FixedKeyProcessorContext<byte[], byte[]> context;
    private KeyValueStore<byte[], byte[]> seen;
    private KeyValueStore<byte[], byte[]> sessions;
    private TimestampedKeyValueStore<byte[], byte[]> accounts;

    Ledger(Path schemas, int partitions) {
        this.partitions = partitions;
        try {
            wire = new Wire(schemas);
        } catch (IOException unreadable) {
            throw new UncheckedIOException(unreadable);
        }
        outputs = new Outputs(wire);
    }

    @Override
    public void init(FixedKeyProcessorContext<byte[], byte[]> given) {
        context = given;
        seen = given.getStateStore(Job.SEEN);
        sessions = given.getStateStore(Job.SESSIONS);
        accounts = given.getStateStore(Job.ACCOUNTS);
    }

    @Override
    public void process(FixedKeyRecord<byte[], byte[]> record) {
        RecordMetadata source = context.recordMetadata().orElseThrow();
        try {
            take(record, wire.fact(record.value()), source);
        } catch (Wire.Barred fault) {
            byte[] entry = outputs.quarantined(record.key(), record.value(), source,
                    record.timestamp() * 1000, fault.code, fault.getMessage());
            context.forward(record.withValue(entry), Job.QUARANTINE);
        }
    }

    private void take(FixedKeyRecord<byte[], byte[]> record, Kind.Fact fact,
            RecordMetadata source) throws Wire.Barred {
        Kind kind = fact.kind();
        if (!source.topic().equals(kind.topic)) {
            throw new Wire.Barred("wrong_topic", kind.name);
        }
        if (kind.name.equals("ClockTicked")) {
            post(record, fact, NOBODY, Outputs.Account.NEW, source, NOTHING_DUE);
            return;
        }
        Utf8 volunteerId = fact.volunteerId();
        byte[] key = record.key();
        if (key == null || !volunteerId.equals(new Utf8(key))) {
            throw new Wire.Barred("wrong_key", volunteerId.toString());
        }
        byte[] found = ValueAndTimestamp.getValueOrNull(accounts.get(key));
        if (found == null && isAstray(key, source.partition())) {
            throw new Wire.Barred("wrong_partition", "partition " + source.partition());
        }
        Outputs.Account before = outputs.read(found);
        Outputs.Result result = apply(fact, key, record.value());
        Outputs.Account after = new Outputs.Account(
                before.sequence() + 1, before.balanceMinutes() + result.minutes());
        byte[] now = outputs.account(volunteerId, after, source);
        context.forward(record.withValue(now), Job.ACCOUNTS);
        post(record, fact, volunteerId, after, source, result);
    }

    private void post(FixedKeyRecord<byte[], byte[]> record, Kind.Fact fact, Utf8 volunteerId,
            Outputs.Account after, RecordMetadata source, Outputs.Result result) {
        byte[] posting = outputs.posting(
                fact, volunteerId, after, source, record.timestamp() * 1000, result);
        context.forward(record.withValue(posting), Job.POSTINGS);
    }

    /** A producer with another partitioner would split a volunteer's account in two. */
    private boolean isAstray(byte[] key, int partition) {
        return Utils.toPositive(Utils.murmur2(key)) % partitions != partition;
    }

    private Outputs.Result apply(Kind.Fact fact, byte[] key, byte[] value) {
        byte[] digest = digest(value);
        byte[] known = seen.putIfAbsent(joined(key, 'e', fact.eventId()), digest);
        if (known != null) {
            return Arrays.equals(known, digest)
                    ? Outputs.Result.DUPLICATE : Outputs.Result.CONFLICT;
        }
        return switch (fact.kind().name) {
            case "CheckedIn", "CheckedOut" -> attended(fact, key);
            case "HoursGranted" -> granted(fact, key);
            case "SessionVoided" -> voided(fact, key);
            default -> Outputs.Result.POSTED;
        };
    }

    private Outputs.Result attended(Kind.Fact fact, byte[] key) {
        byte[] sessionKey = joined(key, 's', fact.sessionId());
        Session session = Session.of(sessions.get(sessionKey));
        if (fact.kind().name.equals("CheckedIn")) {
            session.start = Math.min(session.start, fact.occurredAt());
        } else {
            session.end = Math.min(session.end, fact.occurredAt());
        }
        session.at(fact);
        return settled(session, sessionKey, fact.sessionId(), false);
    }

    private Outputs.Result granted(Kind.Fact fact, byte[] key) {
        byte[] grantKey = joined(key, 'g', fact.grantId());
        Session grant = Session.of(sessions.get(grantKey));
        if (grant.start != Session.NEVER) {
            return GRANT_EXISTS;
        }
        grant.start = fact.startAt();
        grant.end = fact.endAt();
        Utf8 second = fact.approverId();
        grant.signed = second != null && !second.equals(fact.actorId()) && fact.hasEvidence();
        grant.at(fact);
        return settled(grant, grantKey, fact.grantId(), true);
    }

    private Outputs.Result voided(Kind.Fact fact, byte[] key) {
        boolean isGrant = fact.grantId() != null;
        Utf8 id = isGrant ? fact.grantId() : fact.sessionId();
        byte[] sessionKey = joined(key, isGrant ? 'g' : 's', id == null ? NOBODY : id);
        Session session = Session.of(sessions.get(sessionKey));
        session.voided = true;
        return settled(session, sessionKey, id, isGrant);
    }

    private Outputs.Result settled(Session session, byte[] key, Utf8 id, boolean isGrant) {
        int change = session.worth() - session.minutes;
        session.minutes += change;
        sessions.put(key, session.bytes());
        if (change == 0) {
            return Outputs.Result.POSTED;
        }
        return new Outputs.Result(
                "posted", null, outputs.line(session, id, isGrant, change), change);
    }

    private static byte[] joined(byte[] volunteer, char kind, Utf8 id) {
        ByteBuffer out = ByteBuffer.allocate(volunteer.length + 2 + id.getByteLength());
        out.put(volunteer).put((byte) '/').put((byte) kind);
        return out.put(id.getBytes(), 0, id.getByteLength()).array();
    }

    private static byte[] digest(byte[] value) {
        CRC32C crc = new CRC32C();
        crc.update(value);
        return ByteBuffer.allocate(Integer.BYTES).putInt((int) crc.getValue()).array();
    }
}
