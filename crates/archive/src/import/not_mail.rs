//! What a foreign file holds beside mails: named, and no failure.

use serde::{Deserialize, Serialize};

use super::Import;
use crate::{Archive, ImportId, Result, records::Record};

/// So many are listed; more are counted.
const LISTED: u64 = 20_000;
/// A row keeps so many bytes of names: a row of DynamoDB holds 400 KB.
const ROW_BYTES: usize = 64 << 10;

/// Something in a foreign file that is no mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotMail {
    pub locator: String,
    pub reason: String,
}

/// Several of them in one row, because they may be many.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NotMailRow {
    pub(crate) import: ImportId,
    /// How many came before these.
    pub(crate) first: u64,
    pub(crate) items: Vec<NotMail>,
}

impl Record for NotMailRow {
    const KIND: &'static str = "not-mail";
    fn id(&self) -> String {
        format!("{:011}", self.first)
    }
    fn parent(&self) -> Option<String> {
        Some(self.import.to_string())
    }
}

impl Archive {
    /// Keeps what the walk found after the first `before` of them. A repeat may end elsewhere, and writes other rows.
    pub(super) async fn note_not_mail(&self, import: &Import, before: u64, found: &[NotMail]) -> Result<()> {
        let room = usize::try_from(LISTED.saturating_sub(before)).unwrap_or(0);
        self.put_not_mail(&import.id, before, found.get(..room).unwrap_or(found)).await
    }

    pub(crate) async fn put_not_mail(&self, import: &ImportId, before: u64, found: &[NotMail]) -> Result<()> {
        let mut first = before;
        let mut rest = found.iter().cloned().peekable();
        while rest.peek().is_some() {
            let (mut items, mut bytes) = (Vec::new(), 0);
            while let Some(item) = rest.next_if(|_| bytes < ROW_BYTES) {
                bytes += item.locator.len() + item.reason.len();
                items.push(item);
            }
            let count = items.len() as u64;
            self.put(NotMailRow { import: import.clone(), first, items }).await?;
            first += count;
        }
        Ok(())
    }

    /// What is listed, and how many more there are.
    pub(super) async fn not_mail_of(&self, import: &Import) -> Result<Vec<NotMail>> {
        let mut all = self.listed_not_mail(import).await?;
        let more = import.not_mail.saturating_sub(all.len() as u64);
        if more > 0 {
            all.push(NotMail { locator: import.file.clone(), reason: format!("{more} more that are no mails") });
        }
        Ok(all)
    }

    /// What is listed, in the order of the walk. Of rows that overlap, because a step was repeated and ended elsewhere, those
    /// count that follow one another.
    pub(crate) async fn listed_not_mail(&self, import: &Import) -> Result<Vec<NotMail>> {
        if !import.is_foreign() {
            return Ok(Vec::new());
        }
        let mut all: Vec<NotMail> = Vec::new();
        for row in self.all::<NotMailRow>(Some(&import.id.0)).await? {
            if row.first == all.len() as u64 {
                all.extend(row.items);
            }
        }
        Ok(all)
    }
}
