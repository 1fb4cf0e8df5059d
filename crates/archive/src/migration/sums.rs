//! Sums, and what makes them close.

use serde::{Deserialize, Serialize};

use crate::MailboxAddress;

/// What a sum counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// The mails in the volume, which must be imported + already there + failed.
    ///
    /// Seal: the signed count; of a whole export, the number of the last mail of its last volume. None of a foreign file.
    /// Checkpoints: the sum of their three outcomes. Ledger: the entries that the slices name, each number once.
    /// Catalogue: entries whose mail has a row, and rows of failed entries.
    InVolume,
    /// The mails that this import was the first to bring.
    ///
    /// Ledger: entries with that outcome. Catalogue: entries whose mail has a row that names this very entry.
    Imported,
    /// The mails that another entry had brought, of this volume or of another.
    ///
    /// Ledger: entries with that outcome. Catalogue: entries whose mail has a row that names another entry.
    AlreadyThere,
    /// The entries that could not be imported.
    ///
    /// Ledger: entries with that outcome. Catalogue: rows of failed entries.
    Failed,
}

/// One quantity by every source that knows it; none where a source does not, or was not counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    pub quantity: Quantity,
    pub seal: Option<u64>,
    pub checkpoints: Option<u64>,
    pub ledger: Option<u64>,
    pub catalogue: Option<u64>,
    /// Whether all of them are equal; none unless ledger and catalogue were both counted.
    pub closes: Option<bool>,
}

impl Sum {
    pub(super) fn new(quantity: Quantity, seal: Option<u64>, checkpoints: u64, counted: Option<(u64, u64)>) -> Self {
        let (ledger, catalogue) = counted.unzip();
        Self { quantity, seal, checkpoints: Some(checkpoints), ledger, catalogue, closes: None }.closed()
    }

    /// Adds the same quantity of another volume; what one of them does not know, both do not.
    pub(super) fn add(&mut self, other: &Self) {
        let both = |one: Option<u64>, other: Option<u64>| Some(one? + other?);
        *self = Self {
            quantity: self.quantity,
            seal: both(self.seal, other.seal),
            checkpoints: both(self.checkpoints, other.checkpoints),
            ledger: both(self.ledger, other.ledger),
            catalogue: both(self.catalogue, other.catalogue),
            closes: None,
        }
        .closed();
    }

    pub(super) fn with_seal(self, seal: u64) -> Self {
        Self { seal: Some(seal), ..self }.closed()
    }

    fn closed(self) -> Self {
        let known = [self.seal, self.checkpoints, self.ledger, self.catalogue];
        let closes = self
            .ledger
            .filter(|_| self.catalogue.is_some())
            .map(|ledger| known.into_iter().flatten().all(|count| count == ledger));
        Self { closes, ..self }
    }
}

/// Entries of imports with their places in one mailbox. A mail that had two folders has two places; a copy counts like the mail
/// itself, though it lies there once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxSum {
    pub mailbox: MailboxAddress,
    /// The user archive that the mailbox recreates; none for the target of the import.
    pub user_archive: Option<String>,
    /// The places that the ledger says.
    pub ledger: u64,
    /// Those of them whose mail lies there by the catalogue.
    pub catalogue: u64,
    /// How many mails the mailbox has now, whoever brought them, each once.
    pub mails: Option<u64>,
    pub closes: bool,
}

/// Whether everything closes; none if something was not counted and nothing that was is open.
pub(super) fn all_close(sums: &[Sum], mailboxes: &[MailboxSum]) -> Option<bool> {
    let is_open = sums.iter().any(|sum| sum.closes == Some(false)) || mailboxes.iter().any(|sum| !sum.closes);
    let is_counted = sums.iter().all(|sum| sum.closes.is_some());
    (is_open || is_counted).then_some(!is_open)
}
