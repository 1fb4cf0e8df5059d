//! The user and the groups that a new archive begins with.

use super::{Group, NewUser, Role, User};
use crate::{Archive, ErrorKind, Result, inventory::SLICES, kept, records::Record as _};

const ADMIN: &str = "admin";
const GROUPS: [(&str, Role); 4] =
    [("admins", Role::Admin), ("compliance", Role::Compliance), ("readers", Role::Reader), ("auditors", Role::Auditor)];

impl Archive {
    /// The user `admin` and the four groups of a new archive; answers the admin's first password if it was made now. An
    /// archive that has lost its catalogue is not new: whom it knows, its objects say.
    pub async fn create_first_user(&self) -> Result<Option<String>> {
        if self.has_no_user().await? && self.has_lost_its_users().await? {
            return Ok(None);
        }
        self.create_groups().await?;
        if self.find::<User>(ADMIN).await?.is_some() {
            return Ok(None);
        }
        let new = NewUser { name: ADMIN.into(), groups: vec!["admins".into()], ..NewUser::default() };
        Ok(self.add_user(new).await?.password)
    }

    /// Whether the archive is new: it has no user at all.
    pub async fn has_no_user(&self) -> Result<bool> {
        Ok(self.catalog.list(User::KIND, None, 1).await?.is_empty())
    }

    async fn has_lost_its_users(&self) -> Result<bool> {
        for prefix in [format!("{}{}/", kept::PREFIX, User::KIND), SLICES.into()] {
            if self.objects.list(&prefix, None, 1).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// As [`Self::create_first_user`], with a password that was kept somewhere before: where the process that makes the
    /// user may end at any moment, and several may make it at a time. Safe to repeat.
    pub async fn create_first_user_with(&self, password: &str) -> Result<()> {
        self.create_groups().await?;
        let new = NewUser { name: ADMIN.into(), groups: vec!["admins".into()], ..NewUser::default() };
        match self.add_user_with(new, Some(password.to_owned())).await {
            Err(error) if error.kind() != ErrorKind::Conflict => Err(error),
            _ => Ok(()),
        }
    }

    /// A password for [`Self::create_first_user_with`].
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
    use crate::testing::archive;

    #[tokio::test]
    async fn a_password_that_was_kept_counts_however_often_it_is_given() {
        let archive = archive();
        assert!(archive.has_no_user().await.unwrap());
        let password = archive.new_password();
        archive.create_first_user_with(&password).await.unwrap();
        archive.create_first_user_with("another").await.unwrap();
        assert!(!archive.has_no_user().await.unwrap());
        let error = archive.login("admin", &password, None).await.unwrap_err();
        assert_eq!(error.machine_code(), "password_change_needed");
        archive.login("admin", &password, Some("a long password")).await.unwrap();
        archive.create_first_user_with(&password).await.unwrap();
        archive.login("admin", "a long password", None).await.unwrap();
    }
}
