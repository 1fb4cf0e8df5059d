//! Mailboxes: their own rows, what lies in them, and how those are emptied that imports have filled.

mod elsewhere;
mod emptied;
mod empty;
mod task;
#[cfg(test)]
mod tests;

pub(crate) use emptied::Emptied;
pub use empty::Emptying;
use serde::{Deserialize, Serialize};

use crate::{Archive, Error, ErrorKind, MailboxAddress, Result, ports::Scope, records::Record};

/// How a mailbox came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Hand,
    Import,
    Restructure,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    pub address: MailboxAddress,
    pub origin: Origin,
    /// The user archive that it recreates; none unless its origin is `restructure`.
    pub user_archive: Option<String>,
    pub created: i64,
}

impl Record for Mailbox {
    const KIND: &'static str = "mailbox";
    const KEPT: bool = true;
    fn id(&self) -> String {
        self.address.folded().to_owned()
    }
}

/// A mailbox with its figures: distinct mails, and folders, parents included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxView {
    pub address: MailboxAddress,
    pub origin: Origin,
    pub user_archive: Option<String>,
    pub mails: u64,
    pub folders: u64,
}

impl Archive {
    /// Adds an empty mailbox by hand; it carries no permissions.
    pub async fn add_mailbox(&self, address: &MailboxAddress) -> Result<MailboxView> {
        let mailbox = self.new_mailbox(address, Origin::Hand, None);
        self.add(&mailbox).await.map_err(|e| match e.kind() {
            ErrorKind::Conflict => Error::conflict(format!("mailbox {address} exists")),
            _ => e,
        })?;
        self.mailbox(address).await
    }

    pub async fn mailbox(&self, address: &MailboxAddress) -> Result<MailboxView> {
        let mailbox = self.need::<Mailbox>(address.folded()).await?.value;
        self.view_mailbox(mailbox).await
    }

    pub async fn mailboxes(&self) -> Result<Vec<MailboxView>> {
        let mut views = Vec::new();
        for mailbox in self.all::<Mailbox>(None).await? {
            views.push(self.view_mailbox(mailbox).await?);
        }
        Ok(views)
    }

    /// The mailbox if it exists, made with this origin otherwise; true if it was made.
    pub(crate) async fn ensure_mailbox(
        &self,
        address: &MailboxAddress,
        origin: Origin,
        user_archive: Option<&str>,
    ) -> Result<(Mailbox, bool)> {
        let mailbox = self.new_mailbox(address, origin, user_archive);
        match self.add(&mailbox).await {
            Ok(stored) => Ok((stored.value, true)),
            Err(e) if e.kind() == ErrorKind::Conflict => {
                Ok((self.need::<Mailbox>(address.folded()).await?.value, false))
            }
            Err(e) => Err(e),
        }
    }

    fn new_mailbox(&self, address: &MailboxAddress, origin: Origin, user_archive: Option<&str>) -> Mailbox {
        let user_archive = user_archive.map(str::to_owned);
        Mailbox { address: address.clone(), origin, user_archive, created: self.clock.now() }
    }

    async fn view_mailbox(&self, mailbox: Mailbox) -> Result<MailboxView> {
        Ok(MailboxView {
            mails: self.catalog.count(&Scope::Mailbox(mailbox.address.clone())).await?,
            folders: self.catalog.count_folders(&mailbox.address).await?,
            address: mailbox.address,
            origin: mailbox.origin,
            user_archive: mailbox.user_archive,
        })
    }
}
