//! Users and groups.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::{Grantee, Principal, Role, password};
use crate::{Archive, Error, ErrorKind, Result, records::Record};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    pub groups: BTreeSet<String>,
    /// Argon2id PHC string; none if the user has only keys.
    pub password: Option<String>,
    /// The next login must bring a new password; until then the password opens nothing else.
    pub must_change: bool,
    /// Public keys in OpenSSH form: type and base64, without comment.
    pub keys: BTreeSet<String>,
    pub mfa: bool,
    pub created: i64,
}

impl Record for User {
    const KIND: &'static str = "user";
    const KEPT: bool = true;
    fn id(&self) -> String {
        self.name.clone()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub name: String,
    pub roles: BTreeSet<Role>,
}

impl Record for Group {
    const KIND: &'static str = "group";
    const KEPT: bool = true;
    fn id(&self) -> String {
        self.name.clone()
    }
}

/// A user as others may see them: no secrets but a password that was just made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserView {
    pub name: String,
    pub groups: BTreeSet<String>,
    pub roles: BTreeSet<Role>,
    pub mfa: bool,
    pub must_change_password: bool,
    pub keys: Vec<String>,
    /// The random password that was just made: shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

impl fmt::Debug for UserView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserView").field("name", &self.name).field("roles", &self.roles).finish_non_exhaustive()
    }
}

/// What a new user begins with.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewUser {
    pub name: String,
    pub groups: Vec<String>,
    pub password: Option<String>,
    /// Public keys, one OpenSSH line each.
    pub keys: Vec<String>,
    pub mfa: bool,
}

/// A user's name is also the name of their SFTP home: letters and digits of any script, and `. _ - @ +` not in front.
fn check_name(kind: &str, name: &str) -> Result<()> {
    let inside = |c: char| c.is_alphanumeric() || "._-@+".contains(c);
    if name.len() > 100 || !name.starts_with(char::is_alphanumeric) || !name.chars().all(inside) {
        let text = format!("{name:?} cannot be the name of a {kind}");
        return Err(
            Error::invalid(text).hint("use letters, digits and . _ - @ +, at most 100 bytes, a letter or digit first")
        );
    }
    Ok(())
}

/// Type and base64 of an OpenSSH public key line (RFC 4253, 6.6), without options and comment.
fn parse_key(line: &str) -> Result<String> {
    const TYPES: [&str; 5] =
        ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];
    let mut parts = line.split_ascii_whitespace();
    match (parts.next(), parts.next()) {
        (Some(kind), Some(key)) if TYPES.contains(&kind) && key.starts_with("AAAA") && key.len() < 8192 => {
            Ok(format!("{kind} {key}"))
        }
        _ => Err(Error::invalid("not a public key in OpenSSH form").hint("give the .pub file that ssh-keygen made")),
    }
}

impl Archive {
    /// Adds a user. Without password and key a random password is made, which the first login must change.
    pub async fn add_user(&self, new: NewUser) -> Result<UserView> {
        let random = (new.password.is_none() && new.keys.is_empty()).then(|| self.random_password());
        self.add_user_with(new, random).await
    }

    /// As [`Self::add_user`], with the random password given.
    pub(super) async fn add_user_with(&self, new: NewUser, random: Option<String>) -> Result<UserView> {
        check_name("user", &new.name)?;
        for group in &new.groups {
            self.need::<Group>(group).await?;
        }
        let keys = new.keys.iter().map(|line| parse_key(line)).collect::<Result<BTreeSet<_>>>()?;
        let chosen = match new.password.as_ref().or(random.as_ref()) {
            Some(password) => Some(self.hash_password(password).await?),
            None => None,
        };
        let user = User {
            name: new.name,
            groups: new.groups.into_iter().collect(),
            password: chosen,
            must_change: random.is_some(),
            keys,
            mfa: new.mfa,
            created: self.clock.now(),
        };
        let user = self.add(&user).await.map_err(|e| match e.kind() {
            ErrorKind::Conflict => Error::conflict(format!("user {:?} exists", user.name)),
            _ => e,
        })?;
        Ok(UserView { password: random, ..self.view_user(user.value).await? })
    }

    pub async fn users(&self) -> Result<Vec<UserView>> {
        let mut views = Vec::new();
        for user in self.all::<User>(None).await? {
            views.push(self.view_user(user).await?);
        }
        Ok(views)
    }

    pub async fn user(&self, name: &str) -> Result<UserView> {
        let user = self.need::<User>(name).await?.value;
        self.view_user(user).await
    }

    /// Gives the user a new random password, to be changed at the next login, and ends the user's sessions.
    pub async fn reset_password(&self, name: &str) -> Result<UserView> {
        let password = self.random_password();
        let phc = self.hash_password(&password).await?;
        let user = self
            .update::<User>(name, |user| {
                user.password = Some(phc.clone());
                user.must_change = true;
                Ok(())
            })
            .await?;
        self.end_sessions(name).await?;
        Ok(UserView { password: Some(password), ..self.view_user(user.value).await? })
    }

    pub async fn add_key(&self, name: &str, line: &str) -> Result<UserView> {
        let key = parse_key(line)?;
        let add = |user: &mut User| {
            user.keys.insert(key.clone());
            Ok(())
        };
        let user = self.update::<User>(name, add).await?;
        self.view_user(user.value).await
    }

    /// Changes a password with the old one known; used at the first login.
    pub(super) async fn change_password(&self, name: &str, new: &str) -> Result<()> {
        password::check_chosen(new)?;
        let phc = self.hash_password(new).await?;
        let change = |user: &mut User| {
            user.password = Some(phc.clone());
            user.must_change = false;
            Ok(())
        };
        self.update::<User>(name, change).await.map(drop)
    }

    /// Puts the user into exactly these groups; the last Admin stays one.
    pub async fn set_groups(&self, name: &str, groups: BTreeSet<String>) -> Result<UserView> {
        for group in &groups {
            self.need::<Group>(group).await?;
        }
        let user = self.regroup(name, &groups).await?;
        self.view_user(user).await
    }

    /// Removes a user with keys, grants and sessions; the last Admin cannot go. Whoever repeats it after it was cut off is
    /// told that there is no such user, and what was left of them goes.
    pub async fn remove_user(&self, name: &str) -> Result<UserView> {
        let dropped = match self.drop_user(name).await {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            dropped => dropped,
        };
        for grant in self.grants().await? {
            if grant.to == Grantee::User(name.into()) {
                self.revoke(&grant).await?;
            }
        }
        self.end_sessions(name).await?;
        self.view_user(dropped?).await
    }

    pub async fn add_group(&self, name: &str, roles: BTreeSet<Role>) -> Result<Group> {
        check_name("group", name)?;
        let group = Group { name: name.into(), roles };
        self.add(&group).await.map_err(|e| match e.kind() {
            ErrorKind::Conflict => Error::conflict(format!("group {name:?} exists")),
            _ => e,
        })?;
        Ok(group)
    }

    pub async fn groups(&self) -> Result<Vec<Group>> {
        self.all(None).await
    }

    async fn roles_of(&self, groups: &BTreeSet<String>) -> Result<BTreeSet<Role>> {
        let mut roles = BTreeSet::new();
        for name in groups {
            if let Some(group) = self.find::<Group>(name).await? {
                roles.extend(group.value.roles);
            }
        }
        Ok(roles)
    }

    pub(super) async fn principal(&self, user: &User) -> Result<Principal> {
        Ok(Principal { name: user.name.clone(), roles: self.roles_of(&user.groups).await?, operator: false })
    }

    async fn view_user(&self, user: User) -> Result<UserView> {
        Ok(UserView {
            roles: self.roles_of(&user.groups).await?,
            name: user.name,
            groups: user.groups,
            mfa: user.mfa,
            must_change_password: user.must_change,
            keys: user.keys.into_iter().collect(),
            password: None,
        })
    }
}
