//! A door in memory, stepped by the test.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;

use super::{SteppedClock, locked};
use crate::{
    Error, Result,
    ports::{Clock, Door, DoorServer, DoorState},
};

/// A server takes so long to start, on the clock of the test.
const START: Duration = Duration::from_secs(30);

/// Servers that nobody can connect to.
pub struct MemoryDoor {
    state: Mutex<Servers>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Servers {
    made: u64,
    /// By id: when its start began, and whether it failed.
    standing: BTreeMap<String, (Duration, bool)>,
    refuses: bool,
}

impl MemoryDoor {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { state: Mutex::default(), clock }
    }

    /// How many servers were ever made.
    pub fn made(&self) -> u64 {
        locked(&self.state).made
    }

    /// Makes a server that nobody asked for, as a crash between two effects leaves one.
    pub fn make_stray(&self) -> String {
        self.make(&mut locked(&self.state))
    }

    /// A server could not start.
    pub fn fail(&self, id: &str) {
        if let Some(server) = locked(&self.state).standing.get_mut(id) {
            server.1 = true;
        }
    }

    /// From now on no server can be made, or again.
    pub fn refuse(&self, refuses: bool) {
        locked(&self.state).refuses = refuses;
    }

    fn make(&self, servers: &mut Servers) -> String {
        servers.made += 1;
        let id = format!("s-{:017x}", servers.made);
        servers.standing.insert(id.clone(), (self.clock.boot(), false));
        id
    }

    fn server(&self, id: &str, (begun, failed): (Duration, bool)) -> DoorServer {
        let state = match failed {
            true => DoorState::Failed,
            false if self.clock.boot() < begun + START => DoorState::Opening,
            false => DoorState::Open,
        };
        DoorServer {
            id: id.into(),
            state,
            host: Some(format!("{id}.door.example")),
            port: 22,
            fingerprint: Some("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into()),
        }
    }

    fn list(&self, servers: &Servers) -> Vec<DoorServer> {
        servers.standing.iter().map(|(id, server)| self.server(id, *server)).collect()
    }
}

impl Default for MemoryDoor {
    fn default() -> Self {
        Self::new(Arc::new(SteppedClock::default()))
    }
}

impl std::fmt::Debug for MemoryDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list(&locked(&self.state))).finish()
    }
}

#[async_trait]
impl Door for MemoryDoor {
    async fn open(&self) -> Result<DoorServer> {
        let (serving, refuses) = {
            let servers = locked(&self.state);
            (self.list(&servers).into_iter().find(DoorServer::serves), servers.refuses)
        };
        if let Some(server) = serving {
            return Ok(server);
        }
        if refuses {
            return Err(Error::unavailable("no server can be made now"));
        }
        // Whoever comes between look and deed makes a second one, as with a real keeper.
        tokio::task::yield_now().await;
        let id = self.make(&mut locked(&self.state));
        tokio::task::yield_now().await;
        Ok(self.server(&id, (self.clock.boot(), false)))
    }
    async fn status(&self, id: &str) -> Result<Option<DoorServer>> {
        Ok(locked(&self.state).standing.get(id).map(|server| self.server(id, *server)))
    }
    async fn servers(&self) -> Result<Vec<DoorServer>> {
        Ok(self.list(&locked(&self.state)))
    }
    async fn close(&self, id: &str) -> Result<bool> {
        Ok(locked(&self.state).standing.remove(id).is_some())
    }
    fn price(&self) -> Option<&'static str> {
        Some("some $0.30 an hour")
    }
}
