-- Looks into the vault of personal data (registry.access) stand beside the questions asked of this
-- trail. Rows of the log have its place; those of questions have partition -1 and offset -1.

ALTER TABLE access_log ${on_cluster}
  ADD COLUMN IF NOT EXISTS partition Int64 DEFAULT -1,
  ADD COLUMN IF NOT EXISTS offset Int64 DEFAULT -1 COMMENT 'in registry.access',
  ADD COLUMN IF NOT EXISTS recorded_at DateTime64(6, 'UTC') DEFAULT asked_at
    COMMENT 'the record''s Kafka timestamp',
  ADD COLUMN IF NOT EXISTS volunteer_id String COMMENT 'whose personal data';

ALTER TABLE access_log ${on_cluster} MODIFY SETTING ${dedup_window} = 10000;
