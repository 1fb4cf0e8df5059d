//! Rows against rows: messages, placements, imports; and whether the objects are there that rows speak of.

use std::collections::BTreeSet;

use super::{Findings, Remedy};
use crate::{
    Archive, ErrorKind, PlacementKey, Result,
    import::{Import, ImportState, Report},
    kept::{self, Kept},
    mailbox::Mailbox,
    ports::{MAX_ROWS_PER_CALL, Scope},
    restructure::{PLACEMENTS, placed_by_name},
};

impl Archive {
    /// Every mail of the archive has a row that points into a kept pack.
    pub(super) async fn check_messages(&self, findings: &mut Findings) -> Result<()> {
        let mut after: Option<PlacementKey> = None;
        loop {
            let keys = self.catalog.page(&Scope::All, after.as_ref(), MAX_ROWS_PER_CALL).await?;
            let Some(last) = keys.last() else { return Ok(()) };
            after = Some(*last);
            let hashes: Vec<_> = keys.iter().map(|key| key.hash).collect();
            for (hash, row) in hashes.iter().zip(self.catalog.locate(&hashes).await?) {
                findings.report.messages += 1;
                let Some(row) = row else {
                    findings.error(format!("mail {hash}: it is placed but has no row"));
                    continue;
                };
                if !findings.packs.contains_key(&row.pack) {
                    // Kept since the packs were looked at.
                    self.check_pack(&row.pack, findings).await?;
                }
                match findings.packs.get_mut(&row.pack) {
                    Some(pack) if row.offset.saturating_add(row.stored_bytes) <= pack.size => {
                        pack.used += row.stored_bytes;
                    }
                    Some(_) => findings.error(format!("mail {hash}: it would lie beyond the end of pack {}", row.pack)),
                    None => findings.error(format!("mail {hash}: pack {} is not kept", row.pack)),
                }
            }
        }
    }

    /// Every placement of every mailbox is one of a known mail, and the counts are right.
    pub(super) async fn check_placements(&self, findings: &mut Findings) -> Result<()> {
        for mailbox in self.all::<Mailbox>(None).await? {
            for folder in self.catalog.folders(&mailbox.address).await? {
                let scope = Scope::Folder(mailbox.address.clone(), folder.path.clone());
                let placed = self.check_scope(&scope, findings).await?;
                findings.report.placements += placed;
                // Counted again: an import may place mails meanwhile.
                if placed != folder.mails && placed != self.catalog.count(&scope).await? {
                    let path = folder.path.0;
                    findings
                        .error(format!("folder {path:?} of {}: {placed} mails, not {}", mailbox.address, folder.mails));
                }
            }
        }
        Ok(())
    }

    async fn check_scope(&self, scope: &Scope, findings: &mut Findings) -> Result<u64> {
        let (mut count, mut after) = (0, None::<PlacementKey>);
        loop {
            let keys = self.catalog.page(scope, after.as_ref(), MAX_ROWS_PER_CALL).await?;
            let Some(last) = keys.last() else { return Ok(count) };
            after = Some(*last);
            count += keys.len() as u64;
            for (key, placed) in keys.iter().zip(self.catalog.placed(&Scope::All, &keys).await?) {
                if placed.is_none() {
                    findings.error(format!("mail {}: it is placed in {scope} but not in the archive", key.hash));
                }
            }
        }
    }

    /// Every import that has finished closes: its entries equal its outcomes, and its slices are there.
    pub(super) async fn check_imports(&self, findings: &mut Findings) -> Result<bool> {
        let mut balanced = true;
        for import in self.all::<Import>(None).await? {
            if import.state == ImportState::Finished && import.tally.total() != import.mails {
                balanced = false;
                let total = import.tally.total();
                findings.error(format!("import {}: {total} outcomes for {} mails", import.id, import.mails));
            }
        }
        for report in self.all::<Report>(None).await? {
            self.check_report(&report, findings).await?;
        }
        Ok(balanced)
    }

    async fn check_report(&self, report: &Report, findings: &mut Findings) -> Result<()> {
        findings.expected.insert(report.key.to_string());
        let contents = match self.report_contents(report).await {
            Err(e) if e.kind() == ErrorKind::Corrupt => {
                return self.differ_report(report, e.to_string(), findings).await;
            }
            contents => contents?,
        };
        for slice in &contents.slices {
            findings.expected.insert(slice.key.to_string());
            if self.objects.head(&slice.key).await?.is_none() {
                findings.error(format!("slice {} is missing", slice.key));
            }
        }
        // Older reports, and those of foreign files, have no such object.
        if report.done && contents.row.is_some_and(|row| !row.is_foreign()) {
            findings.placed.push(report.clone());
        }
        Ok(())
    }

    /// A report object that is lost can be written anew; of one that is whole, its row is wrong.
    async fn differ_report(&self, report: &Report, text: String, findings: &mut Findings) -> Result<()> {
        match self.lone_report(&report.key).await {
            Err(e) if e.kind() == ErrorKind::Corrupt => {
                findings.differ(text.clone(), Remedy::File(report.clone()));
                // Whoever reads all reports says it again.
                findings.said.insert(text);
                Ok(())
            }
            lone => {
                findings.error(text);
                lone.map(drop)
            }
        }
    }

    /// What people have decided and what restructure has done is told by objects. Whether they tell it right, only reading them
    /// says; each is written before its row.
    pub(super) async fn check_told(&self, findings: &mut Findings) -> Result<()> {
        for kind in kept::KINDS {
            let rows = self.documents(kind).await?;
            let there: BTreeSet<_> = self.keys_below(&format!("{}{kind}/", kept::PREFIX)).await?.into_iter().collect();
            for row in rows {
                if !there.contains(&Kept::key(kind, &row.id)?) {
                    let text = format!("{kind} {:?}: no object tells of it", row.id);
                    findings.differ(text, Remedy::Keep { kind, id: row.id });
                }
            }
        }
        let there = self.keys_below(PLACEMENTS).await?;
        let placed: BTreeSet<&str> = there.iter().filter_map(placed_by_name).collect();
        for report in std::mem::take(&mut findings.placed) {
            if !placed.contains(report.import.0.as_str()) {
                let text = format!("report of import {}: no object tells where its mails were placed", report.import);
                findings.differ(text, Remedy::Queue(report));
            }
        }
        Ok(())
    }

    /// Every long result of a process is there.
    pub(super) async fn check_outcomes(&self, findings: &mut Findings, read_data: bool) -> Result<()> {
        let mut after = None::<String>;
        loop {
            let processes = self.processes(after.as_deref(), MAX_ROWS_PER_CALL).await?;
            let Some(last) = processes.last() else { return Ok(()) };
            after = Some(last.id.0.clone());
            for outcome in processes.into_iter().filter_map(|process| process.outcome) {
                findings.expected.insert(outcome.key.to_string());
                if !read_data {
                    if self.objects.head(&outcome.key).await?.is_none() {
                        findings.error(format!("{} is missing", outcome.key));
                    }
                } else if let Err(error) = self.outcome(&outcome).await {
                    findings.error(error.to_string());
                }
            }
        }
    }
}
