//! What a run has brought, so that a kill takes nothing from its figures: before a report is worked on, the run keeps what
//! its mailboxes hold. What they hold besides after a kill was placed and not counted.

use std::{
    collections::BTreeSet,
    ops::{AddAssign, Sub},
};

use serde::{Deserialize, Serialize};

use super::turn::Turn;
use crate::{Archive, ImportId, Result, import::Report, lease::Lease, mailbox::Mailbox, records::readable};

/// Of one report: whether it is done, and what the mailboxes hold that recreate its user archives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Figures {
    pub(super) reports: u64,
    pub(super) mailboxes: u64,
    pub(super) folders: u64,
    pub(super) placements: u64,
}

impl AddAssign for Figures {
    fn add_assign(&mut self, new: Self) {
        self.reports += new.reports;
        self.mailboxes += new.mailboxes;
        self.folders += new.folders;
        self.placements += new.placements;
    }
}

impl Sub for Figures {
    type Output = Self;

    fn sub(self, counted: Self) -> Self {
        Self {
            reports: self.reports.saturating_sub(counted.reports),
            mailboxes: self.mailboxes.saturating_sub(counted.mailboxes),
            folders: self.folders.saturating_sub(counted.folders),
            placements: self.placements.saturating_sub(counted.placements),
        }
    }
}

impl Archive {
    /// Whatever the mapping says today: a mailbox knows which user archive it recreates.
    pub(super) async fn figures(
        &self,
        lease: &mut Lease<Turn>,
        report: &Report,
        archives: &BTreeSet<String>,
    ) -> Result<Figures> {
        let mut figures = Figures { reports: u64::from(report.done), ..Figures::default() };
        for mailbox in self.all::<Mailbox>(None).await? {
            if mailbox.user_archive.is_some_and(|archive| archives.contains(&archive)) {
                lease.renew(self).await?;
                let folders = self.catalog.folders(&mailbox.address).await?;
                let placements = folders.iter().map(|folder| folder.mails).sum();
                figures += Figures { reports: 0, mailboxes: 1, folders: folders.len() as u64, placements };
            }
        }
        Ok(figures)
    }

    /// Counts what runs that were cut off have brought and not counted, before anybody brings more.
    pub(super) async fn count_cut_off(&self, lease: &mut Lease<Turn>) -> Result<()> {
        for (process, import) in lease.value().cut_off() {
            let there = self.figures_now(lease, &import).await?;
            lease.save(self, |turn| turn.catch_up(&process, there)).await?;
        }
        Ok(())
    }

    /// None if the report cannot be read: nobody must wait for it.
    async fn figures_now(&self, lease: &mut Lease<Turn>, import: &ImportId) -> Result<Option<Figures>> {
        let report = readable(self.find::<Report>(&import.0).await)?.flatten();
        let Some(report) = report.map(|stored| stored.value) else { return Ok(None) };
        let Some(contents) = readable(self.report_contents(&report).await)? else { return Ok(None) };
        self.figures(lease, &report, &contents.user_archives).await.map(Some)
    }
}
