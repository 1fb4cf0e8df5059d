//! What is known of one mail.

use std::cell::OnceCell;

use super::TextField;
use super::phrase::fold;
use crate::HeaderScan;
use crate::source::Flag;
use crate::summary::body_charset;
use crate::text::whole_header_text;

/// What is known of one mail so far. What a query needs beyond it can be added.
pub struct Facts<'a> {
    pub(super) locations: &'a [Vec<String>],
    pub(super) flags: Option<&'a [Flag]>,
    pub(super) size_bytes: Option<u64>,
    pub(super) header: Option<Header<'a>>,
    pub(super) has_attachment: Option<bool>,
    places: OnceCell<Vec<Place>>,
}

/// A location as it is compared.
pub(super) struct Place {
    pub(super) user_archive: String,
    /// With a `/` before and behind each segment; `/` alone for the user archive itself.
    pub(super) path: String,
}

pub(super) struct Header<'a> {
    scan: &'a HeaderScan,
    /// Unix seconds.
    pub(super) message_date: Option<i64>,
    texts: [OnceCell<Vec<String>>; TextField::ALL.len()],
}

impl<'a> Facts<'a> {
    /// What is known without reading the mail: where it lies, its flags and its raw length.
    pub fn new(locations: &'a [Vec<String>], flags: &'a [Flag], size_bytes: u64) -> Self {
        Self { flags: Some(flags), size_bytes: Some(size_bytes), ..Self::of_unread(locations, None) }
    }

    /// What is known of a mail that cannot be read: where it lies, and perhaps its raw length.
    pub fn of_unread(locations: &'a [Vec<String>], size_bytes: Option<u64>) -> Self {
        Self { locations, flags: None, size_bytes, header: None, has_attachment: None, places: OnceCell::new() }
    }

    /// Adds the header and the message date, in Unix seconds, that [`crate::message_date`] takes from it.
    pub fn set_header(&mut self, scan: &'a HeaderScan, message_date: Option<i64>) {
        self.header = Some(Header { scan, message_date, texts: Default::default() });
    }

    /// Adds what [`crate::has_attachment`] says.
    pub fn set_attachment(&mut self, has_attachment: bool) {
        self.has_attachment = Some(has_attachment);
    }

    pub(super) fn places(&self) -> &[Place] {
        self.places.get_or_init(|| self.locations.iter().map(|location| Place::of(location)).collect())
    }
}

impl Place {
    fn of(location: &[String]) -> Self {
        let (user_archive, path) = location.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let path = path.iter().fold("/".to_owned(), |path, segment| path + segment + "/");
        Self { user_archive: fold(user_archive), path: fold(&path) }
    }
}

impl Header<'_> {
    /// The decoded text of each field of that name, as it is compared.
    pub(super) fn texts(&self, field: TextField) -> &[String] {
        let Some(texts) = self.texts.get(field as usize) else { return &[] };
        texts.get_or_init(|| {
            let charset = body_charset(self.scan);
            let decoded = |value: &[u8]| fold(&whole_header_text(value, charset.as_deref()));
            self.scan.all(field.as_str()).map(|field| decoded(&field.value)).collect()
        })
    }
}
