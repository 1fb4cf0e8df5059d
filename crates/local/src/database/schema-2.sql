-- What grows with the number of mails is written for each of them: half of a placement was an index by hashes, which no
-- statement needs (a key says where it lies), and of the index of mails eight bytes of a hash find as much as all 32.

DROP INDEX placement_hash;

CREATE TABLE message_2 (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL, -- each once, which the one that writes sees to
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
INSERT INTO message_2 SELECT * FROM message;
DROP TABLE message;
ALTER TABLE message_2 RENAME TO message;
CREATE INDEX message_hash ON message (substr(hash, 1, 8));
