//! A brake on guessing passwords: whoever was wrong too often about a user waits a while, a minute at most.
//!
//! Wrong passwords are counted by the name that was given, whether or not anybody has it, so that the brake tells nothing
//! about names. All names share 65,536 counters, so that guessing names does not fill the catalogue.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Archive, Error, ErrorKind, Result, hash::to_hex, records::Record};

/// So many wrong passwords in a row cost nothing: clients try an old one on several connections at once.
const FREE: u32 = 10;
/// The wait doubles with each further one, from a second up to this: who has the right password never waits longer.
const LONGEST_WAIT_SECONDS: i64 = 60;
/// A count is forgotten so long after its last wrong password.
const KEPT_SECONDS: i64 = 3600;

/// Wrong passwords in a row.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Guesses {
    counter: String,
    wrong: u32,
    last: i64,
}

impl Record for Guesses {
    const KIND: &'static str = "guesses";
    fn id(&self) -> String {
        self.counter.clone()
    }
    fn expires(&self) -> Option<i64> {
        Some(self.last + KEPT_SECONDS)
    }
}

impl Guesses {
    fn seconds_left(&self, now: i64) -> i64 {
        let Some(beyond) = self.wrong.checked_sub(FREE) else { return 0 };
        let wait = 1i64.checked_shl(beyond.min(30)).unwrap_or(LONGEST_WAIT_SECONDS).min(LONGEST_WAIT_SECONDS);
        // A clock that was set back makes nobody wait longer.
        (self.last + wait - now).min(wait)
    }
}

fn counter(name: &str) -> String {
    to_hex(Sha256::digest(name).get(..2).unwrap_or_default())
}

impl Archive {
    /// `Denied` as long as passwords for this name must wait; otherwise whether any was wrong of late. What is refused here
    /// is not counted.
    pub(super) async fn check_brake(&self, name: &str) -> Result<bool> {
        let Some(guesses) = self.find::<Guesses>(&counter(name)).await? else { return Ok(false) };
        match guesses.value.seconds_left(self.clock.now()) {
            left if left > 0 => {
                let error = Error::denied(format!("too many wrong passwords for {name:?}")).code("too_many_attempts");
                Err(error.hint(format!("try again in {left} seconds")))
            }
            _ => Ok(true),
        }
    }

    pub(super) async fn count_wrong(&self, name: &str) -> Result<()> {
        let now = self.clock.now();
        let count = |guesses: &mut Guesses| {
            let is_old = guesses.last + KEPT_SECONDS <= now;
            guesses.wrong = if is_old { 1 } else { guesses.wrong.saturating_add(1) };
            guesses.last = now;
            Ok(())
        };
        match self.update::<Guesses>(&counter(name), count).await {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            counted => return counted.map(drop),
        }
        match self.add(&Guesses { counter: counter(name), wrong: 1, last: now }).await {
            // Somebody was wrong in the same moment, and is counted.
            Err(e) if e.kind() == ErrorKind::Conflict => Ok(()),
            added => added.map(drop),
        }
    }

    pub(super) async fn forget_wrong(&self, name: &str) -> Result<()> {
        self.drop_record::<Guesses>(None, &counter(name)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        access::{NewUser, Proof},
        testing::Memory,
    };

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKs";

    async fn archive() -> (std::sync::Arc<Memory>, Archive) {
        let memory = std::sync::Arc::new(Memory::new(1));
        let archive = memory.archive();
        archive.create_first_user("the first one").await.unwrap();
        let user = NewUser {
            name: "u".into(),
            groups: ["compliance".to_owned()].into(),
            password: Some("right".into()),
            keys: vec![KEY.into()],
            ..NewUser::default()
        };
        archive.add_user(user).await.unwrap();
        (memory, archive)
    }

    /// By SFTP and by HTTP in turn: the codes of what was refused.
    async fn guess(archive: &Archive, name: &str, times: u32) -> Vec<String> {
        let mut codes = Vec::new();
        for n in 0..times {
            let refused = if n % 2 == 0 {
                archive.sftp_login(name, Proof::Password("wrong")).await.unwrap_err()
            } else {
                archive.login(name, "wrong", None).await.unwrap_err()
            };
            assert_eq!(refused.kind(), ErrorKind::Denied);
            codes.push(refused.machine_code().to_owned());
        }
        codes
    }

    #[tokio::test]
    async fn guessing_is_slowed_down_and_the_right_password_waits_a_moment() {
        let (memory, archive) = archive().await;
        let right = Proof::Password("right");
        for _ in 0..2 {
            assert!(guess(&archive, "u", FREE).await.iter().all(|code| code == "wrong_login"));
            let refused = [archive.login("u", "right", None).await.err(), archive.sftp_login("u", right).await.err()];
            assert!(refused.into_iter().all(|error| error.unwrap().machine_code() == "too_many_attempts"));
            // A key is nothing that can be guessed.
            archive.sftp_login("u", Proof::Key(KEY)).await.unwrap();
            memory.clock.advance(Duration::from_secs(1));
            archive.login("u", "right", None).await.unwrap();
            // With the right password all is forgotten.
        }
    }

    #[tokio::test]
    async fn guesses_side_by_side_are_slowed_down_too() {
        let (_, archive) = archive().await;
        let guesses = (0..40).map(|_| archive.login("u", "wrong", None));
        let refused = futures::future::join_all(guesses).await;
        let tried = refused.into_iter().filter(|refused| refused.as_ref().unwrap_err().machine_code() == "wrong_login");
        let tried = tried.count();
        assert!((FREE as usize..FREE as usize + 8).contains(&tried), "{tried}");
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_a_minute() {
        let (memory, archive) = archive().await;
        guess(&archive, "u", FREE).await;
        for wrong in 0..12 {
            // What is refused in the wait does not prolong it.
            assert_eq!(guess(&archive, "u", 3).await, ["too_many_attempts"; 3], "{wrong}");
            memory.clock.advance(Duration::from_mins(1));
            assert_eq!(guess(&archive, "u", 1).await, ["wrong_login"], "{wrong}");
        }
        memory.clock.advance(Duration::from_secs(59));
        assert_eq!(guess(&archive, "u", 1).await, ["too_many_attempts"]);
        memory.clock.advance(Duration::from_secs(1));
        archive.sftp_login("u", Proof::Password("right")).await.unwrap();
    }

    #[tokio::test]
    async fn names_that_nobody_has_are_treated_alike_and_others_not_at_all() {
        let (memory, archive) = archive().await;
        assert!(guess(&archive, "nobody", FREE).await.iter().all(|code| code == "wrong_login"));
        assert_eq!(guess(&archive, "nobody", 1).await, ["too_many_attempts"]);
        archive.login("u", "right", None).await.unwrap();
        // After an hour it counts from the beginning.
        memory.clock.advance(Duration::from_hours(1));
        assert!(guess(&archive, "nobody", FREE).await.iter().all(|code| code == "wrong_login"));
    }

    #[tokio::test]
    async fn whoever_keeps_a_password_may_always_ask_whether_it_still_serves() {
        let (_, archive) = archive().await;
        guess(&archive, "u", FREE).await;
        assert!(archive.is_password_of("u", "right").await.unwrap());
        assert!(!archive.is_password_of("u", "wrong").await.unwrap());
        assert!(!archive.is_password_of("nobody", "right").await.unwrap());
    }
}
