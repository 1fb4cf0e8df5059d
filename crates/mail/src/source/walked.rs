//! Mboxes that were walked and may grow before their mails are read.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use super::content::AsOpened;
use super::{FileContent, Item, mbox};

/// So many are remembered: paths may be long. When there are more, the first of them is looked at once more at once.
const REMEMBERED: usize = 16_384;

/// What is looked at once more when all has been read: by then the rest of a half-written mail may have come.
#[derive(Debug, Default)]
pub(super) struct Walked(VecDeque<WalkedMbox>);

#[derive(Debug)]
pub(super) struct WalkedMbox {
    pub(super) path: PathBuf,
    pub(super) as_opened: AsOpened,
    pub(super) tail: mbox::Tail,
}

impl Walked {
    /// Remembers one, and looks at the first one if there are too many.
    pub(super) fn push(&mut self, walked: WalkedMbox) -> Option<Item> {
        self.0.push_back(walked);
        if self.0.len() > REMEMBERED { self.0.pop_front()?.look_again() } else { None }
    }

    /// Looks at all of them, up to the first one of which something is to be said.
    pub(super) fn look_again(&mut self) -> Option<Item> {
        while let Some(walked) = self.0.pop_front() {
            let item = walked.look_again();
            if item.is_some() {
                return item;
            }
        }
        None
    }
}

impl WalkedMbox {
    /// What has gone away or cannot be read any more says nothing: its mails have their own outcomes.
    fn look_again(self) -> Option<Item> {
        let content = FileContent::reopen(&self.path, self.as_opened).ok()?;
        self.tail.look_again(Arc::new(content))
    }
}
