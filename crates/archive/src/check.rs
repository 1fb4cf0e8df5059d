//! Check: does the catalogue say what the objects hold, and the other way round?

mod catalogue;
mod packs;
mod slices;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Archive, PackId, ProcessId, Result,
    job::Job,
    process::{Process, ProcessState, Severity},
};

/// So many errors are listed; more are counted.
const LISTED: usize = 1000;

/// What was found. Whole are: no error, and `balanced`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    pub packs: u64,
    pub messages: u64,
    pub placements: u64,
    pub errors: Vec<String>,
    /// Objects that nothing points to: left behind by a worker that died, harmless.
    pub orphans: Vec<String>,
    /// Bytes in packs that no row points to.
    pub dead_bytes: u64,
    /// Every import's entries equal its outcomes, and every placed mail is in the archive.
    pub balanced: bool,
}

/// What a check gathers on its way.
#[derive(Default)]
struct Findings {
    report: Checked,
    more_errors: u64,
    /// Kept packs: their size, and the bytes of frames that rows point to.
    packs: BTreeMap<PackId, PackUse>,
    /// Objects that something points to.
    expected: BTreeSet<String>,
}

/// Figures of a pack, in bytes.
struct PackUse {
    size: u64,
    overhead: u64,
    used: u64,
}

impl Findings {
    fn error(&mut self, text: String) {
        if self.report.errors.len() < LISTED {
            self.report.errors.push(text);
        } else {
            self.more_errors += 1;
        }
    }
}

impl Archive {
    /// Asks for a check; its process ends with the [`Checked`] document.
    pub async fn start_check(&self, read_data: bool, by: &str) -> Result<ProcessId> {
        let title = if read_data { "check the archive, every byte of it" } else { "check the archive" };
        let process = self.begin_process("check", title, by).await?;
        self.send(&Job::Check { process: process.id.clone(), read_data }).await?;
        Ok(process.id)
    }

    pub(crate) async fn run_check(&self, process: &ProcessId, read_data: bool) -> Result<()> {
        if self.need::<Process>(&process.0).await?.value.state.ended() {
            return Ok(());
        }
        let outcome = self.check(read_data).await;
        if let Ok(checked) = &outcome {
            let severity = if checked.errors.is_empty() { Severity::Info } else { Severity::Error };
            let text = format!(
                "{} packs, {} mails, {} placements: {} errors, {} orphans",
                checked.packs,
                checked.messages,
                checked.placements,
                checked.errors.len(),
                checked.orphans.len()
            );
            self.say(process, severity, text).await?;
        }
        self.end_process(process, ProcessState::Finished, outcome.map(|checked| json!(checked))).await
    }

    /// Compares catalogue and objects; with `read_data` every stored byte is read and verified.
    pub async fn check(&self, read_data: bool) -> Result<Checked> {
        let mut findings = Findings::default();
        self.check_packs(&mut findings).await?;
        self.check_messages(&mut findings).await?;
        self.check_placements(&mut findings).await?;
        let balanced = self.check_imports(&mut findings, read_data).await?;
        self.check_outcomes(&mut findings, read_data).await?;
        if read_data {
            for fault in self.catalog.faults().await? {
                findings.error(format!("catalogue: {fault}"));
            }
            self.read_packs(&mut findings).await?;
            self.compare_with_slices(&mut findings).await?;
        }
        self.find_orphans(&mut findings).await?;
        if let Err(error) = self.own_certificate().await {
            findings.error(error.to_string());
        }
        let unused = |pack: &PackUse| pack.size.saturating_sub(pack.overhead + pack.used);
        let mut report = findings.report;
        report.dead_bytes = findings.packs.values().map(unused).sum();
        if findings.more_errors > 0 {
            report.errors.push(format!("and {} more errors", findings.more_errors));
        }
        report.balanced = balanced && report.errors.is_empty();
        Ok(report)
    }
}
