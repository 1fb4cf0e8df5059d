//! An mbox: many mails in one file, each behind a `From ` line.

mod lines;
mod mail;
mod split;
mod window;

use std::io;
use std::sync::Arc;

use flate2::Crc;

use self::mail::MboxMail;
use self::split::{Span, Splitter};
use super::content::{Content, changed};
use super::found::Origin;
use super::{Flag, Found, Item, Place};
use crate::labels::Labels;
use crate::{FallbackDate, HeaderScan, from_line};

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
    /// What was seen of a content that can grow; none once that was compared.
    seen: Option<Seen>,
}

/// Where a walk began, and a sum over all mails that it has met.
#[derive(Debug)]
struct Seen {
    began_at: u64,
    sum: Crc,
}

impl Mbox {
    /// `place` is where the mbox lies; `stem` its name, which labels of Gmail replace.
    pub fn new(content: Arc<dyn Content>, place: Place, stem: String) -> Self {
        let seen = content.can_grow().then(|| Seen::new(0));
        Self { splitter: Splitter::new(content), place, stem, seen }
    }

    /// Where the next mail begins; none at the end.
    pub(super) fn reached(&self) -> Option<u64> {
        self.splitter.position()
    }

    /// Goes on at a mail, as [`Mbox::reached`] has told it.
    pub(super) fn go_to(&mut self, at: u64) {
        self.splitter.go_to(at);
        self.seen = self.seen.take().map(|_| Seen::new(at));
    }

    pub(super) fn end(&mut self) {
        self.splitter.end();
        self.seen = None;
    }

    fn item(&self, span: &Span) -> Item {
        let key = self.place.member_key(span.from_at, "");
        let mail = self.mail(span);
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

    fn mail(&self, span: &Span) -> MboxMail {
        let content = Arc::clone(self.splitter.content());
        let Span { from_at, start, end, quoted, next_at, sum, .. } = *span;
        MboxMail { content, from_at, start, end, quoted, next_at, sum }
    }

    fn locations(&self, header: &HeaderScan) -> Vec<Vec<String>> {
        let mut paths = Labels::read(header).paths;
        if paths.is_empty() {
            paths.push(vec![self.stem.clone()]);
        }
        let base = self.place.location();
        paths.into_iter().map(|path| base.iter().cloned().chain(path).collect()).collect()
    }

    /// What cannot be read ends the mbox: where the next mail begins is not known.
    fn broken_off(&self, at: u64, error: &io::Error) -> Item {
        let reason = format!("unreadable: {error}; nothing behind it was read");
        self.unread(self.place.member_key(at, ""), reason)
    }

    /// Mails that cannot be read, and lie here unless they have labels.
    fn unread(&self, key: String, reason: String) -> Item {
        let segments = self.place.location().into_iter().chain([self.stem.clone()]).collect();
        Place { key, segments, ..self.place.clone() }.skipped(reason)
    }
}

impl Mbox {
    /// What is to be said at the end of an mbox that has grown since it was opened: whether all of its mails were met.
    ///
    /// Walked through once more, it must be the same up to its old end. Whoever writes a mail behind it changes nothing
    /// there; a program that writes it anew may have moved mails from behind the walk to before it. And its last mail
    /// must end there still: it may have been read before the rest of it was written.
    fn growth(&mut self) -> Option<Item> {
        let seen = self.seen.take()?;
        // Otherwise each mail that is read from here on fails, if it is not the same.
        let grown_to = self.splitter.content().grown_to().ok()??;
        let mut again = Splitter::new(Arc::clone(self.splitter.content()));
        again.go_to(seen.began_at);
        let mut now = Seen::new(seen.began_at);
        let key = self.place.key.clone();
        let mut last = None;
        while again.position().is_some() {
            match again.next_span() {
                Ok(span) => {
                    if let Some(span) = &span {
                        now.add(span);
                    }
                    last = span;
                }
                Err(error) => return Some(self.unread(key, format!("{error}: mails of it may be missing"))),
            }
        }
        if now.sum.sum() != seen.sum.sum() {
            return Some(self.unread(key, format!("{}: mails of it may be missing", changed())));
        }
        let last = last.map(|span| self.mail(&span)).filter(|last| last.size_bytes() > 0);
        if let Some(Err(error)) = last.map(|last| last.verify_end(grown_to)) {
            let reason =
                format!("its last mail {error}: export it again, what there is of it may be its beginning alone");
            return Some(self.unread(key, reason));
        }
        let end = self.splitter.content().size_bytes();
        let reason = format!("grew while it was read: what was added behind byte {end} is not among these mails");
        Some(Item::Noted { source: key, reason })
    }
}

impl Seen {
    fn new(began_at: u64) -> Self {
        Self { began_at, sum: Crc::new() }
    }

    fn add(&mut self, span: &Span) {
        for number in [span.from_at, span.next_at, span.sum.unwrap_or_default().into()] {
            self.sum.update(&number.to_be_bytes());
        }
    }
}

impl Iterator for Mbox {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let Some(at) = self.splitter.position() else { return self.growth() };
        match self.splitter.next_span() {
            Ok(span) => {
                let span = span?;
                if let Some(seen) = &mut self.seen {
                    seen.add(&span);
                }
                Some(self.item(&span))
            }
            Err(error) => {
                self.end();
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
