//! A walk in which a panic is an error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mail::source::{Found, Item};

use crate::{Error, Result};

/// The items of a source. A mail that makes a reader panic has that as its outcome; a panic in the walk is in no mail's
/// bytes alone, and where it would go on is not known.
pub(super) struct Guarded<S> {
    source: S,
    /// The key of the last item.
    last: String,
}

impl<S: Iterator<Item = Item>> Guarded<S> {
    pub(super) fn new(source: S) -> Self {
        Self { source, last: String::new() }
    }

    /// The next item; none at the end. Nothing comes behind an error.
    pub(super) fn next(&mut self) -> Result<Option<Item>> {
        let next = catch_unwind(AssertUnwindSafe(|| self.source.next())).map_err(|_| broken_off(&self.last))?;
        match &next {
            Some(
                Item::Mail(Found { key, .. }) | Item::NotMail { source: key, .. } | Item::Skipped { source: key, .. },
            ) => {
                key.clone_into(&mut self.last);
            }
            Some(Item::Noted { .. } | Item::ScratchFailed(_)) | None => {}
        }
        Ok(next)
    }
}

fn broken_off(last: &str) -> Error {
    let place = if last.is_empty() { "at its beginning".to_owned() } else { format!("behind {last}") };
    Error::internal(format!("the reader of the source failed {place}"))
        .hint("finished volumes stay as they are; please report it")
}
