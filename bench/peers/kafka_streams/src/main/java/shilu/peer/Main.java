package shilu.peer;

import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/**
 * Folds everything the fact topics hold at the start, exactly once, and ends.
 *
 * <p>Prints one JSON line: events, wall and CPU seconds and peak MB of the whole process.
 */
public final class Main {
    private static final long POLL_MILLIS = 100;
    private static final long CACHE_BYTES = 64L << 20;
    private static final int BUFFERED_RECORDS = 5_000;
    private static final int BATCH_BYTES = 256 << 10;
    private static final long PRODUCER_BYTES = 128L << 20;

    private Main() {}

    public static void main(String[] given) throws Exception {
        Map<String, String> asked = options(given);
        String bootstrap = asked.get("bootstrap");
        String appId = asked.get("app-id");
        Properties admins = new Properties();
        admins.put(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        boolean rocksdb = oneOf(asked, "store", "rocksdb", "memory");
        boolean cache = oneOf(asked, "cache", "on", "off");
        try (Admin admin = Admin.create(admins)) {
            Map<TopicPartition, Long> ends = ends(admin);
            int partitions = ends.size() / Job.FACTS.size();
            Job job = new Job(new Job.Options(rocksdb, cache));
            Properties config = config(asked, bootstrap, appId, cache);
            AtomicBoolean failed = new AtomicBoolean();
            Path schemas = Path.of(asked.get("schemas"));
            KafkaStreams streams = new KafkaStreams(job.topology(schemas, partitions), config);
            streams.setUncaughtExceptionHandler(error -> {
                error.printStackTrace();
                failed.set(true);
                return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            });
            streams.start();
            while (!done(admin, appId, ends)) {
                if (failed.get()) {
                    System.exit(1);
                }
                Thread.sleep(POLL_MILLIS);
            }
            report(ends.values().stream().mapToLong(Long::longValue).sum());
            streams.close(Duration.ofSeconds(20));
        }
    }

    private static Map<String, String> options(String[] given) {
        Map<String, String> asked = new HashMap<>();
        for (int i = 0; i + 1 < given.length; i += 2) {
            asked.put(given[i].substring("--".length()), given[i + 1]);
        }
        return asked;
    }

    /** Is an option the first of the two words it may be? The first is also its default. */
    private static boolean oneOf(Map<String, String> asked, String name, String yes, String no) {
        String given = asked.getOrDefault(name, yes);
        if (!given.equals(yes) && !given.equals(no)) {
            throw new IllegalArgumentException("--" + name + " is " + yes + " or " + no);
        }
        return given.equals(yes);
    }

    private static Properties config(
            Map<String, String> asked, String bootstrap, String appId, boolean cache) {
        Map<String, Object> settings = Map.ofEntries(
                Map.entry(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap),
                Map.entry(StreamsConfig.APPLICATION_ID_CONFIG, appId),
                Map.entry(StreamsConfig.STATE_DIR_CONFIG, asked.get("state-dir")),
                Map.entry(
                        StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2),
                Map.entry(
                        StreamsConfig.NUM_STREAM_THREADS_CONFIG,
                        asked.getOrDefault("threads", "2")),
                // Not the default of 100 ms, ten transactions a second: a posting may take 2 s.
                Map.entry(
                        StreamsConfig.COMMIT_INTERVAL_MS_CONFIG,
                        asked.getOrDefault("commit-ms", "1000")),
                Map.entry(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1),
                Map.entry(
                        StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, cache ? CACHE_BYTES : 0L),
                Map.entry(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, BUFFERED_RECORDS),
                Map.entry(
                        StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG),
                        BUFFERED_RECORDS),
                Map.entry(
                        StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG),
                        BATCH_BYTES),
                Map.entry(
                        StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG),
                        PRODUCER_BYTES));
        Properties config = new Properties();
        config.putAll(settings);
        return config;
    }

    private static Map<TopicPartition, Long> ends(Admin admin) throws Exception {
        Map<String, TopicDescription> topics =
                admin.describeTopics(Job.FACTS).allTopicNames().get();
        Map<TopicPartition, OffsetSpec> wanted = new HashMap<>();
        topics.forEach((name, topic) -> topic.partitions().forEach(partition ->
                wanted.put(new TopicPartition(name, partition.partition()), OffsetSpec.latest())));
        return admin.listOffsets(wanted).all().get().entrySet().stream()
                .collect(Collectors.toMap(Map.Entry::getKey, entry -> entry.getValue().offset()));
    }

    private static boolean done(Admin admin, String appId, Map<TopicPartition, Long> ends)
            throws Exception {
        Map<TopicPartition, OffsetAndMetadata> committed;
        try {
            committed =
                    admin.listConsumerGroupOffsets(appId).partitionsToOffsetAndMetadata().get();
        } catch (ExecutionException notYet) {
            return false;
        }
        return ends.entrySet().stream().allMatch(end -> end.getValue() == 0
                || committed.get(end.getKey()) != null
                && committed.get(end.getKey()).offset() >= end.getValue());
    }

    private static void report(long events) throws Exception {
        var system = (com.sun.management.OperatingSystemMXBean)
                ManagementFactory.getOperatingSystemMXBean();
        double wall = ManagementFactory.getRuntimeMXBean().getUptime() / 1e3;
        double cpu = system.getProcessCpuTime() / 1e9;
        System.out.printf(
                "{\"events\": %d, \"wall_seconds\": %.3f, \"cpu_seconds\": %.3f, "
                        + "\"peak_mb\": %d}%n",
                events, wall, cpu, peakMb());
    }

    private static long peakMb() throws Exception {
        Path status = Path.of("/proc/self/status");
        if (!Files.exists(status)) {
            return Runtime.getRuntime().totalMemory() >> 20;
        }
        return Files.readAllLines(status).stream().filter(line -> line.startsWith("VmHWM"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) >> 10).findFirst()
                .orElse(0);
    }
}
