package shilu.peer;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The topology: three fact topics -> the ledger -> postings, accounts, quarantine.
 *
 * <p>Stores: an event id is kept for ever under volunteer/event, a session under volunteer/session,
 * and an account under its volunteer. Ids inside the account would make every event cost as much as
 * the volunteer's history is long. The accounts are a table of the DSL, because its cache sends
 * each touched account downstream once per commit; the ledger reads the same table.
 */
final class Job {
    static final String SEEN = "seen";
    static final String SESSIONS = "sessions";
    static final String ACCOUNTS = "accounts";
    static final String POSTINGS = "postings";
    static final String QUARANTINE = "quarantine";
    static final List<String> FACTS =
            List.of("service.checkins", "service.hours", "service.evaluations");

    private static final String LEDGER = "ledger";
    private static final Serde<byte[]> BYTES = Serdes.ByteArray();

    /** How the state is kept. */
    record Options(boolean rocksdb, boolean cache) {}

    private final Options options;

    Job(Options options) {
        this.options = options;
    }

    Topology topology(Path schemas, int partitions) {
        StreamsBuilder builder = new StreamsBuilder();
        // Never in the cache: each id is written once, and would push out what is written again.
        builder.addStateStore(store(SEEN).withCachingDisabled());
        builder.addStateStore(cached(store(SESSIONS)));
        KStream<byte[], byte[]> facts = builder.stream(FACTS, Consumed.with(BYTES, BYTES));
        KStream<byte[], byte[]> out = facts.processValues(
                () -> new Ledger(schemas, partitions), Named.as(LEDGER), SEEN, SESSIONS);
        Produced<byte[], byte[]> bytes = Produced.with(BYTES, BYTES);
        out.to("ledger.postings", bytes.withName(POSTINGS));
        out.to("ledger.quarantine", bytes.withName(QUARANTINE));
        Materialized<byte[], byte[], KeyValueStore<Bytes, byte[]>> table =
                Materialized.<byte[], byte[]>as(supplier(ACCOUNTS))
                        .withKeySerde(BYTES).withValueSerde(BYTES);
        out.toTable(Named.as(ACCOUNTS),
                        options.cache() ? table.withCachingEnabled() : table.withCachingDisabled())
                .toStream().to("ledger.accounts", bytes.withName("ledger-accounts"));
        Topology topology = builder.build();
        return topology.connectProcessorAndStateStores(LEDGER, ACCOUNTS);
    }

    private KeyValueBytesStoreSupplier supplier(String name) {
        return options.rocksdb()
                ? Stores.persistentTimestampedKeyValueStore(name)
                : Stores.inMemoryKeyValueStore(name);
    }

    private StoreBuilder<KeyValueStore<byte[], byte[]>> store(String name) {
        KeyValueBytesStoreSupplier supplier = options.rocksdb()
                ? Stores.persistentKeyValueStore(name) : Stores.inMemoryKeyValueStore(name);
        return Stores.keyValueStoreBuilder(supplier, BYTES, BYTES).withLoggingEnabled(Map.of());
    }

    private <T extends StateStore> StoreBuilder<T> cached(
            StoreBuilder<T> builder) {
        return options.cache() ? builder.withCachingEnabled() : builder.withCachingDisabled();
    }
}
