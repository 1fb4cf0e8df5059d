//! The user and the groups that a new archive begins with.

use super::{Group, NewUser, Role, User};
use crate::{Archive, ErrorKind, Result, inventory::SLICES, kept, records::Record as _};

const ADMIN: &str = "admin";
const GROUPS: [(&str, Role); 4] =
    [("admins", Role::Admin), ("compliance", Role::Compliance), ("readers", Role::Reader), ("auditors", Role::Auditor)];

impl Archive {
    /// Whether the archive has no user and never had one. One that has lost its catalogue, or gets a new one, is not new:
    /// whom it knows, its objects say.
    pub async fn is_new(&self) -> Result<bool> {
        let has_no_user = self.catalog.list(User::KIND, None, 1).await?.is_empty();
        Ok(has_no_user && !self.is_rebuild_unfinished().await? && !self.has_lost_its_users().await?)
    }

    async fn has_lost_its_users(&self) -> Result<bool> {
        for prefix in [format!("{}{}/", kept::PREFIX, User::KIND), SLICES.into()] {
            if self.objects.list(&prefix, None, 1).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The user `admin` and the four groups of a new archive, with a password that was kept somewhere before: the process
    /// that makes the user may end at any moment, and several may make it at a time. Safe to repeat.
    pub async fn create_first_user(&self, password: &str) -> Result<()> {
        self.create_groups().await?;
        let new = NewUser { name: ADMIN.into(), groups: vec!["admins".into()], ..NewUser::default() };
        match self.add_user_with(new, Some(password.to_owned())).await {
            Err(error) if error.kind() != ErrorKind::Conflict => Err(error),
            _ => Ok(()),
        }
    }

    /// A password for [`Self::create_first_user`].
    pub fn new_password(&self) -> String {
        self.random_password()
    }

    async fn create_groups(&self) -> Result<()> {
        for (name, role) in GROUPS {
            if self.find::<Group>(name).await?.is_some() {
                continue;
            }
            match self.add(&Group { name: name.into(), roles: [role].into() }).await {
                // Somebody else made it at the same time.
                Err(error) if error.kind() != ErrorKind::Conflict => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{access::NewUser, testing::archive};

    #[tokio::test]
    async fn a_password_that_was_kept_counts_however_often_it_is_given() {
        let archive = archive();
        assert!(archive.is_new().await.unwrap());
        let password = archive.new_password();
        archive.create_first_user(&password).await.unwrap();
        archive.create_first_user("another").await.unwrap();
        assert!(!archive.is_new().await.unwrap());
        let error = archive.login("admin", &password, None).await.unwrap_err();
        assert_eq!(error.machine_code(), "password_change_needed");
        archive.login("admin", &password, Some("a long password")).await.unwrap();
        archive.create_first_user(&password).await.unwrap();
        archive.login("admin", "a long password", None).await.unwrap();
    }

    #[tokio::test]
    async fn an_admin_who_was_removed_is_not_made_again() {
        let archive = archive();
        archive.create_first_user("the first one").await.unwrap();
        let groups = vec!["admins".into()];
        let other = NewUser { name: "eva".into(), groups, password: Some("another".into()), ..NewUser::default() };
        archive.add_user(other).await.unwrap();
        archive.remove_user("admin").await.unwrap();
        assert!(!archive.is_new().await.unwrap());
    }
}
