-- What the seal is about: the exact bytes of each posting, whose hash is its leaf, and every signed
-- checkpoint. Postings have their bytes here so that a trail can be checked without Kafka.

ALTER TABLE posting ${on_cluster}
  ADD COLUMN IF NOT EXISTS value String CODEC(ZSTD(3)) COMMENT 'the posting''s bytes as sealed';

CREATE TABLE IF NOT EXISTS checkpoint ${on_cluster} (
  partition Int64 CODEC(ZSTD(1)),
  offset Int64 CODEC(Delta, ZSTD(1)) COMMENT 'in ledger.checkpoints',
  recorded_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)) COMMENT 'the record''s Kafka timestamp',
  origin LowCardinality(String) COMMENT 'name of the log',
  size Int64 CODEC(Delta, ZSTD(1)) COMMENT 'postings below this index are sealed',
  root String CODEC(NONE) COMMENT 'RFC 6962 root hash, 32 bytes',
  note String CODEC(ZSTD(1)) COMMENT 'the signed note as it came',
  PROJECTION heads (SELECT partition, max(offset) GROUP BY partition)
) ENGINE = ${engine}
ORDER BY (partition, size, offset)
SETTINGS index_granularity = 2048, ${dedup_window} = 10000,
  deduplicate_merge_projection_mode = 'rebuild',
  fsync_after_insert = 1, fsync_part_directory = 1;
