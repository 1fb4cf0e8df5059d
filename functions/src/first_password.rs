//! The admin's first password, kept beside the archive until it is changed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use archive::{
    Archive, Error, ErrorKind, Result,
    ports::{ObjectKey, PutMode},
};
use axum::{
    Router,
    extract::{Request, State},
    http::Method,
    middleware::{self, Next},
    response::Response,
};

const KEY: &str = "initial-admin-password";

/// Makes the first user of a new archive. The password is kept before it counts, so that none is lost however often
/// this is cut off, and several functions that start at a time agree on one.
pub async fn make_first_user(archive: &Archive) -> Result<()> {
    if !archive.is_new().await? {
        return Ok(());
    }
    let made = format!("{}\n", archive.new_password());
    match archive.objects.put(&key()?, made.into(), PutMode::IfAbsent).await {
        Err(error) if error.kind() != ErrorKind::Conflict => return Err(error),
        _ => {}
    }
    let kept = kept(archive).await?.ok_or_else(|| Error::conflict("the first password was changed just now"))?;
    archive.create_first_user(&kept).await?;
    tracing::info!("the archive is new: the first password of admin lies in the archive's bucket as {KEY}");
    Ok(())
}

fn key() -> Result<ObjectKey> {
    ObjectKey::parse(KEY)
}

async fn kept(archive: &Archive) -> Result<Option<String>> {
    let key = key()?;
    let Some(meta) = archive.objects.head(&key).await? else { return Ok(None) };
    let bytes = archive.objects.get(&key, 0..meta.size_bytes, Some(&meta.etag)).await?;
    let text = String::from_utf8(bytes.into()).map_err(|error| Error::corrupt(KEY).caused_by(error))?;
    Ok(Some(text.trim_end().to_owned()))
}

/// Removes the object once its password opens nothing any more; answers whether it is gone.
async fn forget_if_changed(archive: &Archive) -> Result<bool> {
    let Some(password) = kept(archive).await? else { return Ok(true) };
    if archive.is_password_of("admin", &password).await? {
        return Ok(false);
    }
    archive.objects.delete(&key()?, None).await.map(|_| true)
}

#[derive(Clone)]
struct Watch {
    archive: Archive,
    /// It never comes back.
    is_gone: Arc<AtomicBool>,
}

/// The router, with a look at the kept password after each request that may have changed it.
pub fn watched(router: Router, archive: Archive) -> Router {
    let watch = Watch { archive, is_gone: Arc::default() };
    router.layer(middleware::from_fn_with_state(watch, look_after))
}

async fn look_after(State(watch): State<Watch>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let may_change =
        request.method() != Method::GET && (path.starts_with("/api/v1/session") || path.starts_with("/api/v1/users"));
    let response = next.run(request).await;
    if may_change && !watch.is_gone.load(Ordering::Relaxed) {
        match forget_if_changed(&watch.archive).await {
            Ok(is_gone) => watch.is_gone.store(is_gone, Ordering::Relaxed),
            Err(error) => tracing::warn!("the admin's first password: {error}"),
        }
    }
    response
}
