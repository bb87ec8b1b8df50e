-- Ids that come again and again are kept once for each part and referred to by number: whoever sums over
-- them hashes numbers instead of texts. `line` is sorted by volunteer, so its volunteers do, too; those
-- of `event` are not. The values stay what they were, so a trail made before is altered in place.

ALTER TABLE line ${on_cluster}
  MODIFY COLUMN volunteer_id LowCardinality(String),
  MODIFY COLUMN recording_org_id LowCardinality(String),
  MODIFY COLUMN host_org_id LowCardinality(String),
  MODIFY COLUMN project_id LowCardinality(String),
  MODIFY COLUMN site_id LowCardinality(String),
  MODIFY COLUMN activity_id LowCardinality(String);

ALTER TABLE event ${on_cluster}
  MODIFY COLUMN activity_id LowCardinality(String),
  MODIFY COLUMN project_id LowCardinality(String),
  MODIFY COLUMN site_id LowCardinality(String),
  MODIFY COLUMN recording_org_id LowCardinality(String),
  MODIFY COLUMN host_org_id LowCardinality(String);
