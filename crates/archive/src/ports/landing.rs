//! Where our own SFTP server writes uploads. On AWS, Transfer Family does this and the port is not used.
//!
//! A file is *partial* from its first open until it was closed, and *whole* after. Only whole files are objects of the
//! upload store (key `USER/NAME`); a partial one, whatever ended it, stays at its durable size and can be resumed.

use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandingEntry {
    /// File name without any prefix; one path part.
    pub name: String,
    pub size_bytes: u64,
    pub modified: i64,
    pub whole: bool,
}

/// Room where uploads land.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LandingSpace {
    pub total_bytes: u64,
    pub free_bytes: u64,
}

/// How a file is opened for writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenMode {
    /// Make it if it does not exist (else `NotFound`).
    pub create: bool,
    /// `Conflict` if it exists.
    pub exclusive: bool,
    /// Begin from nothing; otherwise what is there stays and is written over or behind.
    pub truncate: bool,
}

#[async_trait]
pub trait Landing: Send + Sync {
    /// The user's files by name. A home that was never used is empty.
    async fn list(&self, user: &str) -> Result<Vec<LandingEntry>>;
    async fn stat(&self, user: &str, name: &str) -> Result<Option<LandingEntry>>;
    /// Opens the file for writing; a whole file becomes partial again. One writer a file: `Conflict` for a second.
    async fn open(&self, user: &str, name: &str, mode: OpenMode) -> Result<Box<dyn LandingFile>>;
    /// Renames within the home; whole stays whole, partial stays partial. `Conflict` if `to` exists and `replace` is not
    /// set, or if either of the two is being written.
    async fn rename(&self, user: &str, from: &str, to: &str, replace: bool) -> Result<()>;
    /// False if it was not there. `Conflict` while it is being written.
    async fn remove(&self, user: &str, name: &str) -> Result<bool>;
    /// Reads back at most `limit` bytes; empty at the end.
    async fn read(&self, user: &str, name: &str, offset: u64, limit: usize) -> Result<Bytes>;
    async fn space(&self) -> Result<LandingSpace>;
    /// Removes, in every home, the partial files that were last changed before this Unix second and have no writer;
    /// answers how many.
    async fn expire(&self, before: i64) -> Result<u64>;
}

/// A file that is being written. Dropped without `close`, it stays partial.
#[async_trait]
pub trait LandingFile: Send + Sync {
    /// Writes at any offset; blocks may come out of order or twice.
    async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<()>;
    async fn set_size(&mut self, size_bytes: u64) -> Result<()>;
    /// Where the file ends now, gaps included.
    async fn size(&self) -> Result<u64>;
    /// Makes what was written so far durable.
    async fn sync(&mut self) -> Result<()>;
    /// Makes the file durable and whole. A hole that was never written reads as zeros.
    async fn close(self: Box<Self>) -> Result<()>;
}
