//! Showing who one is: sessions for HTTP, one-time proofs for SFTP.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Principal, Role, User, password};
use crate::{Archive, Error, Result, hash::to_hex, records::Record};

/// A session ends after so many seconds.
pub const SESSION_SECONDS: i64 = 12 * 3600;

/// What somebody brings to be let in over SSH.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    Password(&'a str),
    /// A public key in OpenSSH form; the SSH layer has checked that the peer holds the private one.
    Key(&'a str),
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Login {
    /// Goes into `Authorization: Bearer …`; only its hash is kept.
    pub token: String,
    pub user: String,
    pub expires: i64,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Named by the SHA-256 of its token, so that the catalogue opens no session.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    hash: String,
    user: String,
    /// When the user was made: who has the name later is somebody else. None where it was not noted yet.
    #[serde(default)]
    user_created: Option<i64>,
    expires: i64,
}

impl Record for Session {
    const KIND: &'static str = "session";
    fn id(&self) -> String {
        self.hash.clone()
    }
    fn expires(&self) -> Option<i64> {
        Some(self.expires)
    }
}

/// Does not tell whether the user exists. `secret` is what was shown.
fn wrong(secret: &str) -> Error {
    Error::denied(format!("user name or {secret} is wrong")).code("wrong_login")
}

impl Archive {
    /// Begins a session. A password that must be changed is taken only together with a new one.
    pub async fn login(&self, name: &str, secret: &str, new_password: Option<&str>) -> Result<Login> {
        let user = self.check_password(name, secret).await?;
        if user.mfa {
            return Err(Error::denied(format!("user {name:?} needs a second factor, which cannot be set up yet")));
        }
        match new_password {
            Some(new) if new == secret => {
                return Err(Error::invalid("the new password is the old one").code("weak_password"));
            }
            Some(new) => {
                self.change_password(name, new).await?;
                self.end_sessions(name).await?;
            }
            None if user.must_change => {
                let error = Error::denied("the password must be changed first").code("password_change_needed");
                return Err(error.hint("log in again and give new_password too"));
            }
            None => {}
        }
        self.begin_session(&user).await
    }

    async fn begin_session(&self, user: &User) -> Result<Login> {
        let mut bytes = [0u8; 32];
        self.random.fill(&mut bytes);
        let token = to_hex(&bytes);
        let expires = self.clock.now() + SESSION_SECONDS;
        let (hash, user_created) = (token_hash(&token), Some(user.created));
        self.add(&Session { hash, user: user.name.clone(), user_created, expires }).await?;
        tracing::info!(user = user.name, "logged in");
        Ok(Login { token, user: user.name.clone(), expires })
    }

    /// Who holds this token; `Denied` if nobody does any more.
    pub async fn authenticate(&self, token: &str) -> Result<Principal> {
        let ended = || Error::denied("the session has ended").code("no_session").hint("log in again");
        let session = self.find::<Session>(&token_hash(token)).await?.ok_or_else(ended)?.value;
        if session.expires <= self.clock.now() {
            return Err(ended());
        }
        let user = self.find::<User>(&session.user).await?.ok_or_else(ended)?.value;
        if session.user_created.is_some_and(|made| made != user.created) {
            return Err(ended());
        }
        self.principal(&user).await
    }

    pub async fn logout(&self, token: &str) -> Result<()> {
        self.drop_record::<Session>(None, &token_hash(token)).await.map(drop)
    }

    pub(super) async fn end_sessions(&self, name: &str) -> Result<()> {
        for session in self.all::<Session>(None).await? {
            if session.user == name {
                self.drop_record::<Session>(None, &session.hash).await?;
            }
        }
        Ok(())
    }

    /// Lets a user into the upload store: role Compliance, no second factor (SFTP cannot ask for one).
    pub async fn sftp_login(&self, name: &str, proof: Proof<'_>) -> Result<Principal> {
        let user = match proof {
            Proof::Password(secret) => self.check_password(name, secret).await?,
            Proof::Key(key) => self.check_key(name, key).await?,
        };
        let principal = self.uploader(&user).await?;
        if user.must_change && matches!(proof, Proof::Password(_)) {
            let text = format!("the password of {name:?} must be changed at a first login before it serves SFTP");
            return Err(Error::denied(text).code("password_change_needed"));
        }
        Ok(principal)
    }

    /// Whether a user who was let in by [`Self::sftp_login`] would still be, the secret aside; `Denied` if not. A
    /// session lives longer than the rights it began with.
    pub async fn may_upload(&self, name: &str) -> Result<()> {
        let gone = || Error::denied(format!("user {name:?} does not exist any more"));
        let user = self.find::<User>(name).await?.ok_or_else(gone)?.value;
        self.uploader(&user).await.map(drop)
    }

    /// The public keys by which a user gets into the upload store, where somebody else checks that the peer holds the
    /// private one; under the conditions of [`Self::sftp_login`]. A user without keys is refused as one that is unknown.
    pub async fn sftp_keys(&self, name: &str) -> Result<Vec<String>> {
        let user = self.find::<User>(name).await?.map(|stored| stored.value);
        let user = user.filter(|user| !user.keys.is_empty()).ok_or_else(|| wrong("key"))?;
        self.uploader(&user).await?;
        Ok(user.keys.into_iter().collect())
    }

    async fn uploader(&self, user: &User) -> Result<Principal> {
        if user.mfa {
            let name = &user.name;
            let text = format!("user {name:?} has a second factor switched on, which SFTP cannot ask for");
            return Err(Error::denied(text));
        }
        let principal = self.principal(user).await?;
        principal.require(&[Role::Compliance])?;
        Ok(principal)
    }

    /// The user, if that is the password. Wrong ones are counted, and after too many all must wait.
    async fn check_password(&self, name: &str, secret: &str) -> Result<User> {
        let _turn = password::turn().await?;
        let was_wrong = self.check_brake(name).await?;
        let Some(user) = self.user_by_password(name, secret).await? else {
            self.count_wrong(name).await?;
            return Err(wrong("password"));
        };
        if was_wrong {
            self.forget_wrong(name).await?;
        }
        Ok(user)
    }

    /// Whether a password still is the user's. For whoever keeps it, not for a peer: nothing is counted.
    pub async fn is_password_of(&self, name: &str, secret: &str) -> Result<bool> {
        self.user_by_password(name, secret).await.map(|user| user.is_some())
    }

    async fn user_by_password(&self, name: &str, secret: &str) -> Result<Option<User>> {
        let user = self.find::<User>(name).await?.map(|stored| stored.value);
        let phc = user.as_ref().and_then(|user| user.password.as_deref());
        let same = password::matches(phc, secret).await?;
        Ok(user.filter(|_| same))
    }

    async fn check_key(&self, name: &str, key: &str) -> Result<User> {
        let user = self.find::<User>(name).await?.ok_or_else(|| wrong("key"))?.value;
        let offered: Vec<_> = key.split_ascii_whitespace().take(2).collect();
        if !user.keys.contains(&offered.join(" ")) {
            return Err(wrong("key"));
        }
        Ok(user)
    }
}

fn token_hash(token: &str) -> String {
    to_hex(&Sha256::digest(token))
}

#[cfg(test)]
mod tests {
    use futures::future::join;

    use super::*;
    use crate::{
        ErrorKind,
        access::{Grantee, Group, NewUser, Visible},
        testing::{archive, faulty::Faults},
    };

    async fn with(groups: &[&str], new: NewUser) -> Archive {
        let archive = archive();
        archive.create_first_user("the first one").await.unwrap();
        let groups = groups.iter().map(|g| (*g).to_owned()).collect();
        archive.add_user(NewUser { name: "u".into(), groups, ..new }).await.unwrap();
        archive
    }

    fn password(text: &str) -> NewUser {
        NewUser { password: Some(text.into()), ..NewUser::default() }
    }

    #[tokio::test]
    async fn sftp_needs_the_right_password_the_role_and_no_second_factor() {
        let archive = with(&["compliance"], password("right")).await;
        assert!(archive.sftp_login("u", Proof::Password("right")).await.is_ok());
        for (name, secret) in [("u", "wrong"), ("nobody", "right"), ("u", "")] {
            let error = archive.sftp_login(name, Proof::Password(secret)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{name} {secret}");
        }
        let reader = with(&["readers"], password("right")).await;
        assert!(reader.sftp_login("u", Proof::Password("right")).await.is_err());
        let mfa = with(&["compliance"], NewUser { mfa: true, ..password("right") }).await;
        assert!(mfa.sftp_login("u", Proof::Password("right")).await.unwrap_err().message().contains("second factor"));
    }

    #[tokio::test]
    async fn a_key_lets_in_whatever_its_comment() {
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKs me@there";
        let archive = with(&["compliance"], NewUser { keys: vec![line.into()], ..NewUser::default() }).await;
        assert!(archive.sftp_login("u", Proof::Key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKs")).await.is_ok());
        for name in ["u", "nobody"] {
            let stranger = Proof::Key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKt");
            let error = archive.sftp_login(name, stranger).await.unwrap_err();
            assert_eq!((error.message(), error.machine_code()), ("user name or key is wrong", "wrong_login"));
        }
        assert!(archive.sftp_login("u", Proof::Password("")).await.is_err());
    }

    #[tokio::test]
    async fn keys_are_told_only_of_those_who_may_upload() {
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKs me@there";
        let keys = || NewUser { keys: vec![line.into()], ..NewUser::default() };
        let archive = with(&["compliance"], keys()).await;
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKs";
        assert_eq!(archive.sftp_keys("u").await.unwrap(), [key]);
        assert_eq!(archive.sftp_keys("nobody").await.unwrap_err().machine_code(), "wrong_login");
        let keyless = with(&["compliance"], password("right")).await;
        assert_eq!(keyless.sftp_keys("u").await.unwrap_err().machine_code(), "wrong_login");
        let reader = with(&["readers"], keys()).await;
        assert!(reader.sftp_keys("u").await.unwrap_err().message().contains("lacks the role"));
        let mfa = with(&["compliance"], NewUser { mfa: true, ..keys() }).await;
        assert!(mfa.sftp_keys("u").await.unwrap_err().message().contains("second factor"));
    }

    #[tokio::test]
    async fn who_may_upload_is_asked_again() {
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKs me@there";
        let archive = with(&["compliance"], NewUser { keys: vec![line.into()], ..NewUser::default() }).await;
        archive.may_upload("u").await.unwrap();
        archive.set_groups("u", ["readers".to_owned()].into()).await.unwrap();
        assert_eq!(archive.may_upload("u").await.unwrap_err().kind(), ErrorKind::Denied);
        archive.set_groups("u", ["compliance".to_owned()].into()).await.unwrap();
        archive.may_upload("u").await.unwrap();
        let switch_mfa = |user: &mut User| {
            user.mfa = !user.mfa;
            Ok(())
        };
        archive.update::<User>("u", switch_mfa).await.unwrap();
        assert!(archive.may_upload("u").await.unwrap_err().message().contains("second factor"));
        archive.update::<User>("u", switch_mfa).await.unwrap();
        archive.remove_user("u").await.unwrap();
        assert_eq!(archive.may_upload("u").await.unwrap_err().kind(), ErrorKind::Denied);
    }

    #[tokio::test]
    async fn a_first_password_opens_nothing_until_it_is_changed() {
        let archive = with(&["compliance"], NewUser::default()).await;
        let first = archive.reset_password("u").await.unwrap().password.unwrap();
        assert!(archive.sftp_login("u", Proof::Password(&first)).await.is_err());
        let refused = archive.login("u", &first, None).await.unwrap_err();
        assert_eq!(refused.machine_code(), "password_change_needed");
        assert_eq!(archive.login("u", &first, Some("short")).await.unwrap_err().machine_code(), "weak_password");
        let login = archive.login("u", &first, Some("long enough")).await.unwrap();
        assert_eq!(archive.authenticate(&login.token).await.unwrap().name, "u");
        assert!(archive.sftp_login("u", Proof::Password("long enough")).await.is_ok());
    }

    #[tokio::test]
    async fn sessions_end() {
        let archive = with(&["readers"], password("right")).await;
        let login = archive.login("u", "right", None).await.unwrap();
        archive.logout(&login.token).await.unwrap();
        assert!(archive.authenticate(&login.token).await.is_err());
        let login = archive.login("u", "right", None).await.unwrap();
        archive.reset_password("u").await.unwrap();
        assert!(archive.authenticate(&login.token).await.is_err());
    }

    #[tokio::test]
    async fn the_last_admin_stays() {
        let archive = with(&["readers"], password("right")).await;
        assert_eq!(archive.remove_user("admin").await.unwrap_err().kind(), ErrorKind::Conflict);
        assert!(archive.set_groups("admin", ["readers".to_owned()].into()).await.is_err());
        assert!(archive.set_roles("admins", [Role::Reader].into()).await.is_err());
        archive.set_groups("u", ["admins".to_owned()].into()).await.unwrap();
        assert!(archive.remove_user("admin").await.is_ok());
    }

    #[tokio::test]
    async fn a_reader_sees_what_was_granted() {
        let archive = with(&["readers"], password("right")).await;
        let mailbox = crate::MailboxAddress::parse("a@b.example").unwrap();
        archive.add_mailbox(&mailbox).await.unwrap();
        let reader = archive.login("u", "right", None).await.unwrap();
        let reader = archive.authenticate(&reader.token).await.unwrap();
        assert!(!archive.visible(&reader).await.unwrap().includes(&mailbox));
        archive.grant(&mailbox, Grantee::Group("readers".into())).await.unwrap();
        assert!(archive.visible(&reader).await.unwrap().includes(&mailbox));
        let admin = Principal { name: "admin".into(), roles: [Role::Admin].into(), operator: false };
        assert!(archive.visible(&admin).await.is_err());
        assert_eq!(archive.visible(&Principal::operator()).await.unwrap(), Visible::All);
    }

    #[tokio::test]
    async fn grants_go_with_their_user() {
        let archive = with(&["readers"], password("right")).await;
        let mailbox = crate::MailboxAddress::parse("a@b.example").unwrap();
        archive.add_mailbox(&mailbox).await.unwrap();
        archive.grant(&mailbox, Grantee::User("u".into())).await.unwrap();
        archive.remove_user("u").await.unwrap();
        assert!(archive.grants().await.unwrap().is_empty());
    }

    const MADE: i64 = 1_000_000_000;

    /// A reader of that name, made then.
    fn reader(created: i64) -> User {
        User {
            name: "u".into(),
            groups: ["readers".to_owned()].into(),
            password: Some("a hash".into()),
            must_change: false,
            keys: [].into(),
            mfa: false,
            created,
        }
    }

    async fn with_reader(archive: &Archive) -> crate::MailboxAddress {
        archive.add(&Group { name: "readers".into(), roles: [Role::Reader].into() }).await.unwrap();
        archive.add(&reader(MADE)).await.unwrap();
        archive.add_mailbox(&crate::MailboxAddress::parse("a@b.example").unwrap()).await.unwrap().address
    }

    #[tokio::test]
    async fn a_namesake_has_no_part_in_what_a_cut_off_removal_left() {
        let to = || Grantee::User("u".into());
        for at in 0.. {
            let archive = archive();
            let mailbox = with_reader(&archive).await;
            archive.grant(&mailbox, to()).await.unwrap();
            let token = archive.begin_session(&reader(MADE)).await.unwrap().token;
            let faults = Faults::at(at, false);
            let _ = faults.before(&archive).remove_user("u").await;
            if archive.find::<User>("u").await.unwrap().is_none() {
                archive.add(&reader(MADE + 1)).await.unwrap();
                assert!(archive.authenticate(&token).await.is_err(), "effect {at}");
                let namesake = archive.principal(&reader(MADE + 1)).await.unwrap();
                assert!(!archive.visible(&namesake).await.unwrap().includes(&mailbox), "effect {at}");
                archive.grant(&mailbox, to()).await.unwrap();
                assert!(archive.visible(&namesake).await.unwrap().includes(&mailbox), "effect {at}");
            }
            if !faults.struck() {
                assert!(at > 0);
                return;
            }
        }
    }

    #[tokio::test]
    async fn no_grant_outlives_a_user_who_is_removed_at_once() {
        for seed in 0..100 {
            let archive = archive();
            let mailbox = with_reader(&archive).await;
            let [one, other] = [0, 1].map(|number| Faults::none().mixed(seed * 2 + number).before(&archive));
            let granted = one.grant(&mailbox, Grantee::User("u".into()));
            let (_, removed) = Box::pin(join(granted, other.remove_user("u"))).await;
            removed.unwrap();
            assert!(archive.grants().await.unwrap().is_empty(), "seed {seed}");
        }
    }
}
