//! The SFTP front door: a server that takes uploads in, made when somebody needs it and removed again, because one that
//! stands idle costs as much as one that is used.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoorState {
    /// Nobody can connect, and nothing is under way to change that.
    Closed,
    /// A server is being made or starts up.
    Opening,
    Open,
    /// Its server is being stopped or removed.
    Closing,
    /// Its server could not start or stop.
    Failed,
}

/// A server that stands for the door, and may cost money whatever its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorServer {
    /// The keeper's name for it.
    pub id: String,
    pub state: DoorState,
    /// Where clients connect, once that is known.
    pub host: Option<String>,
    pub port: u16,
    /// The host key's, as OpenSSH shows it: `SHA256:…`. The same for every server that this door ever had.
    pub fingerprint: Option<String>,
}

impl DoorServer {
    /// Whether clients can connect, now or soon.
    pub fn serves(&self) -> bool {
        matches!(self.state, DoorState::Open | DoorState::Opening)
    }
}

#[async_trait]
pub trait Door: Send + Sync {
    /// Sees to it that a server stands and has the door's host key; answers while it still starts up. One that serves
    /// already is the one. Two calls at the same time may make two: who calls sees to that.
    async fn open(&self) -> Result<DoorServer>;

    /// The server of this id; none once it is removed.
    async fn status(&self, id: &str) -> Result<Option<DoorServer>>;

    /// Every server of this door, those that nobody remembers included.
    async fn servers(&self) -> Result<Vec<DoorServer>>;

    /// Removes the server. False if there was none. `Denied` for one that is not this door's.
    async fn close(&self, id: &str) -> Result<bool>;

    /// What a standing server costs, in words; none if nothing.
    fn price(&self) -> Option<&'static str> {
        None
    }
}
