//! Faults in front of [`Landing`].

use async_trait::async_trait;
use bytes::Bytes;

use super::{Faults, Faulty};
use crate::{
    Result,
    ports::{Landing, LandingEntry, LandingFile, LandingSpace, OpenMode},
};

#[async_trait]
impl Landing for Faulty<dyn Landing> {
    async fn list(&self, user: &str) -> Result<Vec<LandingEntry>> {
        self.faults.list(format!("landing {user}"), self.port.list(user)).await
    }
    async fn stat(&self, user: &str, name: &str) -> Result<Option<LandingEntry>> {
        self.faults.call(self.port.stat(user, name)).await
    }
    async fn open(&self, user: &str, name: &str, mode: OpenMode) -> Result<Box<dyn LandingFile>> {
        let file = self.faults.effect(self.port.open(user, name, mode)).await?;
        Ok(Box::new(FaultyFile { file, faults: self.faults.clone() }))
    }
    async fn rename(&self, user: &str, from: &str, to: &str, replace: bool) -> Result<()> {
        self.faults.effect(self.port.rename(user, from, to, replace)).await
    }
    async fn remove(&self, user: &str, name: &str) -> Result<bool> {
        self.faults.effect(self.port.remove(user, name)).await
    }
    async fn read(&self, user: &str, name: &str, offset: u64, limit: usize) -> Result<Bytes> {
        self.faults.call(self.port.read(user, name, offset, limit)).await
    }
    async fn space(&self) -> Result<LandingSpace> {
        self.faults.call(self.port.space()).await
    }
    async fn expire(&self, before: i64) -> Result<u64> {
        self.faults.effect(self.port.expire(before)).await
    }
}

/// Blocks that were written are there whatever becomes of their writer.
struct FaultyFile {
    file: Box<dyn LandingFile>,
    faults: Faults,
}

#[async_trait]
impl LandingFile for FaultyFile {
    async fn write_at(&mut self, offset: u64, bytes: Bytes) -> Result<()> {
        self.faults.effect(self.file.write_at(offset, bytes)).await
    }
    async fn set_size(&mut self, size_bytes: u64) -> Result<()> {
        self.faults.effect(self.file.set_size(size_bytes)).await
    }
    async fn size(&self) -> Result<u64> {
        self.faults.call(self.file.size()).await
    }
    async fn sync(&mut self) -> Result<()> {
        self.faults.call(self.file.sync()).await
    }
    async fn close(self: Box<Self>) -> Result<()> {
        self.faults.effect(self.file.close()).await
    }
}
