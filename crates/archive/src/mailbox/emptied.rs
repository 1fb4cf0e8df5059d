//! Mailboxes that were emptied: of which imports the mails lie no longer in their target, and who wanted that.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Archive, ErrorKind, ImportId, MailboxAddress, ProcessId, Result, kept::PREFIX, records::Record};

/// One decision is as many records as it takes, so that none is too long for a row.
const IMPORTS: usize = 1000;

/// Some imports whose mails were taken out of their target. It is never removed: `rebuild` would bring them back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Emptied {
    pub(crate) process: ProcessId,
    /// Which of the records of this process.
    number: u32,
    pub(crate) mailbox: MailboxAddress,
    pub(crate) imports: BTreeSet<ImportId>,
    by: String,
    at: i64,
    /// How much was taken out by the whole decision.
    mails: u64,
    placements: u64,
}

impl Record for Emptied {
    const KIND: &'static str = "emptied";
    const KEPT: bool = true;
    fn id(&self) -> String {
        format!("{}-{:04}", self.process, self.number)
    }
}

/// What somebody has decided about a mailbox.
pub(super) struct Decision<'a> {
    pub(super) process: &'a ProcessId,
    pub(super) mailbox: &'a MailboxAddress,
    pub(super) by: &'a str,
    pub(super) at: i64,
    pub(super) mails: u64,
    pub(super) placements: u64,
}

impl Archive {
    /// Writes the decision for these imports; writing it again changes nothing.
    pub(super) async fn keep_emptied(&self, decision: &Decision<'_>, imports: Vec<ImportId>) -> Result<()> {
        for (number, imports) in (0..).zip(imports.chunks(IMPORTS)) {
            let Decision { process, mailbox, by, at, mails, placements } = *decision;
            self.put(Emptied {
                process: process.clone(),
                number,
                mailbox: mailbox.clone(),
                imports: imports.iter().cloned().collect(),
                by: by.to_owned(),
                at,
                mails,
                placements,
            })
            .await?;
        }
        Ok(())
    }

    /// The imports into this mailbox whose mails another process than this one has taken out of it.
    pub(super) async fn emptied_before(
        &self,
        mailbox: &MailboxAddress,
        process: &ProcessId,
    ) -> Result<BTreeSet<ImportId>> {
        let all = self.all::<Emptied>(None).await?.into_iter();
        let others = all.filter(|emptied| emptied.mailbox == *mailbox && emptied.process != *process);
        Ok(others.flat_map(|emptied| emptied.imports).collect())
    }

    /// All such imports, by the objects alone. What of them is damaged is told by whoever reads all records.
    pub(crate) async fn emptied_by_objects(&self) -> Result<BTreeSet<ImportId>> {
        let mut imports = BTreeSet::new();
        for key in self.keys_below(&format!("{PREFIX}{}/", Emptied::KIND)).await? {
            let body = match self.kept(&key).await {
                Err(e) if e.kind() == ErrorKind::Corrupt => None,
                kept => kept?.body,
            };
            let emptied = body.and_then(|body| serde_json::from_value::<Emptied>(body).ok());
            imports.extend(emptied.into_iter().flat_map(|emptied| emptied.imports));
        }
        Ok(imports)
    }
}
