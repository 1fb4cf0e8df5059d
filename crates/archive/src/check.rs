//! Check: does the catalogue say what the objects hold, and the other way round?

mod catalogue;
mod compare;
mod extra;
#[cfg(test)]
pub(crate) mod gallery;
mod mails;
mod mend;
mod packs;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use compare::Comparison;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Archive, Error, FolderPath, MailboxAddress, MessageRow, PackId, PlacementKey, ProcessId, Result,
    import::Report,
    job::Job,
    ports::Scope,
    process::{Process, ProcessState, Severity},
};

/// So many errors are listed; more are counted.
const LISTED: usize = 1000;
/// So much is put right in one run; the next one goes on.
const MENDED: usize = 100_000;

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
    /// What a repair has put right; it is looked for again afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repaired: Vec<String>,
}

impl Checked {
    /// The figures, for people.
    pub fn in_short(&self) -> String {
        let Self { packs, messages, placements, errors, orphans, .. } = self;
        let (errors, orphans) = (errors.len(), orphans.len());
        format!("{packs} packs, {messages} mails, {placements} placements: {errors} errors, {orphans} orphans")
    }
}

/// How deep a check goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depth {
    /// Read every stored byte, and compare every row with what the objects say.
    pub read_data: bool,
    /// Put right what can be put right; reads every byte too.
    pub repair: bool,
}

impl Depth {
    fn too_long(self) -> Error {
        let (flag, left) = match self {
            Self { repair: true, .. } => (" --repair", "what it has put right until then is right"),
            Self { read_data: true, .. } => (" --read-data", "it says nothing of the archive"),
            _ => ("", "it says nothing of the archive"),
        };
        Error::invalid(format!("the check needs more time than one function has, and was ended; {left}"))
            .code("check_too_long")
            .hint(format!("run `postkahn check --aws STACK{flag}` in the region: it takes as long as it needs"))
    }
}

/// What puts a difference right.
enum Remedy {
    /// The volume that brought the mail is imported again, after a rebuild.
    Import,
    /// Nothing but a catalogue made anew: rows can gain, not lose.
    Rebuild,
    /// The object of a record is written anew: its row is the only copy.
    Keep {
        kind: &'static str,
        id: String,
    },
    /// The row of a record is written as its object says.
    Told {
        kind: String,
        id: String,
    },
    Row {
        partition: String,
        id: String,
        body: Value,
    },
    Queue(Report),
    /// The report object is written anew: the import's row is the only copy of what only it says.
    File(Report),
    Record(Box<MessageRow>),
    Folder(MailboxAddress, FolderPath),
    Place(Scope, PlacementKey),
}

impl Remedy {
    /// The command that does it.
    fn command(&self) -> &'static str {
        match self {
            Self::Import => "`postkahn rebuild`, then import its volume again",
            Self::Rebuild => "`postkahn rebuild`",
            Self::Keep { .. } => "`postkahn check --repair`, which keeps what its row says",
            Self::File(_) => {
                "`postkahn check --repair`, which writes it anew from its import's row; failing that, `postkahn rebuild`"
            }
            _ => "`postkahn check --repair`",
        }
    }
}

/// What a check gathers on its way.
#[derive(Default)]
struct Findings {
    report: Checked,
    more_errors: u64,
    /// The listed errors: several ways lead to one.
    said: BTreeSet<String>,
    balanced: bool,
    /// Kept packs: their size, and the bytes of frames that rows point to.
    packs: BTreeMap<PackId, PackUse>,
    /// Objects that something points to.
    expected: BTreeSet<String>,
    /// Reports of which restructure has placed all mails, and said so by an object.
    placed: Vec<Report>,
    remedies: Vec<(String, Remedy)>,
}

/// Figures of a pack, in bytes.
struct PackUse {
    size: u64,
    overhead: u64,
    used: u64,
}

impl Findings {
    /// A difference between the catalogue and what the objects say, and what puts it right.
    fn differ(&mut self, text: String, remedy: Remedy) {
        self.error(format!("{text}; to put it right: {}", remedy.command()));
        if self.remedies.len() < MENDED {
            self.remedies.push((text, remedy));
        }
    }

    fn error(&mut self, text: String) {
        if self.said.contains(&text) {
            return;
        }
        if self.report.errors.len() < LISTED {
            self.said.insert(text.clone());
            self.report.errors.push(text);
        } else {
            self.more_errors += 1;
        }
    }
}

impl Archive {
    /// Asks for a check; its process ends with the [`Checked`] document.
    pub async fn start_check(&self, depth: Depth, by: &str) -> Result<ProcessId> {
        let title = if depth.repair {
            "check the archive, and put right what can be"
        } else if depth.read_data {
            "check the archive, every byte of it"
        } else {
            "check the archive"
        };
        let process = self.begin_process("check", title, by).await?;
        self.send(&Job::Check { process: process.id.clone(), read_data: depth.read_data, repair: depth.repair })
            .await?;
        Ok(process.id)
    }

    /// A check keeps no place: one that does not come to its end before the deadline fails, and says what does.
    pub(crate) async fn run_check(&self, process: &ProcessId, depth: Depth, deadline: Duration) -> Result<()> {
        if self.need::<Process>(&process.0).await?.value.state.ended() {
            return Ok(());
        }
        let outcome = self.in_time(deadline, Box::pin(self.check_to(depth))).await;
        let outcome = outcome.unwrap_or_else(|| Err(depth.too_long()));
        if let Ok(checked) = &outcome {
            let severity = if checked.errors.is_empty() { Severity::Info } else { Severity::Error };
            self.say(process, severity, checked.in_short()).await?;
        }
        self.end_process(process, ProcessState::Finished, outcome.map(|checked| json!(checked))).await
    }

    /// Checks, and repairs if that is asked for.
    pub async fn check_to(&self, depth: Depth) -> Result<Checked> {
        if depth.repair { self.repair().await } else { self.check(depth.read_data).await }
    }

    /// Compares catalogue and objects; with `read_data` every stored byte is read and every row compared.
    pub async fn check(&self, read_data: bool) -> Result<Checked> {
        let mut findings = Findings::default();
        self.look(&mut findings, read_data).await?;
        Ok(findings.close())
    }

    /// Checks everything, puts right what can be put right without losing anything, and checks again.
    pub async fn repair(&self) -> Result<Checked> {
        let mut findings = Findings::default();
        let Some(comparison) = self.look(&mut findings, true).await? else { return Ok(findings.close()) };
        let repaired = self.apply_all(&comparison, &mut findings).await?;
        drop(comparison);
        let checked = self.check(true).await?;
        Ok(Checked { repaired, ..checked })
    }

    /// What there is to find; with `read_data` also what the objects say.
    async fn look(&self, findings: &mut Findings, read_data: bool) -> Result<Option<Comparison>> {
        if self.is_rebuild_unfinished().await? {
            findings.error(
                "the catalogue is being made anew, or that was cut off; to put it right: `postkahn rebuild`".into(),
            );
        }
        self.check_packs(findings).await?;
        self.check_messages(findings).await?;
        self.check_placements(findings).await?;
        findings.balanced = self.check_imports(findings).await?;
        self.check_outcomes(findings, read_data).await?;
        let mut comparison = None;
        if read_data {
            for fault in self.catalog.faults().await? {
                findings.error(format!("catalogue: {fault}"));
            }
            comparison = Some(self.compare(findings).await?);
        } else {
            self.check_told(findings).await?;
        }
        self.find_orphans(findings, comparison.as_ref()).await?;
        if let Err(error) = self.own_certificate().await {
            findings.error(error.to_string());
        }
        Ok(comparison)
    }
}

impl Findings {
    fn close(self) -> Checked {
        let unused = |pack: &PackUse| pack.size.saturating_sub(pack.overhead + pack.used);
        let mut report = self.report;
        report.dead_bytes = self.packs.values().map(unused).sum();
        if self.more_errors > 0 {
            report.errors.push(format!("and {} more errors", self.more_errors));
        }
        report.balanced = self.balanced && report.errors.is_empty();
        report
    }
}
