//! What is wrong in the file.

use rusqlite::{Row, Transaction};

use super::Work;

/// SQLite names at most so many.
const MOST: usize = 100;

/// Pages, indexes and values as SQLite sees them, references, and the counters that we keep beside the rows.
pub(super) fn faults(tx: &Transaction<'_>) -> Work<Vec<String>> {
    let mut faults = texts(tx, "PRAGMA integrity_check", |row| row.get(0))?;
    faults.retain(|text| text != "ok");
    faults.extend(texts(tx, "PRAGMA foreign_key_check", |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("a row of {table} belongs to no {parent}"))
    })?);
    // No index keeps them apart.
    let doubles = "SELECT hex(hash) FROM message
                   WHERE substr(hash, 1, 8) IN
                       (SELECT substr(hash, 1, 8) FROM message GROUP BY substr(hash, 1, 8) HAVING count(*) > 1)
                   GROUP BY hash HAVING count(*) > 1";
    faults.extend(texts(tx, doubles, |row| {
        let hash: String = row.get(0)?;
        Ok(format!("mail {} has more than one row", hash.to_lowercase()))
    })?);
    let counters = "SELECT mailbox, path, mails, (SELECT count(*) FROM placement WHERE scope = scope.id) AS held
                    FROM scope WHERE mails != held";
    faults.extend(texts(tx, counters, |row| {
        let (mailbox, path): (String, String) = (row.get(0)?, row.get(1)?);
        let (mails, held): (i64, i64) = (row.get(2)?, row.get(3)?);
        Ok(format!("scope {mailbox:?} {path} counts {mails} mails and holds {held}"))
    })?);
    Ok(faults)
}

fn texts(tx: &Transaction<'_>, sql: &str, text: impl FnMut(&Row<'_>) -> rusqlite::Result<String>) -> Work<Vec<String>> {
    let mut statement = tx.prepare(sql)?;
    let texts = statement.query_map([], text)?.take(MOST).collect::<Result<_, _>>()?;
    Ok(texts)
}
