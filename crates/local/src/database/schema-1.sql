-- Texts compare by their UTF-8 bytes. Times are Unix seconds. Numbers without sign are kept with their bits as they are.

CREATE TABLE document (
    partition TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires INTEGER,
    body TEXT NOT NULL, -- JSON
    PRIMARY KEY (partition, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_expires ON document (expires) WHERE expires IS NOT NULL;

-- With row ids: rows are wide, and a tree of wide rows by random keys is slow.
CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    size_bytes INTEGER NOT NULL,
    pack TEXT NOT NULL,
    offset INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    message_date INTEGER,
    message_date_source TEXT,
    archive_date INTEGER,
    import_date INTEGER NOT NULL,
    first_import TEXT NOT NULL,
    first_entry INTEGER NOT NULL,
    defects INTEGER NOT NULL,
    subject TEXT,
    sender TEXT,
    message_id TEXT,
    flags INTEGER NOT NULL
) STRICT;

CREATE TABLE location (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE -- JSON array of names
) STRICT;

CREATE TABLE message_location (
    message INTEGER NOT NULL REFERENCES message (id),
    location INTEGER NOT NULL REFERENCES location (id),
    PRIMARY KEY (message, location)
) STRICT, WITHOUT ROWID;

CREATE TABLE scope (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,  -- 0 all mails, 1 a mailbox, 2 a folder
    mailbox TEXT NOT NULL,  -- folded address
    path TEXT NOT NULL,     -- of a folder: JSON array of names
    mails INTEGER NOT NULL DEFAULT 0,
    UNIQUE (mailbox, kind, path)
) STRICT;

CREATE TABLE placement (
    scope INTEGER NOT NULL REFERENCES scope (id),
    rank INTEGER NOT NULL,  -- the date with all bits turned: latest first; the largest number for an unknown date
    hash BLOB NOT NULL,
    flags INTEGER NOT NULL,
    PRIMARY KEY (scope, rank, hash)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX placement_hash ON placement (scope, hash);

-- Batches of placements that were added.
CREATE TABLE run (
    scope INTEGER NOT NULL REFERENCES scope (id),
    name TEXT NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL,     -- JSON
    state INTEGER NOT NULL, -- 0 waiting, 1 in hand, 2 given up, 3 set aside
    due INTEGER NOT NULL,
    lease INTEGER,          -- in hand: milliseconds of the boot clock of the process that took it
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT
) STRICT;
CREATE UNIQUE INDEX job_waiting ON job (body) WHERE state = 0;
CREATE INDEX job_due ON job (state, due);

CREATE TABLE schedule (
    id TEXT PRIMARY KEY,
    job TEXT NOT NULL,      -- JSON
    every_minutes INTEGER NOT NULL,
    enabled INTEGER NOT NULL,
    next_run INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
