//! Faults in front of the small ports: [`Queue`], [`Schedules`], [`Keys`], [`Door`].

use std::time::Duration;

use async_trait::async_trait;

use super::Faulty;
use crate::{
    Result,
    job::Job,
    ports::{Door, DoorServer, Keys, PublicKeys, Queue, Schedule, Schedules},
};

#[async_trait]
impl Queue for Faulty<dyn Queue> {
    async fn send(&self, job: &Job, delay: Duration) -> Result<()> {
        self.faults.effect(self.port.send(job, delay)).await
    }
}

#[async_trait]
impl Schedules for Faulty<dyn Schedules> {
    async fn create(&self, id: &str, every_minutes: u32, job: &Job) -> Result<bool> {
        self.faults.effect(self.port.create(id, every_minutes, job)).await
    }
    async fn set_enabled(&self, id: &str, enabled: bool) -> Result<()> {
        self.faults.effect(self.port.set_enabled(id, enabled)).await
    }
    async fn delete(&self, id: &str) -> Result<bool> {
        self.faults.effect(self.port.delete(id)).await
    }
    async fn list(&self) -> Result<Vec<Schedule>> {
        self.faults.list("schedules".into(), self.port.list()).await
    }
}

/// Nothing that keys do lasts.
#[async_trait]
impl Keys for Faulty<dyn Keys> {
    async fn wrap(&self, plaintext: &[u8], context: &str) -> Result<Vec<u8>> {
        self.faults.call(self.port.wrap(plaintext, context)).await
    }
    async fn unwrap(&self, wrapped: &[u8], context: &str) -> Result<Vec<u8>> {
        self.faults.call(self.port.unwrap(wrapped, context)).await
    }
    async fn sign(&self, digest: &[u8; 32]) -> Result<Vec<u8>> {
        self.faults.call(self.port.sign(digest)).await
    }
    async fn agree(&self, peer: &[u8]) -> Result<Vec<u8>> {
        self.faults.call(self.port.agree(peer)).await
    }
    async fn public(&self) -> Result<PublicKeys> {
        self.faults.call(self.port.public()).await
    }
}

#[async_trait]
impl Door for Faulty<dyn Door> {
    async fn open(&self) -> Result<DoorServer> {
        self.faults.effect(self.port.open()).await
    }
    async fn status(&self, id: &str) -> Result<Option<DoorServer>> {
        self.faults.call(self.port.status(id)).await
    }
    async fn servers(&self) -> Result<Vec<DoorServer>> {
        self.faults.list("servers".into(), self.port.servers()).await
    }
    async fn close(&self, id: &str) -> Result<bool> {
        self.faults.effect(self.port.close(id)).await
    }
    fn price(&self) -> Option<&'static str> {
        self.port.price()
    }
}
