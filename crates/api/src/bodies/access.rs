//! Sessions, users, groups, grants.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Roles hang on groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Role {
    Admin,
    Compliance,
    Reader,
    Auditor,
}

/// What somebody brings to begin a session.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginSession {
    pub user: String,
    #[schema(format = Password)]
    pub password: String,
    /// Replaces the password; a first or reset password is taken only together with it.
    #[serde(default)]
    #[schema(format = Password)]
    pub new_password: Option<String>,
    /// The code of a second factor.
    #[serde(default)]
    pub totp: Option<String>,
}

/// A session that has begun.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Goes into `Authorization: Bearer TOKEN`; shown this once.
    pub token: String,
    pub user: String,
    #[schema(format = DateTime)]
    pub expires: Option<String>,
    pub roles: Vec<Role>,
}

/// Who the caller is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Who {
    pub user: String,
    pub roles: Vec<Role>,
    /// The command line beside the archive's own files; never a network caller.
    pub operator: bool,
}

/// A user, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
    /// The union of those of the groups.
    pub roles: Vec<Role>,
    pub mfa: bool,
    pub must_change_password: bool,
    /// Public keys in OpenSSH form, without comment.
    pub keys: Vec<String>,
    /// The random password that was just made: shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub password: Option<String>,
}

/// A user to be. Without password and key a random password is made, which the first login must change.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    pub name: String,
    #[serde(default)]
    pub groups: Vec<String>,
    #[serde(default)]
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Public keys, one OpenSSH line each.
    #[serde(default)]
    pub keys: Vec<String>,
    #[serde(default)]
    pub mfa: bool,
}

/// The groups that a user is in from now on: exactly these.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditUser {
    pub groups: Vec<String>,
}

/// One more public key, an OpenSSH line.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    pub key: String,
}

/// A group with its roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    pub name: String,
    pub roles: Vec<Role>,
}

/// A group to be. Roles are named in any case.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    pub name: String,
    #[serde(default)]
    pub roles: Vec<String>,
}

/// The roles that a group has from now on: exactly these, named in any case.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditGroup {
    pub roles: Vec<String>,
}

/// A user or a group may read a mailbox; one of the two is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    pub mailbox: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub group: Option<String>,
}

/// A grant to be made: give `user` or `group`, not both.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NewGrant {
    pub mailbox: String,
    #[serde(default)]
    pub user: Option<String>,
    #[serde(default)]
    pub group: Option<String>,
}
