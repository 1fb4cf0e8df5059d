//! Documents: compare-and-set on a version.

use archive::{
    Error,
    ports::{Document, Expect},
};
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::{
    database::Work,
    json::{limit as sql_limit, parsed},
};

/// So many expired documents are removed beside one that is written: faster than they can come, and never long.
const EXPIRED_AT_ONCE: i64 = 8;

pub(super) fn load(tx: &Transaction<'_>, partition: &str, id: &str) -> Work<Option<Document>> {
    let mut select = tx.prepare_cached("SELECT version, body FROM document WHERE partition = ?1 AND id = ?2")?;
    let found = select.query_row([partition, id], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).optional()?;
    found.map(|(version, body)| document(id.to_owned(), version, &body)).transpose()
}

pub(super) fn save(
    tx: &Transaction<'_>,
    partition: &str,
    id: &str,
    body: &str,
    expect: Expect,
    expires: Option<i64>,
) -> Work<u64> {
    let there = version(tx, partition, id)?;
    expected(partition, id, there, expect)?;
    let version = there.unwrap_or(0).saturating_add(1);
    let mut upsert = tx.prepare_cached(
        "INSERT INTO document (partition, id, version, expires, body) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET version = excluded.version, expires = excluded.expires, body = excluded.body",
    )?;
    upsert.execute(params![partition, id, version.cast_signed(), expires, body])?;
    Ok(version)
}

pub(super) fn list(tx: &Transaction<'_>, partition: &str, after: Option<&str>, limit: usize) -> Work<Vec<Document>> {
    // Every id comes after the empty one, but for the empty one itself.
    let mut select = tx.prepare_cached(match after {
        Some(_) => "SELECT id, version, body FROM document WHERE partition = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
        None => "SELECT id, version, body FROM document WHERE partition = ?1 AND id >= ?2 ORDER BY id LIMIT ?3",
    })?;
    let mut rows = select.query(params![partition, after.unwrap_or_default(), sql_limit(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(document(row.get(0)?, row.get(1)?, row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(found)
}

pub(super) fn remove(tx: &Transaction<'_>, partition: &str, id: &str, expect: Expect) -> Work<bool> {
    let Some(there) = version(tx, partition, id)? else { return Ok(false) };
    expected(partition, id, Some(there), expect)?;
    let mut delete = tx.prepare_cached("DELETE FROM document WHERE partition = ?1 AND id = ?2")?;
    Ok(delete.execute([partition, id])? > 0)
}

pub(super) fn remove_expired(tx: &Transaction<'_>, now: i64) -> Work<()> {
    let mut delete = tx.prepare_cached(
        "DELETE FROM document WHERE (partition, id) IN
         (SELECT partition, id FROM document WHERE expires < ?1 ORDER BY expires LIMIT ?2)",
    )?;
    delete.execute([now, EXPIRED_AT_ONCE])?;
    Ok(())
}

fn version(tx: &Transaction<'_>, partition: &str, id: &str) -> Work<Option<u64>> {
    let mut select = tx.prepare_cached("SELECT version FROM document WHERE partition = ?1 AND id = ?2")?;
    let version = select.query_row([partition, id], |row| row.get::<_, i64>(0)).optional()?;
    Ok(version.map(i64::cast_unsigned))
}

fn expected(partition: &str, id: &str, there: Option<u64>, expect: Expect) -> Work<()> {
    let fits = match expect {
        Expect::Anything => true,
        Expect::Absent => there.is_none(),
        Expect::Version(version) => there == Some(version),
    };
    if fits { Ok(()) } else { Err(Error::conflict(format!("{partition} {id} was changed meanwhile")).into()) }
}

fn document(id: String, version: i64, body: &str) -> Work<Document> {
    let body = parsed(&format!("document {id}"), body)?;
    Ok(Document { id, version: version.cast_unsigned(), body })
}
