//! What tests know of a mail.

use volume::Metadata;

/// Of a mail of one byte in the folder `a`.
pub(super) fn metadata(content: u8) -> Metadata {
    Metadata {
        sha256: [content; 32],
        size_bytes: 1,
        message_date: None,
        message_date_source: None,
        archive_date: None,
        locations: vec![vec!["a".into()]],
        flags: Vec::new(),
        source_key: None,
        reference: None,
    }
}
