//! Message rows: the first one counts, what comes later adds places and flags.

use std::collections::BTreeSet;

use archive::{EntryRef, Flags, ImportId, Location, MailHash, MessageRow, PackId, Place, ports::Recorded};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::{
    database::Work,
    json::{names, parsed},
};

/// Writes a row, new or known.
pub(super) fn record(tx: &Transaction<'_>, row: &MessageRow) -> Work<Recorded> {
    let (id, recorded) = match known(tx, &row.hash)? {
        Some(known) => {
            unite(tx, known.0, row)?;
            known
        }
        None => (insert(tx, row)?, answer(row)),
    };
    for path in &row.locations {
        let location = location(tx, path)?;
        tx.prepare_cached("INSERT OR IGNORE INTO message_location (message, location) VALUES (?1, ?2)")?
            .execute([id, location])?;
    }
    Ok(recorded)
}

pub(super) fn locate(tx: &Transaction<'_>, hash: &MailHash) -> Work<Option<MessageRow>> {
    let mut select = tx.prepare_cached(
        "SELECT id, size_bytes, pack, offset, stored_bytes, message_date, message_date_source, archive_date,
                import_date, first_import, first_entry, defects, subject, sender, message_id, flags
         FROM message WHERE substr(hash, 1, 8) = substr(?1, 1, 8) AND hash = ?1",
    )?;
    let found = select.query_row([&hash.0], |row| Ok((row.get(0)?, message(hash, row)?))).optional()?;
    let Some((id, mut row)) = found else { return Ok(None) };
    row.locations = locations(tx, id)?;
    Ok(Some(row))
}

/// Where the bytes lie, without all that makes a row long.
pub(super) fn place(tx: &Transaction<'_>, hash: &MailHash) -> Work<Option<Place>> {
    let mut select = tx.prepare_cached(
        "SELECT pack, offset, stored_bytes FROM message
         WHERE substr(hash, 1, 8) = substr(?1, 1, 8) AND hash = ?1",
    )?;
    let place = select.query_row([&hash.0], |row| {
        let unsigned = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
        Ok(Place { pack: PackId(row.get(0)?), offset: unsigned(1)?, stored_bytes: unsigned(2)? })
    });
    Ok(place.optional()?)
}

fn answer(row: &MessageRow) -> Recorded {
    Recorded { first: row.first.clone(), pack: row.pack.clone(), message_date: row.message_date }
}

fn known(tx: &Transaction<'_>, hash: &MailHash) -> Work<Option<(i64, Recorded)>> {
    let mut select = tx.prepare_cached(
        "SELECT id, first_import, first_entry, pack, message_date FROM message
         WHERE substr(hash, 1, 8) = substr(?1, 1, 8) AND hash = ?1",
    )?;
    let known = select.query_row([&hash.0], |row| {
        let first = EntryRef { import: ImportId(row.get(1)?), entry: row.get::<_, i64>(2)?.cast_unsigned() };
        Ok((row.get(0)?, Recorded { first, pack: PackId(row.get(3)?), message_date: row.get(4)? }))
    });
    Ok(known.optional()?)
}

fn unite(tx: &Transaction<'_>, id: i64, row: &MessageRow) -> Work<()> {
    // A mail that comes again as it was costs no write.
    let mut update = tx.prepare_cached(
        "UPDATE message SET flags = flags | ?2, defects = defects | ?3
         WHERE id = ?1 AND (flags | ?2 != flags OR defects | ?3 != defects)",
    )?;
    update.execute(params![id, row.flags.0, row.defects.cast_signed()])?;
    Ok(())
}

fn insert(tx: &Transaction<'_>, row: &MessageRow) -> Work<i64> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO message (hash, size_bytes, pack, offset, stored_bytes, message_date, message_date_source,
                archive_date, import_date, first_import, first_entry, defects, subject, sender, message_id, flags)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    let id = insert.insert(params![
        row.hash.0,
        row.size_bytes.cast_signed(),
        row.pack.0,
        row.offset.cast_signed(),
        row.stored_bytes.cast_signed(),
        row.message_date,
        row.message_date_source,
        row.archive_date,
        row.import_date,
        row.first.import.0,
        row.first.entry.cast_signed(),
        row.defects.cast_signed(),
        row.subject,
        row.from,
        row.message_id,
        row.flags.0,
    ])?;
    Ok(id)
}

/// The number of a location; it gets one if it has none.
fn location(tx: &Transaction<'_>, path: &Location) -> Work<i64> {
    let path = names(path);
    let mut select = tx.prepare_cached("SELECT id FROM location WHERE path = ?1")?;
    if let Some(id) = select.query_row([&path], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    Ok(tx.prepare_cached("INSERT INTO location (path) VALUES (?1)")?.insert([&path])?)
}

fn locations(tx: &Transaction<'_>, message: i64) -> Work<BTreeSet<Location>> {
    let mut select = tx.prepare_cached(
        "SELECT path FROM message_location JOIN location ON location.id = location WHERE message = ?1",
    )?;
    let mut rows = select.query([message])?;
    let mut locations = BTreeSet::new();
    while let Some(row) = rows.next()? {
        locations.insert(parsed("a location", row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?);
    }
    Ok(locations)
}

/// The row without its locations.
fn message(hash: &MailHash, row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    let unsigned = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
    Ok(MessageRow {
        hash: *hash,
        size_bytes: unsigned(1)?,
        pack: PackId(row.get(2)?),
        offset: unsigned(3)?,
        stored_bytes: unsigned(4)?,
        message_date: row.get(5)?,
        message_date_source: row.get(6)?,
        archive_date: row.get(7)?,
        import_date: row.get(8)?,
        first: EntryRef { import: ImportId(row.get(9)?), entry: unsigned(10)? },
        defects: unsigned(11)?,
        subject: row.get(12)?,
        from: row.get(13)?,
        message_id: row.get(14)?,
        locations: BTreeSet::new(),
        flags: Flags(row.get(15)?),
    })
}
