//! Grants: which mailboxes a user or a group may read.

use serde::{Deserialize, Serialize};

use super::{Group, Principal, Role, User, Visible};
use crate::{Archive, ErrorKind, MailboxAddress, Result, mailbox::Mailbox, records::Record};

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
        match &to {
            Grantee::User(name) => drop(self.need::<User>(name).await?),
            Grantee::Group(name) => drop(self.need::<Group>(name).await?),
        }
        let grant = Grant { mailbox, to };
        match self.add(&grant).await {
            Err(e) if e.kind() != ErrorKind::Conflict => Err(e),
            _ => Ok(grant),
        }
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
        let groups = self.find::<User>(&principal.name).await?.map(|user| user.value.groups).unwrap_or_default();
        let mine = |to: &Grantee| match to {
            Grantee::User(name) => *name == principal.name,
            Grantee::Group(name) => groups.contains(name),
        };
        let grants = self.grants().await?;
        Ok(Visible::Mailboxes(grants.into_iter().filter(|grant| mine(&grant.to)).map(|grant| grant.mailbox).collect()))
    }
}
