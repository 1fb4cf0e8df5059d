//! A store that holds nothing.

use std::ops::Range;

use archive::{
    Error, Result,
    ports::{ByteStream, ETag, ObjectKey, ObjectMeta, ObjectWriter, Objects, PutMode},
};
use async_trait::async_trait;
use bytes::Bytes;

use super::absent;

/// Stands where a function has no store: there are no files of an operator's beside it. Holds nothing, takes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

#[async_trait]
impl Objects for Nothing {
    async fn head(&self, _: &ObjectKey) -> Result<Option<ObjectMeta>> {
        Ok(None)
    }
    async fn get(&self, key: &ObjectKey, _: Range<u64>, _: Option<&ETag>) -> Result<Bytes> {
        Err(absent(key))
    }
    async fn stream(&self, key: &ObjectKey, _: Range<u64>, _: Option<&ETag>) -> Result<ByteStream> {
        Err(absent(key))
    }
    async fn put(&self, key: &ObjectKey, _: Bytes, _: PutMode) -> Result<ETag> {
        Err(refused(key))
    }
    async fn create(&self, key: &ObjectKey) -> Result<Box<dyn ObjectWriter>> {
        Err(refused(key))
    }
    async fn list(&self, _: &str, _: Option<&ObjectKey>, _: usize) -> Result<Vec<ObjectMeta>> {
        Ok(Vec::new())
    }
    async fn delete(&self, _: &ObjectKey, _: Option<&ETag>) -> Result<bool> {
        Ok(false)
    }
}

fn refused(key: &ObjectKey) -> Error {
    Error::denied(format!("object {key}: nothing can be kept here"))
}

#[cfg(test)]
mod tests {
    use archive::ErrorKind;

    use super::*;

    #[tokio::test]
    async fn nothing_is_there_and_nothing_comes() {
        let key = ObjectKey::parse("a").unwrap();
        assert_eq!(Nothing.head(&key).await.unwrap(), None);
        assert_eq!(Nothing.list("", None, 10).await.unwrap(), []);
        assert_eq!(Nothing.get(&key, 0..0, None).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(Nothing.put(&key, Bytes::new(), PutMode::Overwrite).await.unwrap_err().kind(), ErrorKind::Denied);
        assert!(Nothing.create(&key).await.is_err() && !Nothing.delete(&key, None).await.unwrap());
    }
}
