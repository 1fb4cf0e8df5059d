//! Listing, in byte order of the keys.

use archive::{
    Result,
    ports::{ETag, ObjectKey, ObjectMeta},
};
use aws_sdk_s3::{
    operation::list_objects_v2::ListObjectsV2Output,
    types::{EncodingType, Object},
};

use super::Bucket;
use crate::error;

/// Of one request; S3's limit.
const PAGE: usize = 1000;

impl Bucket {
    pub(super) async fn names(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<ObjectMeta>> {
        let mut found: Vec<ObjectMeta> = Vec::new();
        let mut next: Option<String> = None;
        while found.len() < limit {
            let page = self.page(prefix, after, next, (limit - found.len()).min(PAGE)).await?;
            let encoded = page.encoding_type == Some(EncodingType::Url);
            found.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| meta(object, encoded)));
            next = page.next_continuation_token.filter(|_| page.is_truncated == Some(true));
            if next.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Keys come as they are. An answer with a key that XML cannot carry (anybody can upload under one) is not
    /// understood; it is asked for again with keys encoded. Not at once, because LocalStack takes encoded keys for the
    /// order.
    async fn page(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
        next: Option<String>,
        limit: usize,
    ) -> Result<ListObjectsV2Output> {
        let list = self.client.list_objects_v2().bucket(&*self.name).prefix(prefix);
        let list = list.max_keys(i32::try_from(limit).unwrap_or(i32::MAX)).set_continuation_token(next);
        let list = list.set_start_after(after.map(|key| key.as_str().to_owned()));
        let page = match list.clone().send().await {
            Err(e) if error::status(&e) == Some(200) => list.encoding_type(EncodingType::Url).send().await,
            page => page,
        };
        page.map_err(|e| error::from_sdk(format_args!("bucket {}", self.name), &e))
    }
}

/// None for what is no key of ours, such as the `USER/` that consoles and SFTP make for a folder.
fn meta(object: Object, encoded: bool) -> Option<ObjectMeta> {
    let key = if encoded { decoded(&object.key?)? } else { object.key? };
    Some(ObjectMeta {
        key: ObjectKey::parse(key).ok()?,
        size_bytes: u64::try_from(object.size?).ok()?,
        etag: ETag(object.e_tag?),
        modified: object.last_modified?.secs(),
    })
}

/// Undoes the encoding of forms: `+` for a space, `%XX` for a byte.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_once() {
        assert_eq!(decoded("in/hello+world%2B%C3%A9%252F").unwrap(), "in/hello world+é%2F");
        assert_eq!(decoded("a%20b").unwrap(), "a b");
        assert!(["%", "%2", "%zz", "%FF"].iter().all(|text| decoded(text).is_none()));
    }
}
