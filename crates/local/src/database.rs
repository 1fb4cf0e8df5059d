//! The SQLite file: connections, schema, errors.

use std::path::Path;

use archive::Result;

/// One SQLite file that this process alone writes: one writing connection, some that read.
#[derive(Debug)]
pub struct Database {}

impl Database {
    /// Opens the file and brings its schema up to date. `Invalid` if a newer version of this program wrote it,
    /// `Corrupt` if it is no database.
    pub fn open(path: &Path) -> Result<Self> {
        todo!()
    }

    /// What SQLite and our own counters find wrong in the file; empty if it is sound. Reads all of it.
    pub async fn faults(&self) -> Result<Vec<String>> {
        todo!()
    }
}
