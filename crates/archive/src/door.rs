//! The SFTP door: who may open it for how long, and that it closes again.
//!
//! The record says what was promised (until when, which server); the keeper behind the port says what stands. Making and
//! removing a server takes seconds in which another caller or a crash may come: the record is claimed for that time by
//! compare-and-set, and whatever a crash leaves is found by [`Archive::close_door_if_due`], by what the port lists.

mod standing;
#[cfg(test)]
mod tests;

use std::{str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
pub use standing::StandingDoor;

use crate::{
    Archive, Error, ErrorKind, Result,
    ports::{Door, DoorServer, DoorState, Expect},
    records::{Record, Stored},
};

/// Nobody who makes or removes a server takes so long and still lives.
const CLAIM_SECONDS: i64 = 5 * 60;
const MAX_DAYS: u32 = 30;
const DAY_SECONDS: i64 = 24 * 3600;
/// A change by compare-and-set is tried so often before the conflict is handed up.
const MAX_TRIES: usize = 20;

/// How the door is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoorMode {
    /// There is none: uploads come in another way.
    #[default]
    None,
    /// Opened for some days when somebody asks for it.
    OnDemand,
    /// Never closed.
    Always,
}

impl FromStr for DoorMode {
    type Err = Error;
    fn from_str(word: &str) -> Result<Self> {
        match word {
            "none" => Ok(Self::None),
            "on-demand" => Ok(Self::OnDemand),
            "always" => Ok(Self::Always),
            _ => Err(Error::invalid(format!("door mode {word:?} is none of on-demand, always, none"))),
        }
    }
}

/// The door with its way of being run.
#[derive(Clone)]
pub struct FrontDoor {
    pub mode: DoorMode,
    pub port: Arc<dyn Door>,
}

impl FrontDoor {
    /// No door at all.
    pub fn none() -> Self {
        Self { mode: DoorMode::None, port: Arc::new(StandingDoor::nowhere()) }
    }
}

/// The door as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorStatus {
    pub mode: DoorMode,
    pub state: DoorState,
    pub host: Option<String>,
    pub port: u16,
    pub fingerprint: Option<String>,
    /// Unix seconds at which it closes by itself.
    pub closes: Option<i64>,
    /// Who opened it, or prolonged it last.
    pub by: Option<String>,
    /// What it costs while it stands, in words; none if nothing.
    pub price: Option<&'static str>,
}

/// What was promised. Gone when the door is closed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Promise {
    /// The server that stands for it, once it is made.
    server: Option<String>,
    /// None where it stays open.
    closes: Option<i64>,
    by: String,
    claim: Option<Claim>,
}

/// Somebody makes or removes a server now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    token: String,
    closing: bool,
    until: i64,
}

impl Record for Promise {
    const KIND: &'static str = "door";
    fn id(&self) -> String {
        ID.into()
    }
}

/// There is one door.
const ID: &str = "sftp";

impl Promise {
    fn live_claim(&self, now: i64) -> Option<&Claim> {
        self.claim.as_ref().filter(|claim| claim.until > now)
    }
    fn is_claimed_by(&self, token: &str) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.token == token)
    }
}

impl Archive {
    /// The door as it is now.
    pub async fn door(&self) -> Result<DoorStatus> {
        let promise = self.find::<Promise>(ID).await?.map(|stored| stored.value);
        let server = if let Some(id) = promise.as_ref().and_then(|promise| promise.server.as_deref()) {
            self.door.port.status(id).await?
        } else {
            // Also one that nobody remembers is shown: it can be reached, and costs.
            let servers = self.door.port.servers().await?;
            servers.iter().find(|server| server.serves()).or(servers.first()).cloned()
        };
        Ok(self.door_status(promise, server))
    }

    fn door_status(&self, promise: Option<Promise>, server: Option<DoorServer>) -> DoorStatus {
        let claim = promise.as_ref().and_then(|promise| promise.live_claim(self.clock.now()));
        let state = match (claim, &server) {
            (Some(claim), _) if claim.closing => DoorState::Closing,
            (Some(_), None) => DoorState::Opening,
            (_, Some(server)) => server.state,
            (None, None) => DoorState::Closed,
        };
        let (host, fingerprint) = server.as_ref().map_or((None, None), |s| (s.host.clone(), s.fingerprint.clone()));
        DoorStatus {
            mode: self.door.mode,
            state,
            host,
            port: server.map_or(SSH_PORT, |server| server.port),
            fingerprint,
            closes: promise.as_ref().and_then(|p| p.closes).filter(|_| self.door.mode == DoorMode::OnDemand),
            by: promise.map(|promise| promise.by),
            price: self.door.port.price(),
        }
    }

    /// Opens the door for so many days from now; one that is open stays open at least so long. Answers while the server
    /// still starts up.
    pub async fn open_door(&self, days: u32, by: &str) -> Result<DoorStatus> {
        self.check_on_demand()?;
        if !(1..=MAX_DAYS).contains(&days) {
            return Err(Error::invalid(format!("the door opens for 1 to {MAX_DAYS} days, not for {days}")));
        }
        let closes = self.clock.now() + i64::from(days) * DAY_SECONDS;
        if let Some(token) = self.promise(closes, by).await? {
            self.make_server(&token).await?;
        }
        tracing::info!(days, by, "the SFTP door was opened");
        self.door().await
    }

    /// Closes the door at once and removes every server of it. Closing one that is closed changes nothing.
    pub async fn close_door(&self, by: &str) -> Result<DoorStatus> {
        self.check_on_demand()?;
        self.remove_servers(by).await?;
        tracing::info!(by, "the SFTP door was closed");
        self.door().await
    }

    /// Closes a door whose time is over, keeps one that is always open, and repairs what a crash left: servers that
    /// nobody remembers are removed, or taken for the one that was promised.
    pub async fn close_door_if_due(&self) -> Result<()> {
        let now = self.clock.now();
        let promise = self.find::<Promise>(ID).await?;
        if promise.as_ref().is_some_and(|promise| promise.value.live_claim(now).is_some()) {
            return Ok(());
        }
        let servers = self.door.port.servers().await?;
        if self.door.mode == DoorMode::Always {
            return self.keep_open(promise, servers).await;
        }
        // Nothing to close, or a function that has no way to the door: what was promised is others' business.
        if self.door.mode == DoorMode::None && servers.is_empty() {
            return Ok(());
        }
        let is_open = |promise: &Promise| promise.closes.is_some_and(|closes| closes > now);
        match promise {
            Some(promise) if self.door.mode == DoorMode::OnDemand && is_open(&promise.value) => {
                self.mend(promise, servers).await
            }
            None if servers.is_empty() => Ok(()),
            _ => {
                self.remove_servers("sweep").await?;
                tracing::info!(servers = servers.len(), "the SFTP door was closed: its time is over");
                Ok(())
            }
        }
    }

    fn check_on_demand(&self) -> Result<()> {
        match self.door.mode {
            DoorMode::OnDemand => Ok(()),
            DoorMode::Always => Err(Error::invalid("the SFTP door is always open here").code("door_always_open")),
            DoorMode::None => Err(Error::invalid("this archive has no SFTP door").code("no_door")),
        }
    }

    /// Writes down that the door is open until then. A token if the caller is the one to make a server.
    async fn promise(&self, closes: i64, by: &str) -> Result<Option<String>> {
        for _ in 0..MAX_TRIES {
            let now = self.clock.now();
            let known = self.find::<Promise>(ID).await?;
            let claim = Claim { token: self.random_id(), closing: false, until: now + CLAIM_SECONDS };
            let token = claim.token.clone();
            let Some(mut known) = known else {
                let promise = Promise { server: None, closes: Some(closes), by: by.into(), claim: Some(claim) };
                match self.add(&promise).await {
                    Err(e) if e.kind() == ErrorKind::Conflict => continue,
                    added => return added.map(|_| Some(token)),
                }
            };
            let live = known.value.live_claim(now);
            if live.is_some_and(|claim| claim.closing) {
                return Err(Error::conflict("the SFTP door is being closed").hint("try again in a minute"));
            }
            let is_mine = live.is_none() && !self.stands(known.value.server.as_deref()).await?;
            known.value.closes = known.value.closes.max(Some(closes));
            by.clone_into(&mut known.value.by);
            if is_mine {
                known.value.server = None;
                known.value.claim = Some(claim);
            }
            match self.save(known).await {
                Err(e) if e.kind() == ErrorKind::Conflict => {}
                saved => return saved.map(|_| is_mine.then_some(token)),
            }
        }
        Err(Error::conflict("the SFTP door is being changed by others all the time"))
    }

    async fn stands(&self, server: Option<&str>) -> Result<bool> {
        let Some(id) = server else { return Ok(false) };
        Ok(self.door.port.status(id).await?.is_some_and(|server| server.serves()))
    }

    /// Makes the server that was promised under this claim.
    async fn make_server(&self, token: &str) -> Result<()> {
        match self.open_port().await {
            Ok(server) => self.note_server(token, server).await,
            Err(error) => {
                // Whoever prolonged it meanwhile waits for this server too: nobody is promised anything any more.
                self.forget_promise(token).await?;
                Err(error)
            }
        }
    }

    /// A server that stands without serving costs, and is replaced.
    async fn open_port(&self) -> Result<DoorServer> {
        let is_useless = |server: &DoorServer| matches!(server.state, DoorState::Closed | DoorState::Failed);
        for server in self.door.port.servers().await?.into_iter().filter(is_useless) {
            self.door.port.close(&server.id).await?;
        }
        self.door.port.open().await
    }

    async fn note_server(&self, token: &str, server: DoorServer) -> Result<()> {
        for _ in 0..MAX_TRIES {
            let promise = self.find::<Promise>(ID).await?;
            let is_wanted = promise.as_ref().is_some_and(|p| !p.value.claim.as_ref().is_some_and(|c| c.closing));
            let Some(mut promise) = promise.filter(|promise| promise.value.is_claimed_by(token)) else {
                if is_wanted {
                    // Too slow: the next one made a server, or found this one. Whichever is too many goes by the sweep.
                    return Ok(());
                }
                self.door.port.close(&server.id).await?;
                return Err(Error::conflict("the SFTP door was closed while it was being opened"));
            };
            promise.value.server = Some(server.id.clone());
            promise.value.claim = None;
            match self.save(promise).await {
                Err(e) if e.kind() == ErrorKind::Conflict => {}
                saved => return saved.map(drop),
            }
        }
        Err(Error::conflict("the SFTP door is being changed by others all the time"))
    }

    /// Removes every server under a claim of its own, so that nobody opens what is being removed.
    async fn remove_servers(&self, by: &str) -> Result<()> {
        let token = self.claim_closing(by).await?;
        for server in self.door.port.servers().await? {
            self.door.port.close(&server.id).await?;
        }
        self.forget_promise(&token).await
    }

    /// Also takes the claim of somebody who opens: they find it gone and remove what they made.
    async fn claim_closing(&self, by: &str) -> Result<String> {
        for _ in 0..MAX_TRIES {
            let claim = Claim { token: self.random_id(), closing: true, until: self.clock.now() + CLAIM_SECONDS };
            let token = claim.token.clone();
            let claimed = match self.find::<Promise>(ID).await? {
                None => self.add(&Promise { server: None, closes: None, by: by.into(), claim: Some(claim) }).await,
                Some(Stored { value, version }) => {
                    self.save(Stored { value: Promise { claim: Some(claim), ..value }, version }).await
                }
            };
            match claimed {
                Err(e) if e.kind() == ErrorKind::Conflict => {}
                claimed => return claimed.map(|_| token),
            }
        }
        Err(Error::conflict("the SFTP door is being changed by others all the time"))
    }

    async fn forget_promise(&self, token: &str) -> Result<()> {
        for _ in 0..MAX_TRIES {
            let promise = self.find::<Promise>(ID).await?.filter(|promise| promise.value.is_claimed_by(token));
            let Some(promise) = promise else { return Ok(()) };
            match self.catalog.remove(Promise::KIND, ID, Expect::Version(promise.version)).await {
                Err(e) if e.kind() == ErrorKind::Conflict => {}
                removed => return removed.map(drop),
            }
        }
        Err(Error::conflict("the SFTP door is being changed by others all the time"))
    }

    /// Sees to it that a door that is always open has its one server.
    async fn keep_open(&self, left: Option<Stored<Promise>>, servers: Vec<DoorServer>) -> Result<()> {
        if servers.iter().any(DoorServer::serves) {
            return self.remove_all_but_one(servers, None).await;
        }
        if let Some(left) = left {
            // Of a sweep that broke off, or of a time when the door was opened on demand.
            self.drop_record_of(&left).await?;
        }
        let claim = Claim { token: self.random_id(), closing: false, until: self.clock.now() + CLAIM_SECONDS };
        let token = claim.token.clone();
        let promise = Promise { server: None, closes: None, by: "sweep".into(), claim: Some(claim) };
        match self.add(&promise).await {
            // Another sweep is at it.
            Err(e) if e.kind() == ErrorKind::Conflict => return Ok(()),
            added => added?,
        };
        let opened = self.open_port().await;
        self.forget_promise(&token).await?;
        tracing::info!(server = opened?.id, "the SFTP door was opened: it is always open");
        Ok(())
    }

    async fn drop_record_of(&self, promise: &Stored<Promise>) -> Result<()> {
        match self.catalog.remove(Promise::KIND, ID, Expect::Version(promise.version)).await {
            Err(e) if e.kind() != ErrorKind::Conflict => Err(e),
            _ => Ok(()),
        }
    }

    /// Brings the promise of an open door and what stands together again.
    async fn mend(&self, mut promise: Stored<Promise>, servers: Vec<DoorServer>) -> Result<()> {
        let remembered = promise.value.server.clone();
        if remembered.as_ref().is_some_and(|id| servers.iter().any(|server| server.id == *id)) {
            return self.remove_all_but_one(servers, remembered.as_deref()).await;
        }
        let Some(found) = servers.iter().find(|server| server.serves()).cloned() else {
            tracing::warn!(by = promise.value.by, "the server of the open SFTP door is gone; the door is closed now");
            return self.remove_servers("sweep").await;
        };
        tracing::warn!(server = found.id, "an SFTP server that nobody remembered is taken for the open door");
        promise.value.server = Some(found.id.clone());
        promise.value.claim = None;
        match self.save(promise).await {
            // Somebody opens or closes just now; the next sweep looks again.
            Err(e) if e.kind() == ErrorKind::Conflict => return Ok(()),
            saved => saved?,
        };
        self.remove_all_but_one(servers, Some(&found.id)).await
    }

    async fn remove_all_but_one(&self, servers: Vec<DoorServer>, kept: Option<&str>) -> Result<()> {
        let serving = servers.iter().find(|server| server.serves()).map(|server| server.id.clone());
        let kept = kept.map(str::to_owned).or(serving);
        for server in servers.into_iter().filter(|server| Some(&server.id) != kept.as_ref()) {
            self.door.port.close(&server.id).await?;
            tracing::warn!(server = server.id, "an SFTP server that nobody needs was removed");
        }
        Ok(())
    }
}

const SSH_PORT: u16 = 22;
