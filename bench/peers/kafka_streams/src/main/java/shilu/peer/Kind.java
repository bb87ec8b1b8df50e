package shilu.peer;

import java.util.Collection;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.util.Utf8;

/** A kind of fact: its topic, and where its fields stand, looked up once and not per record. */
final class Kind {
    static final int PLACES = 5;

    private static final int NONE = -1;
    private static final Map<String, String> TOPIC_OF = Map.of(
            "CheckedIn", "service.checkins", "CheckedOut", "service.checkins",
            "ClockTicked", "service.checkins", "HoursGranted", "service.hours",
            "SessionVoided", "service.hours", "EvaluationSubmitted", "service.evaluations");
    private static final String[] PLACE = {
        "recording_org_id", "host_org_id", "project_id", "site_id", "activity_id"
    };

    final String name;
    final String topic;
    private final int eventId;
    private final int volunteerId;
    private final int sessionId;
    private final int grantId;
    private final int occurredAt;
    private final int startAt;
    private final int endAt;
    private final int actor;
    private final int approver;
    private final int evidence;
    private final int[] place = new int[PLACES];

    Kind(Schema schema) {
        name = schema.getName();
        topic = TOPIC_OF.get(name);
        eventId = position(schema, "event_id");
        volunteerId = position(schema, "volunteer_id");
        sessionId = position(schema, "session_id");
        grantId = position(schema, "grant_id");
        occurredAt = position(schema, "occurred_at");
        startAt = position(schema, "start_at");
        endAt = position(schema, "end_at");
        actor = position(schema, "actor");
        approver = position(schema, "approver");
        evidence = position(schema, "evidence");
        for (int i = 0; i < PLACES; i++) {
            place[i] = position(schema, PLACE[i]);
        }
    }

    private static int position(Schema schema, String field) {
        Schema.Field found = schema.getField(field);
        return found == null ? NONE : found.pos();
    }

    /** A decoded fact of this kind; what it does not have is null. */
    final class Fact {
        private final GenericRecord record;

        Fact(GenericRecord record) {
            this.record = record;
        }

        Kind kind() {
            return Kind.this;
        }

        Utf8 eventId() {
            return (Utf8) record.get(eventId);
        }

        Utf8 volunteerId() {
            return text(volunteerId);
        }

        Utf8 sessionId() {
            return text(sessionId);
        }

        Utf8 grantId() {
            return text(grantId);
        }

        long occurredAt() {
            return (Long) record.get(occurredAt);
        }

        long startAt() {
            return (Long) record.get(startAt);
        }

        long endAt() {
            return (Long) record.get(endAt);
        }

        Utf8 actorId() {
            return id(actor);
        }

        Utf8 approverId() {
            return id(approver);
        }

        boolean hasEvidence() {
            return !((Collection<?>) record.get(evidence)).isEmpty();
        }

        /** One of recording_org_id, host_org_id, project_id, site_id, activity_id. */
        Utf8 place(int number) {
            return text(place[number]);
        }

        private Utf8 text(int at) {
            return at == NONE ? null : (Utf8) record.get(at);
        }

        /** The first field of an Actor. */
        private Utf8 id(int at) {
            GenericRecord who = at == NONE ? null : (GenericRecord) record.get(at);
            return who == null ? null : (Utf8) who.get(0);
        }
    }
}
