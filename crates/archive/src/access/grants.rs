//! Grants: which mailboxes a user or a group may read.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Group, Principal, Role, User, Visible};
use crate::{
    Archive, Error, ErrorKind, MailboxAddress, Result,
    mailbox::Mailbox,
    records::{Record, Stored},
};

/// Who is granted something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grantee {
    /// The owner of a mailbox.
    User(String),
    /// Members of the group share the mailbox.
    Group(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub mailbox: MailboxAddress,
    #[serde(flatten)]
    pub to: Grantee,
    /// When the user was made: who has the name later is somebody else. None for a group, and where it was not noted yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_created: Option<i64>,
}

impl Record for Grant {
    const KIND: &'static str = "grant";
    const KEPT: bool = true;
    fn id(&self) -> String {
        // A space is in no name: the id cannot be another grant's.
        match &self.to {
            Grantee::User(name) => format!("{} user {name}", self.mailbox.folded()),
            Grantee::Group(name) => format!("{} group {name}", self.mailbox.folded()),
        }
    }
}

impl Archive {
    /// Lets a user or a group read a mailbox. Granting twice is granting once.
    pub async fn grant(&self, mailbox: &MailboxAddress, to: Grantee) -> Result<Grant> {
        let mailbox = self.need::<Mailbox>(mailbox.folded()).await?.value.address;
        let user_created = match &to {
            Grantee::User(name) => Some(self.need::<User>(name).await?.value.created),
            Grantee::Group(name) => {
                self.need::<Group>(name).await?;
                None
            }
        };
        let grant = Grant { mailbox, to, user_created };
        let noted = match self.find::<Grant>(&grant.id()).await? {
            Some(known) if known.value == grant => return Ok(grant),
            // It was an earlier user's.
            Some(known) => self.save(Stored { value: grant.clone(), version: known.version }).await,
            None => self.add(&grant).await,
        };
        match noted {
            Err(e) if e.kind() != ErrorKind::Conflict => return Err(e),
            _ => {}
        }
        self.take_back_if_gone(&grant).await?;
        Ok(grant)
    }

    /// Whoever removed the user meanwhile may have been too early to see the grant.
    async fn take_back_if_gone(&self, grant: &Grant) -> Result<()> {
        let Grantee::User(name) = &grant.to else { return Ok(()) };
        let user = self.find::<User>(name).await?;
        if user.map(|user| user.value.created) == grant.user_created {
            return Ok(());
        }
        self.revoke(grant).await?;
        Err(Error::not_found(format!("user {name:?} was removed just now")))
    }

    /// False if there was no such grant.
    pub async fn revoke(&self, grant: &Grant) -> Result<bool> {
        self.drop_record::<Grant>(None, &grant.id()).await
    }

    pub async fn grants(&self) -> Result<Vec<Grant>> {
        self.all(None).await
    }

    /// The mail that this principal may see; `Denied` without a role that reads mail.
    pub async fn visible(&self, principal: &Principal) -> Result<Visible> {
        principal.require(&[Role::Compliance, Role::Reader])?;
        if principal.roles.contains(&Role::Compliance) {
            return Ok(Visible::All);
        }
        let Some(user) = self.find::<User>(&principal.name).await?.map(|user| user.value) else {
            return Ok(Visible::Mailboxes(BTreeSet::new()));
        };
        let mine = |grant: &Grant| match &grant.to {
            Grantee::User(name) => *name == user.name && grant.user_created.is_none_or(|made| made == user.created),
            Grantee::Group(name) => user.groups.contains(name),
        };
        let grants = self.grants().await?;
        Ok(Visible::Mailboxes(grants.into_iter().filter(mine).map(|grant| grant.mailbox).collect()))
    }
}
