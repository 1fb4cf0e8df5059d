//! The admin's first password, kept beside the archive until it is changed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use archive::{Archive, Error, Result};
use axum::{
    extract::{Request, State},
    http::Method,
    middleware::{self, Next},
    response::Response,
};

fn path_in(data: &Path) -> PathBuf {
    data.join("initial-admin-password")
}

/// Makes the first user of a new archive. The password is kept before it counts: whenever this is cut off, the next start
/// goes on with it.
pub(crate) async fn make_first_user(archive: &Archive, data: &Path) -> Result<()> {
    if !archive.is_new().await? {
        return Ok(());
    }
    if kept(data)?.is_none() {
        keep(data, &archive.new_password())?;
    }
    let password = kept(data)?.ok_or_else(|| Error::conflict("the first password was removed just now"))?;
    archive.create_first_user(&password).await
}

/// Writes the password, whole or not at all, where only the folder's owner reads it.
fn keep(data: &Path, password: &str) -> Result<()> {
    let (path, new) = (path_in(data), data.join("initial-admin-password.new"));
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        writeln!(file, "{password}")?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(data)?.sync_all()
    };
    write().map_err(|error| Error::unavailable(format!("{} could not be written", path.display())).caused_by(error))
}

/// The password that is kept; none if it was changed.
pub(crate) fn kept(data: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path_in(data)) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::denied(path_in(data).display().to_string()).caused_by(error)),
    }
}

/// Removes the file once its password opens nothing any more.
pub(crate) async fn forget_if_changed(archive: &Archive, data: &Path) -> Result<()> {
    let Some(password) = kept(data)? else { return Ok(()) };
    if archive.is_password_of("admin", &password).await? {
        return Ok(());
    }
    fs::remove_file(path_in(data))
        .map_err(|error| Error::unavailable(path_in(data).display().to_string()).caused_by(error))
}

/// The router, with a look at the kept password after each request that may have changed it.
pub(crate) fn watched(router: axum::Router, archive: Archive, data: &Path) -> axum::Router {
    router.layer(middleware::from_fn_with_state((archive, data.to_owned()), look_after))
}

async fn look_after(State((archive, data)): State<(Archive, PathBuf)>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let may_change =
        request.method() != Method::GET && (path.starts_with("/api/v1/session") || path.starts_with("/api/v1/users"));
    let response = next.run(request).await;
    if may_change && let Err(error) = forget_if_changed(&archive, &data).await {
        tracing::warn!("the admin's first password: {error}");
    }
    response
}
