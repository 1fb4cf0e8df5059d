//! Folders and placements.

use archive::{
    Error, Flags, FolderPath, MailHash, MailboxAddress, PlacementKey,
    ports::{FolderCount, Scope},
};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::{
    database::Work,
    json::{limit as sql_limit, names, parsed},
};

const FOLDER: i64 = 2;

/// Makes the folders and their parents; answers how many were new.
pub(super) fn create_folders(tx: &Transaction<'_>, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Work<u64> {
    let mut made = 0;
    for path in paths.iter().flat_map(FolderPath::with_parents) {
        made += u64::from(create(tx, &Scope::Folder(mailbox.clone(), path))?);
    }
    Ok(made)
}

/// Adds the keys to the scope; answers how many hashes were new to it.
pub(super) fn place(tx: &Transaction<'_>, run: &str, scope: &Scope, keys: &[PlacementKey]) -> Work<u64> {
    if !matches!(scope, Scope::Folder(..)) {
        create(tx, scope)?;
    }
    let id = find(tx, scope)?.ok_or_else(|| Error::not_found(format!("{scope} does not exist")))?;
    let first_time =
        tx.prepare_cached("INSERT OR IGNORE INTO run (scope, name) VALUES (?1, ?2)")?.execute(params![id, run])?;
    if first_time == 0 {
        return Ok(0);
    }
    let mut insert =
        tx.prepare_cached("INSERT OR IGNORE INTO placement (scope, rank, hash, flags) VALUES (?1, ?2, ?3, ?4)")?;
    let mut unite = tx.prepare_cached(
        "UPDATE placement SET flags = flags | ?4
         WHERE scope = ?1 AND rank = ?2 AND hash = ?3 AND flags | ?4 != flags",
    )?;
    let mut added = 0_i64;
    for key in keys {
        // Most are new: these cost one statement.
        let placement = params![id, rank(key.date), key.hash.0, key.flags.0];
        if insert.execute(placement)? > 0 {
            added += 1;
        } else {
            unite.execute(placement)?;
        }
    }
    tx.prepare_cached("UPDATE scope SET mails = mails + ?2 WHERE id = ?1")?.execute([id, added])?;
    Ok(added.cast_unsigned())
}

/// Takes mails out of the scope, `limit` at most; answers how many.
pub(super) fn clear(tx: &Transaction<'_>, scope: &Scope, limit: usize) -> Work<u64> {
    let Some(id) = find(tx, scope)? else { return Ok(0) };
    tx.prepare_cached("DELETE FROM run WHERE scope = ?1")?.execute([id])?;
    let mut select =
        tx.prepare_cached("SELECT rank, hash FROM placement WHERE scope = ?1 ORDER BY rank, hash LIMIT 1 OFFSET ?2")?;
    let last = select
        .query_row([id, sql_limit(limit.max(1) - 1)], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?)));
    let cleared = match last.optional()? {
        Some((rank, hash)) => tx
            .prepare_cached("DELETE FROM placement WHERE scope = ?1 AND (rank, hash) <= (?2, ?3)")?
            .execute(params![id, rank, hash])?,
        None => tx.prepare_cached("DELETE FROM placement WHERE scope = ?1")?.execute([id])?,
    };
    let cleared = i64::try_from(cleared).unwrap_or(i64::MAX);
    tx.prepare_cached("UPDATE scope SET mails = mails - ?2 WHERE id = ?1")?.execute([id, cleared])?;
    Ok(cleared.cast_unsigned())
}

/// The next keys of the scope.
pub(super) fn page(
    tx: &Transaction<'_>,
    scope: &Scope,
    after: Option<&PlacementKey>,
    limit: usize,
) -> Work<Vec<PlacementKey>> {
    let Some(id) = find(tx, scope)? else { return Ok(Vec::new()) };
    // Every key comes after the least rank with the empty hash.
    let (from, hash) = after.map_or((i64::MIN, &[][..]), |key| (rank(key.date), &key.hash.0));
    let mut select = tx.prepare_cached(
        "SELECT rank, hash, flags FROM placement WHERE scope = ?1 AND (rank, hash) > (?2, ?3)
         ORDER BY rank, hash LIMIT ?4",
    )?;
    let keys = select.query_map(params![id, from, hash, sql_limit(limit)], key)?.collect::<Result<_, _>>()?;
    Ok(keys)
}

/// How many mails the scope holds; none if there is no such scope.
pub(super) fn count(tx: &Transaction<'_>, scope: &Scope) -> Work<u64> {
    let (kind, mailbox, path) = columns(scope);
    let mut select = tx.prepare_cached("SELECT mails FROM scope WHERE mailbox = ?2 AND kind = ?1 AND path = ?3")?;
    let mails = select.query_row(params![kind, mailbox, path], |row| row.get::<_, i64>(0)).optional()?;
    Ok(mails.unwrap_or(0).cast_unsigned())
}

/// The folders of a mailbox in order of their paths.
pub(super) fn folders(tx: &Transaction<'_>, mailbox: &MailboxAddress) -> Work<Vec<FolderCount>> {
    let mut select = tx.prepare_cached("SELECT path, mails FROM scope WHERE mailbox = ?1 AND kind = ?2")?;
    let mut rows = select.query(params![mailbox.folded(), FOLDER])?;
    let mut folders = Vec::new();
    while let Some(row) = rows.next()? {
        let path = parsed("a folder", row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        folders.push(FolderCount { path, mails: row.get::<_, i64>(1)?.cast_unsigned() });
    }
    folders.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(folders)
}

/// How many folders the mailbox has. The index answers it, without their paths.
pub(super) fn count_folders(tx: &Transaction<'_>, mailbox: &MailboxAddress) -> Work<u64> {
    let mut select = tx.prepare_cached("SELECT count(*) FROM scope WHERE mailbox = ?1 AND kind = ?2")?;
    let folders: i64 = select.query_row(params![mailbox.folded(), FOLDER], |row| row.get(0))?;
    Ok(folders.cast_unsigned())
}

/// Which of these folders the mailbox has.
pub(super) fn has_folders(tx: &Transaction<'_>, mailbox: &MailboxAddress, paths: &[FolderPath]) -> Work<Vec<bool>> {
    let mut select = tx.prepare_cached("SELECT 1 FROM scope WHERE mailbox = ?1 AND kind = ?2 AND path = ?3")?;
    let mut there = Vec::with_capacity(paths.len());
    for path in paths {
        there.push(select.exists(params![mailbox.folded(), FOLDER, names(&path.0)])?);
    }
    Ok(there)
}

/// Mails that have a row and do not lie in the list of all.
pub(super) fn unlisted(tx: &Transaction<'_>, limit: usize) -> Work<Vec<MailHash>> {
    let mut select = tx.prepare_cached(
        "SELECT hash FROM message WHERE NOT EXISTS
             (SELECT 1 FROM placement
              WHERE scope = ?1 AND rank = coalesce(~message.message_date, ?2) AND hash = message.hash)
         LIMIT ?3",
    )?;
    let bounds = params![find(tx, &Scope::All)?, rank(None), sql_limit(limit)];
    let hashes = select.query_map(bounds, |row| Ok(MailHash(row.get(0)?)))?.collect::<Result<_, _>>()?;
    Ok(hashes)
}

/// Mails that lie in some list under another date than that of their row.
pub(super) fn misplaced(tx: &Transaction<'_>, limit: usize) -> Work<Vec<MailHash>> {
    let mut select = tx.prepare_cached(
        "SELECT DISTINCT placement.hash FROM placement JOIN message
             ON substr(message.hash, 1, 8) = substr(placement.hash, 1, 8) AND message.hash = placement.hash
         WHERE placement.rank != coalesce(~message.message_date, ?1)
         LIMIT ?2",
    )?;
    let bounds = params![rank(None), sql_limit(limit)];
    let hashes = select.query_map(bounds, |row| Ok(MailHash(row.get(0)?)))?.collect::<Result<_, _>>()?;
    Ok(hashes)
}

/// The placements of these mails in the scope.
pub(super) fn placed(tx: &Transaction<'_>, scope: &Scope, keys: &[PlacementKey]) -> Work<Vec<Option<PlacementKey>>> {
    let Some(id) = find(tx, scope)? else { return Ok(vec![None; keys.len()]) };
    let mut select =
        tx.prepare_cached("SELECT rank, hash, flags FROM placement WHERE scope = ?1 AND rank = ?2 AND hash = ?3")?;
    let mut placed = Vec::with_capacity(keys.len());
    for asked in keys {
        placed.push(select.query_row(params![id, rank(asked.date), asked.hash.0], key).optional()?);
    }
    Ok(placed)
}

/// True if it was new.
fn create(tx: &Transaction<'_>, scope: &Scope) -> Work<bool> {
    let (kind, mailbox, path) = columns(scope);
    let mut insert = tx.prepare_cached("INSERT OR IGNORE INTO scope (kind, mailbox, path) VALUES (?1, ?2, ?3)")?;
    Ok(insert.execute(params![kind, mailbox, path])? > 0)
}

fn find(tx: &Transaction<'_>, scope: &Scope) -> Work<Option<i64>> {
    let (kind, mailbox, path) = columns(scope);
    let mut select = tx.prepare_cached("SELECT id FROM scope WHERE mailbox = ?2 AND kind = ?1 AND path = ?3")?;
    Ok(select.query_row(params![kind, mailbox, path], |row| row.get(0)).optional()?)
}

/// Kind, mailbox, path.
fn columns(scope: &Scope) -> (i64, &str, String) {
    match scope {
        Scope::All => (0, "", String::new()),
        Scope::Mailbox(mailbox) => (1, mailbox.folded(), String::new()),
        Scope::Folder(mailbox, path) => (FOLDER, mailbox.folded(), names(&path.0)),
    }
}

/// Numbers that sort as dates are shown; see [`PlacementKey`].
fn rank(date: Option<i64>) -> i64 {
    date.map_or(i64::MAX, |date| !date)
}

fn key(row: &Row<'_>) -> rusqlite::Result<PlacementKey> {
    let rank: i64 = row.get(0)?;
    let date = (rank != i64::MAX).then_some(!rank);
    Ok(PlacementKey { date, hash: MailHash(row.get(1)?), flags: Flags(row.get(2)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_sort_as_keys_do() {
        let dates = [Some(i64::MAX), Some(5), Some(0), Some(-1), Some(i64::MIN + 1), None];
        assert!(dates.map(rank).is_sorted());
        let bytes = |date| PlacementKey { date, hash: MailHash([0; 32]), flags: Flags::default() }.sort_bytes();
        assert!(dates.map(bytes).is_sorted());
    }
}
