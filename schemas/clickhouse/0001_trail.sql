-- The audit trail: one row for each record of the log, each column a function of the log alone, so
-- that a trail built again from the log is the same trail. Append-only.
--
-- No PARTITION BY: an insert is atomic for one block of one table partition, and the sink's resume
-- rests on that. ${engine}, ${on_cluster} and ${dedup_window} are filled in when it is applied.
-- Times out of the years 2000 to 2199 are NULL, absent ids are '': the bytes beside them count.
-- The projections "heads" answer where a sink goes on without reading the table; they are written
-- with their part, so they cannot differ from it.

CREATE TABLE IF NOT EXISTS event ${on_cluster} (
  topic LowCardinality(String),
  partition Int64 CODEC(ZSTD(1)),
  offset Int64 CODEC(Delta, ZSTD(1)),
  recorded_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'the record''s Kafka timestamp',
  key Nullable(String) CODEC(ZSTD(1)),
  value Nullable(String) CODEC(ZSTD(3)) COMMENT 'the bytes as they came',
  type LowCardinality(String) COMMENT 'empty: the bytes do not decode, see fault',
  fault LowCardinality(String) COMMENT 'reason code of bytes that do not decode',
  event_id String CODEC(ZSTD(1)),
  volunteer_id String CODEC(ZSTD(1)),
  session_id String CODEC(ZSTD(1)),
  grant_id String CODEC(ZSTD(1)),
  evaluation_id String CODEC(ZSTD(1)),
  activity_id String CODEC(ZSTD(1)),
  project_id String CODEC(ZSTD(1)),
  site_id String CODEC(ZSTD(1)),
  shift_id String CODEC(ZSTD(1)),
  recording_org_id String CODEC(ZSTD(1)),
  host_org_id String CODEC(ZSTD(1)),
  evaluator_org_id String CODEC(ZSTD(1)),
  reason String CODEC(ZSTD(1)),
  occurred_at Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
  sent_at Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
  start_at Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
  end_at Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
  channel LowCardinality(String),
  device_id String CODEC(ZSTD(1)),
  app String CODEC(ZSTD(1)),
  offline Bool,
  actor_id String CODEC(ZSTD(1)),
  actor_role String CODEC(ZSTD(1)),
  actor_org_id String CODEC(ZSTD(1)),
  approver_id String CODEC(ZSTD(1)),
  approver_role String CODEC(ZSTD(1)),
  approver_org_id String CODEC(ZSTD(1)),
  evidence Array(String) CODEC(ZSTD(1)),
  INDEX of_event event_id TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX of_volunteer volunteer_id TYPE bloom_filter(0.01) GRANULARITY 1,
  PROJECTION heads (SELECT topic, partition, max(offset) GROUP BY topic, partition)
) ENGINE = ${engine}
ORDER BY (topic, partition, offset)
SETTINGS index_granularity = 512, ${dedup_window} = 10000,
  deduplicate_merge_projection_mode = 'rebuild',
  fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS posting ${on_cluster} (
  partition Int64 CODEC(ZSTD(1)),
  offset Int64 CODEC(Delta, ZSTD(1)) COMMENT 'in ledger.postings; transactions leave holes',
  posting_index Int64 CODEC(Delta, ZSTD(1)) COMMENT 'dense per partition',
  source_topic LowCardinality(String),
  source_partition Int64 CODEC(ZSTD(1)),
  source_offset Int64 CODEC(Delta, ZSTD(1)),
  event_id String CODEC(ZSTD(1)),
  event_type LowCardinality(String),
  volunteer_id String CODEC(ZSTD(1)),
  sequence Int64 CODEC(Delta, ZSTD(1)) COMMENT 'per volunteer from 1',
  occurred_at Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
  recorded_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'of the source record',
  actor_id String CODEC(ZSTD(1)),
  catalogue_offset Int64 CODEC(Delta, ZSTD(1)),
  outcome LowCardinality(String),
  reason LowCardinality(String),
  line_count Int64 CODEC(ZSTD(1)),
  balance_minutes Int64 CODEC(ZSTD(1)),
  INDEX of_event event_id TYPE bloom_filter(0.01) GRANULARITY 1,
  PROJECTION heads (
    SELECT partition, max(offset), count(), sum(posting_index), min(posting_index),
      argMax(posting_index, offset)
    GROUP BY partition
  )
) ENGINE = ${engine}
ORDER BY (volunteer_id, sequence, partition, offset)
SETTINGS index_granularity = 2048, ${dedup_window} = 10000,
  deduplicate_merge_projection_mode = 'rebuild',
  fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS line ${on_cluster} (
  partition Int64 CODEC(ZSTD(1)),
  offset Int64 CODEC(Delta, ZSTD(1)) COMMENT 'of the posting',
  posting_index Int64 CODEC(Delta, ZSTD(1)) COMMENT 'of the posting',
  line_no Int64 CODEC(ZSTD(1)),
  volunteer_id String CODEC(ZSTD(1)),
  sequence Int64 CODEC(Delta, ZSTD(1)) COMMENT 'of the posting',
  recorded_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'of the source record',
  session_id String CODEC(ZSTD(1)),
  grant_id String CODEC(ZSTD(1)),
  recording_org_id String CODEC(ZSTD(1)),
  host_org_id String CODEC(ZSTD(1)),
  project_id String CODEC(ZSTD(1)),
  site_id String CODEC(ZSTD(1)),
  activity_id String CODEC(ZSTD(1)),
  service_date Date32 CODEC(ZSTD(1)) COMMENT 'local day of the service place',
  minutes Int64 CODEC(ZSTD(1)) COMMENT 'signed difference',
  kind LowCardinality(String),
  state LowCardinality(String),
  policy LowCardinality(String),
  PROJECTION heads (SELECT partition, max(offset) GROUP BY partition)
) ENGINE = ${engine}
ORDER BY (volunteer_id, partition, offset, line_no)
SETTINGS index_granularity = 2048, ${dedup_window} = 10000,
  deduplicate_merge_projection_mode = 'rebuild',
  fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS quarantine ${on_cluster} (
  partition Int64 CODEC(ZSTD(1)),
  offset Int64 CODEC(Delta, ZSTD(1)) COMMENT 'in ledger.quarantine',
  source_topic LowCardinality(String),
  source_partition Int64 CODEC(ZSTD(1)),
  source_offset Int64 CODEC(Delta, ZSTD(1)),
  recorded_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'of the source record',
  reason LowCardinality(String),
  detail String CODEC(ZSTD(1)),
  key Nullable(String) CODEC(ZSTD(1)),
  value Nullable(String) CODEC(ZSTD(3)) COMMENT 'the original bytes, cut at 64 KiB',
  value_size Int64 CODEC(ZSTD(1)),
  PROJECTION heads (SELECT partition, max(offset) GROUP BY partition)
) ENGINE = ${engine}
ORDER BY (source_topic, source_partition, source_offset, partition, offset)
SETTINGS index_granularity = 2048, ${dedup_window} = 10000,
  deduplicate_merge_projection_mode = 'rebuild',
  fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS catalogue ${on_cluster} (
  partition Int64 CODEC(ZSTD(1)),
  offset Int64 CODEC(Delta, ZSTD(1)) COMMENT 'in registry.catalogue',
  recorded_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
  kind LowCardinality(String) COMMENT 'org, project, site, shift, policy, volunteer',
  entity_id String CODEC(ZSTD(1)),
  type LowCardinality(String),
  event_id String CODEC(ZSTD(1)),
  name String CODEC(ZSTD(1)),
  category String CODEC(ZSTD(1)) COMMENT 'kind of organisation, service field of a project',
  parent_id String CODEC(ZSTD(1)) COMMENT 'organisation above, owner, operator, or project',
  region String CODEC(ZSTD(1)),
  activity_id String CODEC(ZSTD(1)),
  site_id String CODEC(ZSTD(1)),
  policy_id String CODEC(ZSTD(1)),
  version Int64 CODEC(ZSTD(1)) COMMENT 'of a policy, otherwise 0',
  start_on Nullable(Date32) CODEC(ZSTD(1)) COMMENT 'first day, or effective_from',
  end_on Nullable(Date32) CODEC(ZSTD(1)),
  start_at Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
  end_at Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
  occurred_at Nullable(DateTime64(6, 'UTC')) CODEC(ZSTD(1)),
  actor_id String CODEC(ZSTD(1)),
  PROJECTION heads (SELECT partition, max(offset) GROUP BY partition)
) ENGINE = ${engine}
ORDER BY (kind, entity_id, partition, offset)
SETTINGS index_granularity = 2048, ${dedup_window} = 10000,
  deduplicate_merge_projection_mode = 'rebuild',
  fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS access_log ${on_cluster} (
  asked_at DateTime64(6, 'UTC') COMMENT 'wall clock: this table alone is no function of the log',
  asker String,
  question LowCardinality(String),
  arguments String COMMENT 'JSON'
) ENGINE = ${engine}
ORDER BY (asked_at, asker, question)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
