//! Signed links.

use std::time::Duration;

use archive::{Error, Result, ports::ObjectKey};
use aws_sdk_s3::presigning::PresigningConfig;

use super::{Bucket, about};
use crate::error;

/// Longer is not allowed by version 4 of the signature.
const MAX_LIFETIME: Duration = Duration::from_hours(7 * 24);

impl Bucket {
    /// Nothing is sent: the link is reckoned here.
    pub(super) async fn sign(&self, key: &ObjectKey, lifetime: Duration, file_name: &str) -> Result<String> {
        if lifetime > MAX_LIFETIME || lifetime.is_zero() {
            let seconds = lifetime.as_secs();
            return Err(Error::invalid(format!("a link lives up to seven days, not {seconds} seconds")));
        }
        let terms = PresigningConfig::expires_in(lifetime)
            .map_err(|e| Error::internal(format!("object {key}: no link")).caused_by(e))?;
        let get = self.client.get_object().bucket(&*self.name).key(key.as_str());
        let signed = get.response_content_disposition(disposition(file_name)).presigned(terms).await;
        Ok(signed.map_err(|e| error::from_sdk(about(key), &e))?.uri().to_owned())
    }
}

/// As RFC 6266 wants it: a plain name for old readers, the true one in UTF-8.
fn disposition(file_name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || " .-_()+".contains(c) { c } else { '_' };
    let simple: String = file_name.chars().map(plain).collect();
    let mut text = format!("attachment; filename=\"{simple}\"; filename*=UTF-8''");
    for byte in file_name.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push_str(&archive::hash::to_hex(&[byte]).to_uppercase());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(
            disposition("Büro \"1\"\r\nX: y.zip"),
            "attachment; filename=\"B_ro _1___X_ y.zip\"; filename*=UTF-8''B%C3%BCro%20%221%22%0D%0AX%3A%20y.zip"
        );
    }
}
