-- Which numbered files this trail has had applied, and the SHA-256 of each as it was then.

CREATE TABLE IF NOT EXISTS schema_version ${on_cluster} (
  number Int64,
  name String,
  sha256 String,
  applied_at DateTime64(6, 'UTC')
) ENGINE = ${engine}
ORDER BY number
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
