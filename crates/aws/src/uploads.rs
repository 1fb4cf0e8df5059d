//! The bucket of uploads, with markers beside the files.
//!
//! Transfer Family shows the bucket as it is, so the state of an upload is shown by an object of its own, which the
//! uploader sees in the listing:
//!
//! | state | marker | content |
//! |---|---|---|
//! | pending | `USER/(Pending) NAME` | empty |
//! | rejected | `USER/(Rejected) NAME` | the reason, as text |
//! | ready | none | |
//!
//! Markers are no uploads: the archive never sees them.

use std::{fmt, ops::Range, sync::Arc, time::Duration};

use archive::{
    Error, Result,
    ports::{ByteStream, ETag, ObjectKey, ObjectMeta, ObjectWriter, Objects, PutMode},
    uploads::{PENDING, REJECTED, Upload, UploadState},
};
use async_trait::async_trait;
use bytes::Bytes;

const PREFIXES: [&str; 2] = [PENDING, REJECTED];
/// A reason is for people; no text is longer.
const MAX_REASON_BYTES: usize = 4096;

/// The upload store as the archive sees it: files without their markers. A file that is deleted takes its markers with
/// it.
pub struct Uploads {
    bucket: Arc<dyn Objects>,
    markers: Markers,
}

/// Shows the states of uploads to whoever uploaded them.
#[derive(Clone)]
pub struct Markers {
    bucket: Arc<dyn Objects>,
}

impl Uploads {
    /// Over the bucket itself.
    pub fn new(bucket: Arc<dyn Objects>) -> Self {
        Self { markers: Markers::new(Arc::clone(&bucket)), bucket }
    }
}

impl Markers {
    /// Over the bucket itself, not over [`Uploads`], which hides them.
    pub fn new(bucket: Arc<dyn Objects>) -> Self {
        Self { bucket }
    }

    /// Whether the key is a marker's. What a client uploads under such a name is taken for one.
    pub fn is_marker(key: &ObjectKey) -> bool {
        let name = key.as_str().rsplit('/').next().unwrap_or_default();
        PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    }

    /// Makes the marker of the upload's state and removes the other. Safe to repeat.
    pub async fn show(&self, upload: &Upload) -> Result<()> {
        let (shown, text) = match upload.state {
            UploadState::Pending => (Some(PENDING), ""),
            UploadState::Rejected => (Some(REJECTED), upload.reason.as_deref().unwrap_or_default()),
            UploadState::Ready => (None, ""),
        };
        for prefix in PREFIXES {
            let Some(marker) = marker(&upload.key, prefix) else { continue };
            if shown == Some(prefix) {
                let text = text.get(..text.floor_char_boundary(MAX_REASON_BYTES)).unwrap_or_default();
                self.bucket.put(&marker, Bytes::copy_from_slice(text.as_bytes()), PutMode::Overwrite).await?;
            } else {
                self.bucket.delete(&marker, None).await?;
            }
        }
        // Whoever has deleted the file meanwhile may have looked for its markers before there was one.
        if shown.is_some() && self.bucket.head(&upload.key).await?.is_none() {
            self.remove(&upload.key).await?;
        }
        Ok(())
    }

    /// Removes the markers of a file that is gone.
    pub async fn remove(&self, of: &ObjectKey) -> Result<()> {
        for marker in PREFIXES.into_iter().filter_map(|prefix| marker(of, prefix)) {
            self.bucket.delete(&marker, None).await?;
        }
        Ok(())
    }
}

/// None for a name that is so long that its marker would be no key.
fn marker(of: &ObjectKey, prefix: &str) -> Option<ObjectKey> {
    let (folder, name) = of.as_str().rsplit_once('/').map_or(("", of.as_str()), |(folder, name)| (folder, name));
    let slash = if folder.is_empty() { "" } else { "/" };
    ObjectKey::parse(format!("{folder}{slash}{prefix}{name}")).ok()
}

fn hidden(key: &ObjectKey) -> Result<()> {
    if Markers::is_marker(key) {
        return Err(Error::not_found(format!("object {key} is no upload")));
    }
    Ok(())
}

#[async_trait]
impl Objects for Uploads {
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
        if Markers::is_marker(key) { Ok(None) } else { self.bucket.head(key).await }
    }

    async fn get(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<Bytes> {
        hidden(key)?;
        self.bucket.get(key, range, pinned).await
    }

    async fn stream(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<ByteStream> {
        hidden(key)?;
        self.bucket.stream(key, range, pinned).await
    }

    async fn put(&self, key: &ObjectKey, bytes: Bytes, mode: PutMode) -> Result<ETag> {
        hidden(key)?;
        self.bucket.put(key, bytes, mode).await
    }

    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn ObjectWriter>> {
        hidden(key)?;
        self.bucket.create(key).await
    }

    /// Asks on until there are enough: a user's markers sort together, and may fill a page.
    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<ObjectMeta>> {
        let (mut files, mut after) = (Vec::new(), after.cloned());
        while files.len() < limit {
            let wanted = limit - files.len();
            let page = self.bucket.list(prefix, after.as_ref(), wanted).await?;
            let whole = page.len() < wanted;
            after = page.last().map(|last| last.key.clone());
            files.extend(page.into_iter().filter(|meta| !Markers::is_marker(&meta.key)));
            if whole {
                break;
            }
        }
        Ok(files)
    }

    async fn delete(&self, key: &ObjectKey, pinned: Option<&ETag>) -> Result<bool> {
        if Markers::is_marker(key) {
            return Ok(false);
        }
        let was_there = self.bucket.delete(key, pinned).await?;
        self.markers.remove(key).await?;
        Ok(was_there)
    }

    async fn link(&self, key: &ObjectKey, lifetime: Duration, file_name: &str) -> Result<Option<String>> {
        hidden(key)?;
        self.bucket.link(key, lifetime, file_name).await
    }
}

impl fmt::Debug for Uploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Uploads")
    }
}

impl fmt::Debug for Markers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Markers")
    }
}

#[cfg(test)]
mod tests {
    use archive::{
        testing::{MemoryObjects, suites},
        uploads::Kind,
    };

    use super::*;

    fn key(text: &str) -> ObjectKey {
        ObjectKey::parse(text).unwrap()
    }

    fn upload(name: &str, state: UploadState, reason: Option<&str>) -> Upload {
        Upload {
            key: key(name),
            state,
            kind: Kind::Unknown,
            size_bytes: 1,
            etag: ETag("e".into()),
            arrived: 0,
            export_id: None,
            export_name: None,
            volume: None,
            seal: None,
            mails: None,
            encrypted: None,
            code: None,
            reason: reason.map(str::to_owned),
            import: None,
            further: None,
        }
    }

    async fn names(store: &dyn Objects, limit: usize) -> Vec<String> {
        let list = store.list("", None, limit).await.unwrap();
        list.into_iter().map(|meta| meta.key.into()).collect()
    }

    #[tokio::test]
    async fn without_markers_it_is_the_bucket() {
        suites::objects(&Uploads::new(Arc::new(MemoryObjects::default()))).await;
    }

    #[tokio::test]
    async fn a_marker_follows_the_state_and_goes_with_the_file() {
        let bucket = Arc::new(MemoryObjects::default());
        let (uploads, markers) = (Uploads::new(bucket.clone()), Markers::new(bucket.clone()));
        let etag = uploads.put(&key("anna/a.zip"), Bytes::from_static(b"1"), PutMode::Overwrite).await.unwrap();
        for _ in 0..2 {
            markers.show(&upload("anna/a.zip", UploadState::Pending, None)).await.unwrap();
            assert_eq!(names(&*bucket, 10).await, ["anna/(Pending) a.zip", "anna/a.zip"]);
        }
        markers.show(&upload("anna/a.zip", UploadState::Rejected, Some("füße"))).await.unwrap();
        assert_eq!(names(&*bucket, 10).await, ["anna/(Rejected) a.zip", "anna/a.zip"]);
        assert_eq!(bucket.get(&key("anna/(Rejected) a.zip"), 0..6, None).await.unwrap(), "füße");
        markers.show(&upload("anna/a.zip", UploadState::Ready, None)).await.unwrap();
        assert_eq!(names(&*bucket, 10).await, ["anna/a.zip"]);

        markers.show(&upload("anna/a.zip", UploadState::Pending, None)).await.unwrap();
        // Nothing goes if the file is another one by now.
        assert!(uploads.delete(&key("anna/a.zip"), Some(&ETag("other".into()))).await.is_err());
        assert_eq!(names(&*bucket, 10).await.len(), 2);
        assert!(uploads.delete(&key("anna/a.zip"), Some(&etag)).await.unwrap());
        assert_eq!(names(&*bucket, 10).await, [""; 0]);
        // A look at the file that ends when it is gone.
        markers.show(&upload("anna/a.zip", UploadState::Rejected, None)).await.unwrap();
        assert_eq!(names(&*bucket, 10).await, [""; 0]);
    }

    #[tokio::test]
    async fn markers_are_no_uploads() {
        let bucket = Arc::new(MemoryObjects::default());
        let (uploads, markers) = (Uploads::new(bucket.clone()), Markers::new(bucket));
        let files: Vec<_> = (0..20).map(|n| format!("anna/{n:02}.zip")).collect();
        for file in &files {
            uploads.put(&key(file), Bytes::new(), PutMode::Overwrite).await.unwrap();
            markers.show(&upload(file, UploadState::Rejected, Some("no"))).await.unwrap();
        }
        for limit in [1, 3, 20, 50] {
            assert_eq!(names(&uploads, limit).await, files.iter().take(limit).cloned().collect::<Vec<_>>());
        }
        let marker = key("anna/(Rejected) 00.zip");
        assert!(Markers::is_marker(&marker) && Markers::is_marker(&key("(Pending) a")));
        assert!(!Markers::is_marker(&key("(Pending) a/b")) && !Markers::is_marker(&key("anna/a (Pending) b")));
        assert_eq!(uploads.head(&marker).await.unwrap(), None);
        assert!(uploads.get(&marker, 0..1, None).await.is_err());
        assert!(!uploads.delete(&marker, None).await.unwrap());
        assert!(uploads.put(&marker, Bytes::new(), PutMode::Overwrite).await.is_err());
    }

    #[tokio::test]
    async fn a_name_too_long_for_a_marker_has_none() {
        let bucket = Arc::new(MemoryObjects::default());
        let long = format!("anna/{}", "x".repeat(1015));
        Markers::new(bucket.clone()).show(&upload(&long, UploadState::Pending, None)).await.unwrap();
        assert_eq!(names(&*bucket, 10).await, [""; 0]);
    }
}
