-- The vault's one file. Whatever a person is known by is sealed under a key of their own, which is
-- here only wrapped by the master key, in a file elsewhere.

CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE person (
  volunteer_id TEXT PRIMARY KEY,
  document_hash BLOB NOT NULL UNIQUE,
  wrapped_key BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE field (
  volunteer_id TEXT NOT NULL,
  name TEXT NOT NULL,
  sealed BLOB NOT NULL,
  PRIMARY KEY (volunteer_id, name)
) STRICT, WITHOUT ROWID;

-- Each entry is the bytes of a VaultAccessed event as they are published.
CREATE TABLE log (
  entry_no INTEGER PRIMARY KEY,
  volunteer_id TEXT NOT NULL,
  value BLOB NOT NULL
) STRICT;
CREATE INDEX log_of ON log (volunteer_id, entry_no);
CREATE TRIGGER log_keeps BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'log'); END;
CREATE TRIGGER log_stays BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'log'); END;

-- Salt and words of an entry's reason, under the person's key: they go when the person goes.
CREATE TABLE reason (
  entry_no INTEGER PRIMARY KEY,
  volunteer_id TEXT NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX reason_of ON reason (volunteer_id);

-- Events not acknowledged yet, in their order.
CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, value BLOB NOT NULL) STRICT;

-- Who is to be wiped, and who has been.
CREATE TABLE erasure (volunteer_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE erased (volunteer_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
