//! Who may do what: users, groups with roles, grants on mailboxes, sessions.

mod brake;
mod first_user;
mod grants;
mod last_admin;
mod login;
mod password;
mod users;

use std::collections::BTreeSet;

pub use grants::{Grant, Grantee};
pub use login::{Login, Proof, SESSION_SECONDS};
use serde::{Deserialize, Serialize};
pub use users::{Group, NewUser, User, UserView};

use crate::{Error, MailboxAddress, Result};

/// Roles hang on groups; a user's roles are the union of those of all groups the user is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Configuration and imports; no mail.
    Admin,
    /// SFTP and all mail.
    Compliance,
    /// Mail of granted mailboxes.
    Reader,
    /// The audit log.
    Auditor,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Admin, Self::Compliance, Self::Reader, Self::Auditor];

    /// In any case: `admin`, `Compliance`.
    pub fn parse(name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|role| format!("{role:?}").eq_ignore_ascii_case(name));
        known.ok_or_else(|| Error::invalid(format!("role {name:?} is none of Admin, Compliance, Reader, Auditor")))
    }
}

/// Somebody who has shown who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub name: String,
    pub roles: BTreeSet<Role>,
    /// Sits at the machine with the archive's own files: may do everything, and may name local files.
    pub operator: bool,
}

impl Principal {
    /// Whoever can read and write the archive's folder itself.
    pub fn operator() -> Self {
        Self { name: "operator".into(), roles: Role::ALL.into(), operator: true }
    }
    /// `Denied` unless one of the roles is there.
    pub fn require(&self, any: &[Role]) -> Result<()> {
        if any.iter().any(|role| self.roles.contains(role)) {
            return Ok(());
        }
        let wanted = any.iter().map(|role| format!("{role:?}")).collect::<Vec<_>>().join(" or ");
        Err(Error::denied(format!("{} lacks the role {wanted}", self.name)).hint("an Admin gives roles to groups"))
    }
}

/// The mail that a principal may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visible {
    All,
    Mailboxes(BTreeSet<MailboxAddress>),
}

impl Visible {
    pub fn includes(&self, mailbox: &MailboxAddress) -> bool {
        match self {
            Self::All => true,
            Self::Mailboxes(granted) => granted.contains(mailbox),
        }
    }
}
