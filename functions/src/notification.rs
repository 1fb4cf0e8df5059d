//! What S3 writes into a queue when an object was created.

use archive::{job::Job, ports::ObjectKey};
use serde::Deserialize;

/// The part of the event that is looked at; everything else may change without notice.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Notification {
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_name: String,
    s3: S3,
}

#[derive(Debug, Deserialize)]
struct S3 {
    object: Object,
}

#[derive(Debug, Deserialize)]
struct Object {
    key: String,
}

impl Notification {
    /// One look for each object that came in. A key that no upload can have is told of in the log, and is done with.
    pub(crate) fn jobs(self, is_marker: impl Fn(&ObjectKey) -> bool) -> Vec<Job> {
        let created = self.records.into_iter().filter(|record| {
            let name = record.event_name.strip_prefix("s3:").unwrap_or(&record.event_name);
            name.starts_with("ObjectCreated:")
        });
        let keys = created.filter_map(|record| key(&record.s3.object.key));
        keys.filter(|key| !is_marker(key)).map(|upload| Job::Intake { upload }).collect()
    }
}

fn key(encoded: &str) -> Option<ObjectKey> {
    let decoded = decode(encoded).map(ObjectKey::parse);
    match decoded {
        Some(Ok(key)) => Some(key),
        Some(Err(error)) => {
            tracing::warn!("an object came in that cannot be an upload: {error}");
            None
        }
        None => {
            tracing::warn!(encoded, "an object came in whose key is not UTF-8");
            None
        }
    }
}

/// Keys are form-encoded, once: `+` for a space, `%XX` for a byte of UTF-8. A `%` that begins no such pair stays.
fn decode(encoded: &str) -> Option<String> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut rest = encoded.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let byte = match (first, digit(behind.first()), digit(behind.get(1))) {
            (b'%', Some(high), Some(low)) => {
                rest = behind.get(2..).unwrap_or_default();
                u8::try_from(high * 16 + low).unwrap_or_default()
            }
            (b'+', _, _) => b' ',
            (other, _, _) => *other,
        };
        decoded.push(byte);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_decoded_once() {
        assert_eq!(decode("in%2Fhello+world%2B%C3%A9.pst").unwrap(), "in/hello world+é.pst");
        assert_eq!(decode("in/hello%20world%2B%c3%a9.pst").unwrap(), "in/hello world+é.pst");
        assert_eq!(decode("a%2541b").unwrap(), "a%41b");
        assert_eq!(decode("100%").unwrap(), "100%");
        assert_eq!(decode("%zz%+").unwrap(), "%zz% ");
        assert_eq!(decode("%ff"), None);
    }
}
