//! A door that stands by itself: our own SFTP server, which lives and ends with its process.

use async_trait::async_trait;

use crate::{
    Error, Result,
    ports::{Door, DoorServer, DoorState},
};

/// Always as it was said to be.
#[derive(Clone, Debug)]
pub struct StandingDoor(Option<DoorServer>);

const ID: &str = "own";

impl StandingDoor {
    /// Open at this address, with this fingerprint of the host key.
    pub fn at(host: &str, port: u16, fingerprint: &str) -> Self {
        Self(Some(DoorServer {
            id: ID.into(),
            state: DoorState::Open,
            host: Some(host.into()),
            port,
            fingerprint: Some(fingerprint.into()),
        }))
    }

    /// There is none.
    pub fn nowhere() -> Self {
        Self(None)
    }
}

#[async_trait]
impl Door for StandingDoor {
    async fn open(&self) -> Result<DoorServer> {
        self.0.clone().ok_or_else(|| Error::invalid("there is no SFTP server here"))
    }
    async fn status(&self, id: &str) -> Result<Option<DoorServer>> {
        Ok(self.0.clone().filter(|server| server.id == id))
    }
    async fn servers(&self) -> Result<Vec<DoorServer>> {
        Ok(self.0.iter().cloned().collect())
    }
    async fn close(&self, id: &str) -> Result<bool> {
        match &self.0 {
            Some(server) if server.id == id => {
                Err(Error::invalid("the own SFTP server ends with the process that serves"))
            }
            _ => Ok(false),
        }
    }
}
