//! The last Admin stays, whoever else is being removed at the same moment.
//!
//! A change that takes the role Admin from somebody rests on somebody who keeps it, and on a group that gives it. It reads
//! what it changes, then writes those two again as they are, and makes the change only if what it changes is still as it was
//! read. Of changes that rest on each other one comes too late: its own record was written again in between. Nothing is
//! held meanwhile, so that a crash leaves nothing behind.

use std::collections::BTreeSet;

use super::{Group, Role, User};
use crate::{
    Archive, Error, ErrorKind, Result,
    records::{Record, Stored},
};

/// So often others may come between.
const MAX_TRIES: usize = 20;

/// All users and groups, as they are or as a change would leave them.
#[derive(Clone)]
struct People {
    users: Vec<User>,
    groups: Vec<Group>,
}

impl People {
    /// Who is an Admin, with each of the groups that make them one.
    fn admins(&self) -> BTreeSet<(&str, &str)> {
        let mut admins = BTreeSet::new();
        for group in self.groups.iter().filter(|group| gives_admin(group)) {
            let members = self.users.iter().filter(|user| is_in(user, &group.name));
            admins.extend(members.map(|user| (user.name.as_str(), group.name.as_str())));
        }
        admins
    }

    fn has_more_admins(&self, other: &Self) -> bool {
        !self.admins().is_subset(&other.admins())
    }
}

/// Whether the user is in the group and can log in.
fn is_in(user: &User, group: &str) -> bool {
    user.password.is_some() && !user.mfa && user.groups.contains(group)
}

fn gives_admin(group: &Group) -> bool {
    group.roles.contains(&Role::Admin)
}

impl Archive {
    /// Puts a user into exactly these groups; `Conflict` if nobody would be an Admin any more.
    pub(super) async fn regroup(&self, name: &str, groups: &BTreeSet<String>) -> Result<User> {
        for _ in 0..MAX_TRIES {
            let mut user: Stored<User> = self.need(name).await?;
            user.value.groups.clone_from(groups);
            let before = self.people().await?;
            let mut after = before.clone();
            after.users.retain(|user| user.name != name);
            after.users.push(user.value.clone());
            if before.has_more_admins(&after) && !self.rest_on_an_admin(&after, Some(name)).await? {
                continue;
            }
            match self.save(user).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                saved => return saved.map(|user| user.value),
            }
        }
        Err(all_the_time())
    }

    /// Drops the record of a user; `Conflict` if nobody would be an Admin any more.
    pub(super) async fn drop_user(&self, name: &str) -> Result<User> {
        for _ in 0..MAX_TRIES {
            let user: Stored<User> = self.need(name).await?;
            let before = self.people().await?;
            let mut after = before.clone();
            after.users.retain(|user| user.name != name);
            if before.has_more_admins(&after) && !self.rest_on_an_admin(&after, None).await? {
                continue;
            }
            match self.drop_unchanged(&user).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                dropped => return dropped.map(|_| user.value),
            }
        }
        Err(all_the_time())
    }

    /// Gives the group exactly these roles; the last Admin stays one.
    pub async fn set_roles(&self, name: &str, roles: BTreeSet<Role>) -> Result<Group> {
        for _ in 0..MAX_TRIES {
            let mut group: Stored<Group> = self.need(name).await?;
            let loses_it = gives_admin(&group.value) && !roles.contains(&Role::Admin);
            group.value.roles.clone_from(&roles);
            let before = self.people().await?;
            let mut after = before.clone();
            after.groups.retain(|group| group.name != name);
            after.groups.push(group.value.clone());
            // Though it has no member: the last Admin may be about to move into it.
            let rests = loses_it && !before.admins().is_empty();
            if rests && !self.rest_on_an_admin(&after, None).await? {
                continue;
            }
            match self.save(group).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                saved => return saved.map(|group| group.value),
            }
        }
        Err(all_the_time())
    }

    async fn people(&self) -> Result<People> {
        Ok(People { users: self.all(None).await?, groups: self.groups().await? })
    }

    /// Writes again a group that still gives the role, and then a member of it; but not `own`, the user that is to be
    /// changed. False if they do not make an Admin any more: then everything is to be looked at again.
    async fn rest_on_an_admin(&self, after: &People, own: Option<&str>) -> Result<bool> {
        let Some(&(user, by)) = after.admins().first() else {
            return Err(Error::conflict("the last Admin cannot be removed").hint("make somebody else an Admin first"));
        };
        let check_group = |group: &mut Group| still(gives_admin(group));
        if !is_written(self.update::<Group>(by, check_group).await)? {
            return Ok(false);
        }
        let check_user = |user: &mut User| still(is_in(user, by));
        Ok(own == Some(user) || is_written(self.update::<User>(user, check_user).await)?)
    }
}

fn still(holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::conflict("an Admin was changed meanwhile")) }
}

fn is_written<T: Record>(written: Result<Stored<T>>) -> Result<bool> {
    match written {
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => Ok(false),
        written => written.map(|_| true),
    }
}

fn all_the_time() -> Error {
    Error::conflict("users and groups are being changed by others all the time").hint("try again")
}

#[cfg(test)]
mod tests {
    use futures::future::join;

    use super::*;
    use crate::testing::{archive, faulty::Faults};

    /// How somebody ceases to be an Admin.
    #[derive(Clone, Copy, Debug)]
    enum Way {
        Removal,
        OtherGroups,
        OtherRoles,
    }

    const WAYS: [Way; 3] = [Way::Removal, Way::OtherGroups, Way::OtherRoles];

    fn names(group: &str) -> BTreeSet<String> {
        [group.to_owned()].into()
    }

    /// Anna is one of the admins, and Bob one of the bosses: both groups have the role.
    async fn two_admins() -> Archive {
        let archive = archive();
        for (group, role) in [("admins", Role::Admin), ("bosses", Role::Admin), ("readers", Role::Reader)] {
            archive.add(&Group { name: group.into(), roles: [role].into() }).await.unwrap();
        }
        for (name, group) in [("anna", "admins"), ("bob", "bosses")] {
            let user = User {
                name: name.into(),
                groups: names(group),
                password: Some("a hash".into()),
                must_change: false,
                keys: BTreeSet::new(),
                mfa: false,
                created: 0,
            };
            archive.add(&user).await.unwrap();
        }
        archive
    }

    async fn take_from(archive: &Archive, way: Way, name: &str, group: &str) -> Result<()> {
        match way {
            Way::Removal => archive.remove_user(name).await.map(drop),
            Way::OtherGroups => archive.set_groups(name, names("readers")).await.map(drop),
            Way::OtherRoles => archive.set_roles(group, [Role::Reader].into()).await.map(drop),
        }
    }

    fn at_once(archive: &Archive, seed: u64) -> [Archive; 2] {
        [0, 1].map(|number| Faults::none().mixed(seed * 2 + number).before(archive))
    }

    async fn assert_an_admin(archive: &Archive, case: &str) {
        let people = archive.people().await.unwrap();
        assert!(!people.admins().is_empty(), "{case}: nobody is left");
    }

    #[tokio::test]
    async fn of_two_admins_who_go_at_once_one_stays() {
        let mut went = 0;
        for (way, other_way) in WAYS.into_iter().flat_map(|way| WAYS.map(|other| (way, other))) {
            for seed in 0..30 {
                let archive = two_admins().await;
                let [one, other] = at_once(&archive, seed);
                let anna = take_from(&one, way, "anna", "admins");
                let bob = take_from(&other, other_way, "bob", "bosses");
                let ends: [_; 2] = Box::pin(join(anna, bob)).await.into();
                let case = format!("{way:?}, {other_way:?}, seed {seed}");
                assert_an_admin(&archive, &case).await;
                let refused: Vec<_> = ends.iter().filter_map(|end| end.as_ref().err()).map(Error::kind).collect();
                assert!(!refused.is_empty() && refused.iter().all(|kind| *kind == ErrorKind::Conflict), "{case}");
                went += 2 - refused.len();
            }
        }
        assert!(went > 0, "they never let each other go");
    }

    #[tokio::test]
    async fn an_admin_does_not_move_into_a_group_that_loses_the_role_at_once() {
        for seed in 0..100 {
            let archive = two_admins().await;
            archive.remove_user("bob").await.unwrap();
            let [one, other] = at_once(&archive, seed);
            let moved = one.set_groups("anna", names("bosses"));
            let lost = take_from(&other, Way::OtherRoles, "bob", "bosses");
            let _ = Box::pin(join(moved, lost)).await;
            assert_an_admin(&archive, &format!("seed {seed}")).await;
        }
    }

    #[tokio::test]
    async fn who_is_no_admin_goes_without_one() {
        let archive = archive();
        for (name, role) in [("admins", Role::Admin), ("readers", Role::Reader)] {
            archive.add(&Group { name: name.into(), roles: [role].into() }).await.unwrap();
        }
        archive.set_roles("readers", [Role::Auditor].into()).await.unwrap();
        archive.set_roles("admins", [Role::Auditor].into()).await.unwrap();
    }
}
