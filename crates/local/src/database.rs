//! The SQLite file: connections, schema, errors.

mod faults;

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use archive::{Error, ErrorKind, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::{Lock, blocking::blocking, from_io};

/// Counted in `user_version`; each number has one step in [`migrate`].
const SCHEMA: i64 = 2;
const SCHEMA_1: &str = include_str!("database/schema-1.sql");
const SCHEMA_2: &str = include_str!("database/schema-2.sql");
/// Marks the file as ours (`application_id`): "PKhn".
const APPLICATION: i64 = 0x504B_686E;
/// Connections that wait for the next reader; more are opened when more read at once.
const IDLE_READERS: usize = 4;
/// Statements that a connection keeps prepared: all of ours.
const STATEMENTS: usize = 64;

/// One SQLite file that this process alone writes: one writing connection, some that read. Clones are the same file.
#[derive(Clone, Debug)]
pub struct Database {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// None once the file was closed.
    readers: Mutex<Option<Vec<Connection>>>,
    /// None once the file was closed. Dropped after the readers: the last connection folds the log into the file, and one
    /// that only reads cannot.
    writer: Mutex<Option<Connection>>,
    /// Nobody else may write the file as long as somebody here can.
    _lock: Option<Arc<Lock>>,
}

impl Database {
    /// Opens the file and brings its schema up to date. `Invalid` if a newer version of this program wrote it,
    /// `Corrupt` if it is no database of ours.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_under(path, None)
    }

    /// As [`Self::open`]; the lock is held for as long as the file is in use.
    pub(crate) fn open_under(path: &Path, lock: Option<Arc<Lock>>) -> Result<Self> {
        // Made here for its mode, which its log takes over: it holds subjects and senders.
        let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        made.map_err(|e| from_io(format_args!("catalogue {}", path.display()), e))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut writer = connect(path, flags).map_err(|e| from_sqlite(path, e))?;
        // FULL syncs the log at each commit: what was acknowledged survives a power cut. The log is folded into the file
        // at 64 MiB, because pages of an index change again and again; the writer keeps more pages, for it meets them all.
        let durable = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;
                       PRAGMA wal_autocheckpoint = 16384; PRAGMA journal_size_limit = 67108864;
                       PRAGMA cache_size = -32768;";
        writer.execute_batch(durable).map_err(|e| from_sqlite(path, e))?;
        // A step may put a new table in the place of one that others refer to.
        migrate(path, &mut writer)?;
        // What is changed or removed is written over with zeros: wrapped keys that were given up are not to be found in
        // free space. FAST would leave them in pages that become free. Only now, for a step may drop large tables.
        writer
            .execute_batch("PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;")
            .map_err(|e| from_sqlite(path, e))?;
        let inner = Inner {
            path: path.to_owned(),
            readers: Mutex::new(Some(Vec::new())),
            writer: Mutex::new(Some(writer)),
            _lock: lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What SQLite and our own counters find wrong in the file; empty if it is sound. Reads all of it.
    pub async fn faults(&self) -> Result<Vec<String>> {
        self.read(faults::faults).await
    }

    /// Ends all work on the file and folds its log into it. Whoever still holds it gets `Unavailable`; so does the
    /// caller if somebody else reads the file all the time, because then some of it is in the log alone. Blocks.
    pub(crate) fn close(&self) -> Result<()> {
        let readers = locked(&self.inner.readers).take();
        drop(readers);
        let Some(writer) = locked(&self.inner.writer).take() else { return Ok(()) };
        let fail = |e| from_sqlite(&self.inner.path, e);
        let fold = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy: bool = writer.query_row(fold, [], |row| row.get(0)).map_err(fail)?;
        writer.close().map_err(|(_, e)| fail(e))?;
        if is_busy {
            return Err(Error::unavailable(format!("catalogue {} is being read", self.inner.path.display())));
        }
        Ok(())
    }

    /// Runs the work in one transaction, durable when it returns, undone if the work fails.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Work<T> + Send + 'static,
    ) -> Result<T> {
        let db = self.clone();
        blocking(move || db.write_now(work)).await
    }

    /// As [`Self::write`]; blocks.
    pub(crate) fn write_now<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Work<T>) -> Result<T> {
        let mut writer = locked(&self.inner.writer);
        let writer = writer.as_mut().ok_or_else(closed)?;
        let done = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(Failure::Sqlite).and_then(
            |transaction| {
                let value = work(&transaction)?;
                transaction.commit()?;
                Ok(value)
            },
        );
        done.map_err(|failure| failure.into_error(&self.inner.path))
    }

    /// Runs the work on one state of the file, beside whoever writes.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Work<T> + Send + 'static,
    ) -> Result<T> {
        let db = self.clone();
        blocking(move || {
            let mut reader = db.reader()?;
            let done = reader.transaction().map_err(Failure::Sqlite).and_then(|transaction| work(&transaction));
            db.give_back(reader);
            done.map_err(|failure| failure.into_error(&db.inner.path))
        })
        .await
    }

    fn reader(&self) -> Result<Connection> {
        if let Some(idle) = locked(&self.inner.readers).as_mut().ok_or_else(closed)?.pop() {
            return Ok(idle);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        connect(&self.inner.path, flags).map_err(|e| from_sqlite(&self.inner.path, e))
    }

    fn give_back(&self, reader: Connection) {
        if let Some(readers) = locked(&self.inner.readers).as_mut().filter(|idle| idle.len() < IDLE_READERS) {
            readers.push(reader);
        }
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // 2 MiB of pages a connection; a damaged file is told, not trusted.
    connection.execute_batch("PRAGMA cache_size = -2048; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;")?;
    Ok(connection)
}

fn migrate(path: &Path, writer: &mut Connection) -> Result<()> {
    let fail = |e| from_sqlite(path, e);
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
    let number = |pragma| transaction.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(fail);
    let (version, application) = (number("user_version")?, number("application_id")?);
    let is_new = (version, application) == (0, 0) && number("schema_version")? == 0;
    if !is_new && application != APPLICATION {
        return Err(Error::corrupt(format!("{} is no catalogue of ours", path.display())));
    }
    if version > SCHEMA {
        let message = format!("catalogue {} has schema {version}, newer than this program's {SCHEMA}", path.display());
        return Err(Error::invalid(message).hint("use the version of postkahn that wrote it, or a later one"));
    }
    if version < 1 {
        transaction.execute_batch(SCHEMA_1).map_err(fail)?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(fail)?;
    }
    if version < 2 {
        transaction.execute_batch(SCHEMA_2).map_err(fail)?;
    }
    if version < SCHEMA {
        transaction.pragma_update(None, "user_version", SCHEMA).map_err(fail)?;
    }
    transaction.commit().map_err(fail)
}

/// What work inside a transaction answers.
pub(crate) type Work<T> = Result<T, Failure>;

/// Why a transaction is undone: SQLite failed, or the product says no.
#[derive(Debug)]
pub(crate) enum Failure {
    Sqlite(rusqlite::Error),
    Ours(Error),
}

impl Failure {
    fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Sqlite(error) => from_sqlite(path, error),
            Self::Ours(error) => error,
        }
    }
}
impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

fn from_sqlite(path: &Path, error: rusqlite::Error) -> Error {
    use rusqlite::Error as E;
    let (kind, hint) = match (&error, error.sqlite_error_code()) {
        (_, Some(ErrorCode::DiskFull)) => {
            (ErrorKind::Unavailable, Some("the disk is full: free some space and try again"))
        }
        (_, Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied)) => {
            (ErrorKind::Denied, Some("look at the owner and mode of the data folder"))
        }
        (_, Some(ErrorCode::CannotOpen)) => (ErrorKind::Denied, Some("look at the owner and mode of the data folder")),
        (
            _,
            // Our statements are fixed: where one does not fit (SQLITE_ERROR), the schema has changed.
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::SchemaChanged
                | ErrorCode::Unknown,
            ),
        )
        | (
            E::InvalidColumnType(..)
            | E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::Utf8Error(..)
            | E::SqlInputError { .. },
            _,
        ) => (ErrorKind::Corrupt, Some("run `postkahn rebuild` to make it anew from the objects")),
        (_, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::SystemIoFailure)) => {
            (ErrorKind::Unavailable, None)
        }
        _ => (ErrorKind::Internal, None),
    };
    let error = Error::new(kind, format!("catalogue {}", path.display())).caused_by(error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn closed() -> Error {
    Error::unavailable("the catalogue was closed")
}

/// A transaction that panicked was undone; the connection is sound.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_catalogue_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.sqlite");
        let db = Database::open(&path).unwrap();
        db.write_now(|tx| Ok(tx.pragma_update(None, "user_version", SCHEMA + 1)?)).unwrap();
        db.close().unwrap();
        assert_eq!(Database::open(&path).unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[tokio::test]
    async fn an_older_catalogue_keeps_what_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.sqlite");
        let rows = "INSERT INTO message VALUES (7, zeroblob(32), 1, 'p', 2, 3, 4, 'date', NULL, 5, 'i', 6, 0, 's', 'f', 'm', 1);
                    INSERT INTO location VALUES (3, '[\"a\"]');
                    INSERT INTO message_location VALUES (7, 3);
                    INSERT INTO scope VALUES (2, 0, '', '', 1);
                    INSERT INTO placement VALUES (2, -5, zeroblob(32), 1);";
        let old = Connection::open(&path).unwrap();
        old.execute_batch(SCHEMA_1).unwrap();
        old.pragma_update(None, "application_id", APPLICATION).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        old.execute_batch(rows).unwrap();
        drop(old);
        let db = Database::open(&path).unwrap();
        assert_eq!(db.faults().await.unwrap(), [""; 0]);
        let held = "SELECT count(*) FROM message JOIN message_location ON message = message.id
                    JOIN placement USING (hash) WHERE message.id = 7 AND subject = 's' AND placement.flags = 1";
        let count = |tx: &Transaction<'_>| Ok(tx.query_row(held, [], |row| row.get(0))?);
        assert_eq!(db.read::<i64>(count).await.unwrap(), 1);
        db.close().unwrap();
        Database::open(&path).unwrap();
    }

    #[tokio::test]
    async fn a_mail_with_two_rows_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(&dir.path().join("c.sqlite")).unwrap();
        let insert = |end: &str| {
            let row = format!(
                "INSERT INTO message SELECT NULL, CAST(zeroblob(8) || x'{end}' AS BLOB), 1, 'p', 2, 3, 4, NULL, NULL,
                 5, 'i', 6, 0, NULL, NULL, NULL, 1"
            );
            db.write_now(|tx| Ok(tx.execute_batch(&row)?)).unwrap();
        };
        insert("01");
        insert("02");
        assert_eq!(db.faults().await.unwrap(), [""; 0]);
        insert("02");
        assert_eq!(db.faults().await.unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_catalogue_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("text");
        std::fs::write(&text, "not a database at all, but long enough to have a header of its own ".repeat(40))
            .unwrap();
        assert_eq!(Database::open(&text).unwrap_err().kind(), ErrorKind::Corrupt);
        let other = dir.path().join("other");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
        assert_eq!(Database::open(&other).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(Database::open(&dir.path().join("no/such")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_closed_file_is_whole_and_answers_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.sqlite");
        let db = Database::open(&path).unwrap();
        assert_eq!(db.faults().await.unwrap(), [""; 0]);
        db.close().unwrap();
        db.close().unwrap();
        assert!(!dir.path().join("c.sqlite-wal").exists());
        assert_eq!(db.faults().await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(db.write_now(|_| Ok(())).unwrap_err().kind(), ErrorKind::Unavailable);
    }

    #[tokio::test]
    async fn a_file_that_was_dropped_has_no_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.sqlite");
        let db = Database::open(&path).unwrap();
        db.read(|_| Ok(())).await.unwrap();
        assert!(dir.path().join("c.sqlite-wal").exists());
        drop(db);
        assert!(!dir.path().join("c.sqlite-wal").exists());
    }

    #[test]
    fn what_was_removed_is_not_in_the_file_any_more() {
        const KEY: &str = "0123456789abcdef-a-wrapped-key";
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.sqlite");
        let db = Database::open(&path).unwrap();
        let run = |sql: &str| db.write_now(|tx| Ok(tx.execute_batch(sql)?)).unwrap();
        for at in 0..60 {
            // Some lie in pages of their own.
            let row = format!("'p', '{at:03}', 1, NULL, '{KEY}' || hex(zeroblob({}))", at % 3 * 1500);
            run(&format!("INSERT INTO document VALUES ({row})"));
        }
        run("UPDATE document SET body = 'ended' WHERE id < '040'");
        run("DELETE FROM document WHERE id >= '020'");
        drop(db);
        let log = dir.path().join("c.sqlite-wal");
        assert!(!log.exists());
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()));
    }

    #[tokio::test]
    async fn a_full_disk_loses_nothing_and_passes() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(&dir.path().join("c.sqlite")).unwrap();
        let insert = |body: String| {
            let sql = "INSERT INTO document (partition, id, version, body) VALUES ('p', hex(randomblob(8)), 1, ?1)";
            db.write_now(move |tx| Ok(tx.execute(sql, [body])?))
        };
        insert("before".into()).unwrap();
        let limit = |pages: i64| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            locked(&db.inner.writer).as_ref().unwrap().query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
        };
        // Never fewer than are in use.
        limit(1);
        let error = insert("x".repeat(1 << 20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.advice().unwrap().contains("disk is full"));
        limit(1 << 30);
        insert("after".into()).unwrap();
        let texts = |tx: &Transaction<'_>| Ok(tx.query_row("SELECT count(*) FROM document", [], |row| row.get(0))?);
        assert_eq!(db.read::<i64>(texts).await.unwrap(), 2);
        assert_eq!(db.faults().await.unwrap(), [""; 0]);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_denied() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(&dir.path().join("c.sqlite")).unwrap();
        locked(&db.inner.writer).as_ref().unwrap().execute_batch("PRAGMA query_only = ON").unwrap();
        let error = db.write_now(|tx| Ok(tx.execute_batch("DELETE FROM document")?)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.advice().is_some());
    }

    #[tokio::test]
    async fn counters_that_lie_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(&dir.path().join("c.sqlite")).unwrap();
        let sql = "INSERT INTO scope (kind, mailbox, path, mails) VALUES (1, 'a@b', '', 3)";
        db.write_now(|tx| Ok(tx.execute_batch(sql)?)).unwrap();
        assert_eq!(db.faults().await.unwrap().len(), 1);
    }
}
