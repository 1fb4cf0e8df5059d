//! The turn at the queue of reports: one run at a time, and how far those have come that were not done in one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Restructured, figures::Figures};
use crate::{
    Archive, ErrorKind, ImportId, ProcessId, Result,
    import::LOST_SECONDS,
    job::Job,
    lease::{Holder, Lease, Leased},
    process::Process,
    records::Record,
};

/// So many runs are remembered; one that nobody ever ends gives way to those after it.
const RUNS: usize = 20;

const ID: &str = "restructure";

/// The row that a run holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Turn {
    holder: Option<Holder>,
    /// By process, those that have begun and not ended.
    runs: BTreeMap<String, Run>,
}

/// How far a run has come; it goes on there when its time was up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    /// What it has done. Conflicts are planned anew each time, and may be too many for a row.
    pub(super) total: Restructured,
    /// The last report that it has worked through, if only as far as the conflicts let it.
    pub(super) after: Option<ImportId>,
    /// Where it is in the report after that.
    pub(super) at: Option<Place>,
    /// Whether the clock has begun it.
    pub(super) scheduled: bool,
}

/// How much of a report has been placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) import: ImportId,
    /// Hex SHA-256 of the addresses that held when it began. Under others it begins again, so that nothing is left out.
    pub(super) plan: String,
    /// The first entry that was not placed yet.
    pub(super) next: u64,
    pub(super) folders: u64,
    pub(super) placements: u64,
    /// What its mailboxes held when the run last counted; none while nobody works on it.
    #[serde(default)]
    pub(super) counted: Option<Figures>,
}

/// Somebody waits for a run. The row outlives the job that was sent for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    process: ProcessId,
    at: i64,
}

impl Record for Asked {
    const KIND: &'static str = "restructure-asked";
    fn id(&self) -> String {
        self.process.to_string()
    }
}

impl Record for Turn {
    const KIND: &'static str = "turn";
    fn id(&self) -> String {
        ID.into()
    }
}

impl Leased for Turn {
    fn holder(&mut self) -> &mut Option<Holder> {
        &mut self.holder
    }
}

impl Turn {
    pub(super) fn run(&self, process: &ProcessId) -> Run {
        self.runs.get(&process.0).cloned().unwrap_or_default()
    }

    pub(super) fn scheduled(&self) -> Vec<ProcessId> {
        self.runs.iter().filter(|(_, run)| run.scheduled).map(|(id, _)| ProcessId(id.clone())).collect()
    }

    pub(super) fn keep(&mut self, process: &ProcessId, run: &Run) {
        let total = Restructured { conflicts: Vec::new(), ..run.total.clone() };
        self.runs.insert(process.0.clone(), Run { total, ..run.clone() });
        while self.runs.len() > RUNS {
            self.runs.pop_first();
        }
    }

    pub(super) fn forget(&mut self, process: &ProcessId) {
        self.runs.remove(&process.0);
    }

    /// The runs that were cut off in a report.
    pub(super) fn cut_off(&self) -> Vec<(ProcessId, ImportId)> {
        let at = |run: &Run| run.at.as_ref().filter(|at| at.counted.is_some()).map(|at| at.import.clone());
        self.runs.iter().filter_map(|(id, run)| Some((ProcessId(id.clone()), at(run)?))).collect()
    }

    /// Counts what is there besides what the run has counted in its report; nothing if nobody can say.
    pub(super) fn catch_up(&mut self, process: &ProcessId, there: Option<Figures>) {
        let Some(run) = self.runs.get_mut(&process.0) else { return };
        let counted = run.at.as_mut().and_then(|at| at.counted.take());
        if let (Some(there), Some(counted)) = (there, counted) {
            run.count(there - counted);
        }
    }
}

impl Run {
    /// Nothing has been done in it yet.
    pub(super) fn is_new(&self) -> bool {
        self.after.is_none() && self.at.is_none()
    }

    /// The entry that is placed next in the report that it is at.
    pub(super) fn next(&self) -> u64 {
        self.at.as_ref().map_or(0, |at| at.next)
    }

    /// Counts what it has brought.
    pub(super) fn count(&mut self, new: Figures) {
        self.total.reports_processed += new.reports;
        self.total.mailboxes_created += new.mailboxes;
        self.total.folders_created += new.folders;
        self.total.placements_created += new.placements;
        if let Some(at) = &mut self.at {
            at.folders += new.folders;
            at.placements += new.placements;
            if let Some(counted) = &mut at.counted {
                *counted += new;
            }
        }
    }

    /// Has placed a batch, and goes on behind it.
    pub(super) fn go_on(&mut self, next: u64, new: Figures) {
        self.count(new);
        if let Some(at) = &mut self.at {
            at.next = next;
        }
    }

    /// Lets others come first; all is counted.
    pub(super) fn pause(&mut self) {
        if let Some(at) = &mut self.at {
            at.counted = None;
        }
    }
}

impl Archive {
    pub(super) async fn note_asked(&self, process: &ProcessId) -> Result<()> {
        self.put(Asked { process: process.clone(), at: self.clock.now() }).await.map(drop)
    }

    /// Sends the job of a run again that somebody waits for and that has not ended. One that was not lost after all does
    /// no harm.
    pub(crate) async fn wake_restructure(&self) -> Result<()> {
        for asked in self.all::<Asked>(None).await? {
            let is_old = asked.at + LOST_SECONDS <= self.clock.now();
            match self.find::<Process>(&asked.process.0).await? {
                Some(process) if !process.value.state.ended() => {
                    if is_old {
                        self.note_asked(&asked.process).await?;
                        self.send(&Job::Restructure { process: Some(asked.process) }).await?;
                    }
                }
                // Whoever asked for it came no further.
                None if !is_old => {}
                _ => drop(self.drop_record::<Asked>(None, &asked.process.0).await?),
            }
        }
        Ok(())
    }

    /// Whether another worker is restructuring now.
    pub(crate) async fn is_restructured_now(&self) -> Result<bool> {
        self.is_held::<Turn>(None, ID).await
    }

    /// None while another worker has it.
    pub(super) async fn take_turn(&self) -> Result<Option<Lease<Turn>>> {
        let turn = match self.find::<Turn>(ID).await? {
            Some(turn) => turn,
            None => match self.add(&Turn::default()).await {
                Err(e) if e.kind() == ErrorKind::Conflict => self.need::<Turn>(ID).await?,
                added => added?,
            },
        };
        Lease::take(self, turn).await
    }
}
