//! An mbox: many mails in one file, each behind a `From ` line.

mod from_line;
mod labels;
mod lines;
mod mail;
mod split;
mod window;

use std::io;
use std::sync::Arc;

use self::mail::MboxMail;
use self::split::{Span, Splitter};
use super::content::Content;
use super::found::Origin;
use super::{Flag, Found, Item, Place};
use crate::{FallbackDate, HeaderScan};

/// The letters of `Status` and `X-Status`, as mutt, Pine and Dovecot write them.
const STATUS: [(u8, Flag); 4] =
    [(b'R', Flag::Seen), (b'A', Flag::Answered), (b'F', Flag::Flagged), (b'T', Flag::Draft)];

/// The mails of one mbox, in their order. It is read once from its beginning to its end, and each mail once more when it
/// is opened; of it no more is held than a header and a piece of a fixed size.
#[derive(Debug)]
pub struct Mbox {
    splitter: Splitter,
    place: Place,
    stem: String,
}

impl Mbox {
    /// `place` is where the mbox lies; `stem` its name, which labels of Gmail replace.
    pub fn new(content: Arc<dyn Content>, place: Place, stem: String) -> Self {
        Self { splitter: Splitter::new(content), place, stem }
    }

    /// Where the next mail begins; none at the end.
    pub(super) fn reached(&self) -> Option<u64> {
        self.splitter.position()
    }

    /// Goes on at a mail, as [`Mbox::reached`] has told it.
    pub(super) fn go_to(&mut self, at: u64) {
        self.splitter.go_to(at);
    }

    pub(super) fn end(&mut self) {
        self.splitter.end();
    }

    fn item(&self, span: &Span) -> Item {
        let key = self.place.member_key(span.from_at, "");
        let content = Arc::clone(self.splitter.content());
        let mail = MboxMail { content, start: span.start, end: span.end, quoted: span.quoted };
        if mail.size_bytes() == 0 {
            let location = self.locations(&span.header).swap_remove(0);
            return Item::Skipped { source: key, location, reason: "empty".to_owned(), is_one_mail: true };
        }
        Item::Mail(Found {
            key,
            locations: self.locations(&span.header),
            flags: flags(&span.header),
            size_bytes: mail.size_bytes(),
            fallback_date: from_line::date(&span.from_line).map(FallbackDate::FromLine),
            locator: Some(span.from_at.to_string()),
            origin: Origin::Member(Arc::new(mail)),
        })
    }

    fn locations(&self, header: &HeaderScan) -> Vec<Vec<String>> {
        let mut paths = labels::paths(header);
        if paths.is_empty() {
            paths.push(vec![self.stem.clone()]);
        }
        let base = self.place.location();
        paths.into_iter().map(|path| base.iter().cloned().chain(path).collect()).collect()
    }

    /// What cannot be read ends the mbox: where the next mail begins is not known.
    fn broken_off(&self, at: u64, error: &io::Error) -> Item {
        let reason = format!("unreadable: {error}; nothing behind it was read");
        self.place.below(self.place.member_key(at, ""), [self.stem.clone()]).skipped(reason)
    }
}

impl Iterator for Mbox {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let at = self.splitter.position()?;
        match self.splitter.next_span() {
            Ok(span) => span.map(|span| self.item(&span)),
            Err(error) => {
                self.splitter.end();
                Some(self.broken_off(at, &error))
            }
        }
    }
}

fn flags(header: &HeaderScan) -> Vec<Flag> {
    let letters = |name| header.all(name).flat_map(|field| field.value.iter().copied());
    let all: Vec<u8> = letters("Status").chain(letters("X-Status")).collect();
    STATUS.iter().filter(|(letter, _)| all.contains(letter)).map(|(_, flag)| *flag).collect()
}
