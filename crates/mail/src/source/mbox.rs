//! An mbox: many mails in one file, each behind a `From ` line.

mod lines;
mod mail;
mod split;
mod window;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::Crc;

use self::mail::MboxMail;
use self::split::{Span, Splitter, Stretch};
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
    /// What was seen of a content that can grow; none once something was said of that.
    seen: Option<Seen>,
    /// Whether a reader found that its last mail was still being written.
    is_cut: Arc<AtomicBool>,
    /// What is to be said of the mail before.
    told: Option<Box<Item>>,
}

/// Where a walk began, a sum over all mails that it has met, and the last one of them.
#[derive(Debug)]
struct Seen {
    began_at: u64,
    sum: Crc,
    last: Option<Stretch>,
}

/// The end of an mbox that was walked through.
#[derive(Debug)]
pub(super) struct Tail {
    place: Place,
    stem: String,
    last: Stretch,
    is_cut: Arc<AtomicBool>,
}

impl Mbox {
    /// `place` is where the mbox lies; `stem` its name, which labels of Gmail replace.
    pub fn new(content: Arc<dyn Content>, place: Place, stem: String) -> Self {
        let seen = content.can_grow().then(|| Seen::new(0));
        Self { splitter: Splitter::new(content), place, stem, seen, is_cut: Arc::default(), told: None }
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

    fn item(&mut self, span: &Span) -> Item {
        let key = self.place.member_key(span.at.from_at, "");
        let labels = Labels::read(&span.header);
        if labels.is_cut {
            let reason = format!("it has too many labels: the first {} of them are its places", labels.paths.len());
            self.told = Some(Box::new(Item::Noted { source: key.clone(), reason }));
        }
        let mut locations = self.locations(labels.paths);
        let (content, is_cut) = (Arc::clone(self.splitter.content()), Arc::clone(&self.is_cut));
        let mail = MboxMail { content, at: span.at, is_cut };
        if span.at.size_bytes() == 0 {
            let location = locations.swap_remove(0);
            return Item::Skipped { source: key, location, reason: "empty".to_owned(), is_one_mail: true };
        }
        Item::Mail(Found {
            key,
            locations,
            flags: flags(&span.header),
            size_bytes: span.at.size_bytes(),
            fallback_date: from_line::date(&span.from_line).map(FallbackDate::FromLine),
            locator: Some(span.at.from_at.to_string()),
            origin: Origin::Member(Arc::new(mail)),
        })
    }

    /// One at least: without labels a mail lies where the mbox does.
    fn locations(&self, mut paths: Vec<Vec<String>>) -> Vec<Vec<String>> {
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

    fn unread(&self, key: String, reason: String) -> Item {
        unread(&self.place, &self.stem, key, reason)
    }
}

impl Mbox {
    /// What is to be said at the end of an mbox that was written since it was opened: whether all of its mails were met.
    ///
    /// Walked through once more, it must be the same up to its old end. Whoever writes a mail behind it changes nothing
    /// there; a program that writes it anew may have moved mails from behind the walk to before it.
    fn growth(&self) -> Option<Item> {
        // Otherwise each mail that is read from here on fails, if it is not the same.
        self.splitter.content().grown_to().ok()??;
        let seen = self.seen.as_ref()?;
        let mut again = Splitter::new(Arc::clone(self.splitter.content()));
        again.go_to(seen.began_at);
        let mut now = Seen::new(seen.began_at);
        let key = self.place.key.clone();
        while again.position().is_some() {
            match again.next_span() {
                Ok(Some(span)) => now.add(&span.at),
                Ok(None) => break,
                Err(error) => return Some(self.unread(key, format!("{error}: mails of it may be missing"))),
            }
        }
        if now.sum.sum() != seen.sum.sum() {
            return Some(self.unread(key, format!("{}: mails of it may be missing", changed())));
        }
        None
    }

    /// What must be known of it to look at it once more; none if something was said of it, or nothing can grow.
    pub(super) fn tail(self) -> Option<Tail> {
        let last = self.seen?.last?;
        Some(Tail { place: self.place, stem: self.stem, last, is_cut: self.is_cut })
    }
}

impl Tail {
    /// What is to be said of the mbox when its mails were read. If it has grown, its last mail must end where it did: it
    /// may have been read before the rest of it was written.
    pub(super) fn look_again(self, content: Arc<dyn Content>) -> Option<Item> {
        let Self { place, stem, last, is_cut } = self;
        let (source, size_bytes) = (place.key.clone(), content.size_bytes());
        let noted = |reason: String| Some(Item::Noted { source: source.clone(), reason });
        let grown_to = content.grown_to();
        if matches!(grown_to, Ok(None)) {
            return None;
        }
        let mail = MboxMail { content, at: last, is_cut };
        let Some(grown_to) = grown_to.ok().flatten().filter(|to| *to > size_bytes && mail.is_same().unwrap_or(false))
        else {
            return noted("changed after it was read: its mails are those that it had before".to_owned());
        };
        // Whoever has read it since has named it.
        let is_named = mail.is_cut.load(Ordering::Relaxed) || last.size_bytes() == 0;
        if let Some(error) = mail.verify_end(grown_to).err().filter(|_| !is_named) {
            let reason =
                format!("its last mail {error}: export it again, what there is of it may be its beginning alone");
            return Some(unread(&place, &stem, source, reason));
        }
        noted(format!("grew while it was read: what was added behind byte {size_bytes} is not among these mails"))
    }
}

/// Mails that cannot be read, and lie here unless they have labels.
fn unread(place: &Place, stem: &str, key: String, reason: String) -> Item {
    let segments = place.location().into_iter().chain([stem.to_owned()]).collect();
    Place { key, segments, ..place.clone() }.skipped(reason)
}

impl Seen {
    fn new(began_at: u64) -> Self {
        Self { began_at, sum: Crc::new(), last: None }
    }

    fn add(&mut self, at: &Stretch) {
        for number in [at.from_at, at.next_at, at.sum.unwrap_or_default().into()] {
            self.sum.update(&number.to_be_bytes());
        }
        self.last = Some(*at);
    }
}

impl Iterator for Mbox {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if let Some(told) = self.told.take() {
            return Some(*told);
        }
        let Some(at) = self.splitter.position() else {
            let told = self.growth();
            self.seen = self.seen.take().filter(|_| told.is_none());
            return told;
        };
        match self.splitter.next_span() {
            Ok(span) => {
                let span = span?;
                if let Some(seen) = &mut self.seen {
                    seen.add(&span.at);
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
