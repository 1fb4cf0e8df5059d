use serde::{Deserialize, Serialize};

/// Where the walk through a container goes on, behind the items that it has delivered. The default is its beginning.
///
/// It holds for the very same bytes, and may be kept for as long as these are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Entries of a ZIP that are done with.
    pub(super) entries: u64,
    /// How far into the directory of a ZIP the next entry is.
    pub(super) directory_bytes: u64,
    /// What the entries before it were unpacked to, as far as that is bounded for all of them together.
    pub(super) unpacked_bytes: u64,
    /// Where in an mbox, which may be that next entry, the next mail begins.
    pub(super) mail_at: Option<u64>,
    pub(super) has_ended: bool,
}

impl Position {
    pub(super) const END: Self =
        Self { entries: 0, directory_bytes: 0, unpacked_bytes: 0, mail_at: None, has_ended: true };
}
