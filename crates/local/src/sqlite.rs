//! The catalogue in SQLite.

use std::sync::Arc;

use archive::ports::Clock;

use crate::Database;

/// Documents, message rows and placements. Every change is durable when it is acknowledged.
#[derive(Debug)]
pub struct Sqlite {
    db: Arc<Database>,
}

impl Sqlite {
    /// The clock is for removing expired documents only.
    pub fn new(db: Arc<Database>, clock: Arc<dyn Clock>) -> Self {
        todo!()
    }
    pub fn database(&self) -> &Database {
        &self.db
    }
}
