package shilu.peer;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.apache.avro.util.Utf8;

/**
 * A session or a grant: earliest check-in, earliest check-out, whether it is void, the minutes now
 * in the ledger, and the place that a later line must name. Times in microseconds.
 */
final class Session {
    static final long NEVER = Long.MAX_VALUE;
    private static final int FIXED_BYTES = 8 + 8 + 4 + 1;
    private static final Utf8 NONE = new Utf8("");

    long start = NEVER;
    long end = NEVER;
    int minutes;
    boolean voided;
    boolean signed = true;
    /** recording_org_id, host_org_id, project_id, site_id (empty: none), activity_id. */
    final Utf8[] place = new Utf8[Kind.PLACES];

    Session() {
        Arrays.fill(place, NONE);
    }

    /** A later line names the place of the latest fact. */
    void at(Kind.Fact fact) {
        for (int i = 0; i < place.length; i++) {
            Utf8 text = fact.place(i);
            place[i] = text == null ? NONE : text;
        }
    }

    /** Whole minutes it is worth: both ends known, in order, signed and not void. */
    int worth() {
        if (voided || !signed || start == NEVER || end == NEVER || end < start) {
            return 0;
        }
        return (int) ((end - start) / 60_000_000L);
    }

    static Session of(byte[] bytes) {
        Session session = new Session();
        if (bytes == null) {
            return session;
        }
        ByteBuffer in = ByteBuffer.wrap(bytes);
        session.start = in.getLong();
        session.end = in.getLong();
        session.minutes = in.getInt();
        byte flags = in.get();
        session.voided = (flags & 1) != 0;
        session.signed = (flags & 2) == 0;
        for (int i = 0; i < Kind.PLACES; i++) {
            byte[] text = new byte[in.getShort()];
            in.get(text);
            session.place[i] = new Utf8(text);
        }
        return session;
    }

    byte[] bytes() {
        int size = FIXED_BYTES + 2 * Kind.PLACES;
        for (Utf8 text : place) {
            size += text.getByteLength();
        }
        ByteBuffer out = ByteBuffer.allocate(size);
        out.putLong(start).putLong(end).putInt(minutes);
        out.put((byte) ((voided ? 1 : 0) | (signed ? 0 : 2)));
        for (Utf8 text : place) {
            out.putShort((short) text.getByteLength());
            out.put(text.getBytes(), 0, text.getByteLength());
        }
        return out.array();
    }
}
