//! Files of this machine as objects, for `import FILE`.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use archive::{
    Error, Result,
    ports::{ByteStream, ETag, ObjectKey, ObjectMeta, ObjectWriter, Objects, PutMode},
};
use async_trait::async_trait;
use bytes::Bytes;

use crate::{blocking::blocking, from_io, read, read::Reading};

/// Any readable file of this machine; read-only. The key is the absolute path without its leading `/`.
/// `get`, `stream`, `head` work as in every store; `list`, `put`, `create`, `delete` are `Denied`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files;

impl Files {
    /// The key of a file. Relative paths count from the working folder; the file's own name stays as it was given, even
    /// if it is a link. `NotFound` if its folder does not exist, `Invalid` if the path cannot be a key.
    pub fn key(path: &Path) -> Result<ObjectKey> {
        let shown = path.display();
        let fail = |e| from_io(shown.to_string(), e);
        let absolute = std::path::absolute(path).map_err(fail)?;
        let absolute = match (absolute.parent(), absolute.file_name()) {
            (Some(folder), Some(name)) => folder.canonicalize().map_err(fail)?.join(name),
            _ => absolute.canonicalize().map_err(fail)?,
        };
        let unfit =
            || Error::invalid(format!("path {} cannot be read from", path.display())).hint("rename or move the file");
        let text = absolute.to_str().ok_or_else(unfit)?;
        ObjectKey::parse(text.trim_start_matches('/')).map_err(|_| unfit())
    }
}

fn path_of(key: &ObjectKey) -> PathBuf {
    Path::new("/").join(key.as_str())
}

fn read_only<T>() -> Result<T> {
    Err(Error::denied("files outside of the archive are only read"))
}

#[async_trait]
impl Objects for Files {
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>> {
        let key = key.clone();
        blocking(move || read::meta(&path_of(&key), &key)).await
    }

    async fn get(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<Bytes> {
        let (key, pinned) = (key.clone(), pinned.cloned());
        blocking(move || Reading::open(&path_of(&key), &key, pinned.as_ref())?.get(range)).await
    }

    async fn stream(&self, key: &ObjectKey, range: Range<u64>, pinned: Option<&ETag>) -> Result<ByteStream> {
        let (key, pinned) = (key.clone(), pinned.cloned());
        blocking(move || Reading::open(&path_of(&key), &key, pinned.as_ref())).await?.stream(range)
    }

    async fn put(&self, _: &ObjectKey, _: Bytes, _: PutMode) -> Result<ETag> {
        read_only()
    }

    async fn create(&self, _: &ObjectKey) -> Result<Box<dyn ObjectWriter>> {
        read_only()
    }

    async fn list(&self, _: &str, _: Option<&ObjectKey>, _: usize) -> Result<Vec<ObjectMeta>> {
        read_only()
    }

    async fn delete(&self, _: &ObjectKey, _: Option<&ETag>) -> Result<bool> {
        read_only()
    }
}

#[cfg(test)]
mod tests {
    use archive::ErrorKind;
    use futures::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn a_file_is_read_and_never_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("Grüße 50%.mbox");
        std::fs::write(&path, b"0123456789").unwrap();
        let key = Files::key(&dir.path().join(".").join("../").join(dir.path()).join("Grüße 50%.mbox")).unwrap();
        assert!(key.as_str().ends_with("/Grüße 50%.mbox"));
        let meta = Files.head(&key).await.unwrap().unwrap();
        assert_eq!(meta.size_bytes, 10);
        assert_eq!(Files.get(&key, 2..5, Some(&meta.etag)).await.unwrap(), "234");
        let blocks: Vec<_> = Files.stream(&key, 0..10, None).await.unwrap().try_collect().await.unwrap();
        assert_eq!(blocks.concat(), b"0123456789");
        let denied = [
            Files.put(&key, Bytes::new(), PutMode::Overwrite).await.map(drop),
            Files.create(&key).await.map(drop),
            Files.delete(&key, None).await.map(drop),
            Files.list("", None, 1).await.map(drop),
        ];
        assert!(denied.iter().all(|end| end.as_ref().is_err_and(|e| e.kind() == ErrorKind::Denied)));
        std::fs::write(&path, b"changed").unwrap();
        assert_eq!(Files.get(&key, 0..1, Some(&meta.etag)).await.unwrap_err().kind(), ErrorKind::Conflict);
    }

    #[tokio::test]
    async fn what_is_no_file_is_not_found() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Files::key(dir.path()).unwrap();
        assert!(Files.head(&folder).await.unwrap().is_none());
        assert_eq!(Files.get(&folder, 0..0, None).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(Files::key(&dir.path().join("no/such")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(Files::key(&dir.path().join("line\nfeed")).unwrap_err().kind(), ErrorKind::Invalid);
    }
}
