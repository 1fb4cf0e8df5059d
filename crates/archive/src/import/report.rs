//! The report of an import, and its place in the queue of reports.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Import, NotMail, SliceRef, slice::SliceRow};
use crate::{
    Archive, Error, ErrorKind, ImportId, Result,
    hash::to_hex,
    ports::{ObjectKey, PutMode},
    records::{Record, readable},
    uploads::Kind,
};

/// A report that waits for restructure, or has been worked through. What it says is in its object: lists may be long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) import: ImportId,
    pub(crate) key: ObjectKey,
    /// Hex SHA-256 of the report object.
    pub(crate) sha256: String,
    pub(crate) done: bool,
    /// When it was filed, which is when its import ended.
    #[serde(default)]
    pub(crate) filed: i64,
}

impl Record for Report {
    const KIND: &'static str = "report";
    fn id(&self) -> String {
        self.import.to_string()
    }
}

/// Waiting reports have a row here too, so that finding them costs nothing when there are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) import: ImportId,
}

impl Record for Waiting {
    const KIND: &'static str = "report-waiting";
    fn id(&self) -> String {
        self.import.to_string()
    }
}

/// What restructure and `check` need of a report object.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Contents {
    /// In the order of their entries.
    pub(crate) slices: Vec<SliceRef>,
    /// Every user archive that occurs.
    pub(crate) user_archives: BTreeSet<String>,
    /// The target.
    pub(crate) mailbox: crate::MailboxAddress,
    pub(crate) export_name: String,
    /// The import as its row says it after the end; none in a report of version 1.
    #[serde(default)]
    pub(crate) row: Option<Import>,
    /// What a foreign file holds besides.
    #[serde(default)]
    pub(crate) not_mail: Vec<NotMail>,
    /// Whether it proves by its own hash that it is unchanged; before version 3 only its row could.
    #[serde(skip)]
    pub(crate) is_proven: bool,
}

/// What became of the entries of an import, slice by slice.
pub(crate) struct Ledger {
    /// None before it is filed.
    pub(crate) report: Option<Report>,
    pub(crate) slices: Vec<SliceRef>,
    /// None of them before it is filed.
    pub(crate) user_archives: BTreeSet<String>,
}

pub(crate) const REPORTS: &str = "reports/";
const FORMAT: &str = "postkahn import report";
const VERSION: u32 = 3;
const FIRST_PROVEN_VERSION: u64 = 3;
/// Hex SHA-256 of all other members, so that no changed byte becomes a row.
const PROOF: &str = "sha256";

/// The report object.
#[derive(Serialize)]
struct Paper<'a> {
    format: &'a str,
    version: u32,
    import: &'a ImportId,
    file: &'a str,
    kind: Kind,
    by: &'a str,
    started: i64,
    mailbox: &'a crate::MailboxAddress,
    export_id: &'a str,
    export_name: &'a str,
    volume: u64,
    seal_sha256: &'a str,
    in_volume: u64,
    tally: super::Tally,
    state: super::ImportState,
    slices: &'a [SliceRef],
    user_archives: &'a BTreeSet<String>,
    row: &'a Import,
    /// Of a foreign file.
    not_mail: &'a [NotMail],
}

impl Archive {
    /// Writes report object and queue row; a report that has its row stays as it is. Answers when it was filed. That of a
    /// foreign file is done with at once: all of its mails lie in the target mailbox, by their folders.
    pub(super) async fn file_report(&self, import: &Import, slices: Vec<SliceRef>, rows: &[SliceRow]) -> Result<i64> {
        if let Some(report) = self.find::<Report>(&import.id.0).await? {
            if !report.value.done {
                self.queue_report(import).await?;
            }
            return Ok(report.value.filed);
        }
        let user_archives = self.user_archives_of(rows).await?;
        let report = self.write_report_once(import, slices, user_archives).await?;
        let (filed, done) = (report.filed, report.done);
        self.put(report).await?;
        if !done {
            self.queue_report(import).await?;
        }
        Ok(filed)
    }

    /// Takes what lies there, if another worker that closes the import has written it. Its request may come late too: row
    /// and object agree whoever is first.
    async fn write_report_once(
        &self,
        import: &Import,
        slices: Vec<SliceRef>,
        user_archives: BTreeSet<String>,
    ) -> Result<Report> {
        let (report, json) = self.draw_up(import, &slices, &user_archives).await?;
        match self.objects.put(&report.key, json.clone(), PutMode::IfAbsent).await {
            Err(e) if e.kind() == ErrorKind::Conflict => {}
            put => return put.map(|_| report),
        }
        let own: Contents = serde_json::from_slice(&json).map_err(|e| changed(&report.key).caused_by(e))?;
        let there = readable(self.lone_report(&report.key).await)?;
        if let Some((there, _)) = there.filter(|(_, contents)| tell_alike(contents, own)) {
            return Ok(Report { done: report.done, ..there });
        }
        // It was to end otherwise, or what lies there is damaged.
        self.objects.put(&report.key, json, PutMode::Overwrite).await.map(|_| report)
    }

    /// Writes the report object of an import that ends now, or has ended, and answers what its row is to say.
    pub(crate) async fn write_report(
        &self,
        import: &Import,
        slices: Vec<SliceRef>,
        user_archives: BTreeSet<String>,
    ) -> Result<Report> {
        let (report, json) = self.draw_up(import, &slices, &user_archives).await?;
        self.objects.put(&report.key, json, PutMode::Overwrite).await.map(|_| report)
    }

    /// What the row is to say, and the object.
    async fn draw_up(
        &self,
        import: &Import,
        slices: &[SliceRef],
        user_archives: &BTreeSet<String>,
    ) -> Result<(Report, Bytes)> {
        let filed = import.finished.unwrap_or_else(|| self.clock.now());
        let row = Import { wrapped_key: None, finished: Some(filed), ..import.clone() };
        let not_mail = self.listed_not_mail(import).await?;
        let json = proven(&Paper::of(&row, slices, user_archives, &not_mail))
            .map_err(|e| Error::internal("a report cannot be written").caused_by(e))?;
        let key = ObjectKey::parse(format!("{REPORTS}{}.json", import.id))?;
        let sha256 = to_hex(&Sha256::digest(&json));
        let report = Report { import: import.id.clone(), key, sha256, done: import.is_foreign(), filed };
        Ok((report, json.into()))
    }

    /// Puts the report in the state that its objects say.
    pub(crate) async fn queue_as(&self, report: Report) -> Result<()> {
        let import = report.import.clone();
        if report.done {
            self.put(report).await?;
            return self.drop_record::<Waiting>(None, &import.0).await.map(drop);
        }
        self.put(report).await?;
        self.put(Waiting { import }).await.map(drop)
    }

    async fn queue_report(&self, import: &Import) -> Result<()> {
        self.put(Waiting { import: import.id.clone() }).await.map(drop)
    }

    /// Reads a report object back, verified.
    pub(crate) async fn report_contents(&self, report: &Report) -> Result<Contents> {
        let (sha256, contents) = self.report_object(&report.key).await?;
        if sha256 != report.sha256 {
            return Err(changed(&report.key));
        }
        Ok(contents)
    }

    /// The ledger of an import: as its report names it, or as its checkpoints count it before there is one.
    pub(crate) async fn ledger(&self, import: &Import) -> Result<Ledger> {
        let Some(report) = self.find::<Report>(&import.id.0).await?.map(|stored| stored.value) else {
            let slices = self.slice_rows(import).await?.into_iter().map(|row| row.slice).collect();
            return Ok(Ledger { report: None, slices, user_archives: BTreeSet::new() });
        };
        let Contents { slices, user_archives, .. } = self.report_contents(&report).await?;
        Ok(Ledger { report: Some(report), slices, user_archives })
    }

    /// Reads a report as its object alone tells it; `Corrupt` unless it is whole and in its place.
    pub(crate) async fn lone_report(&self, key: &ObjectKey) -> Result<(Report, Contents)> {
        let (sha256, contents) = self.report_object(key).await?;
        let name = key.as_str().strip_prefix(REPORTS).and_then(|name| name.strip_suffix(".json"));
        let import = ImportId(name.ok_or_else(|| changed(key))?.to_owned());
        if contents.row.as_ref().is_some_and(|row| row.id != import) {
            return Err(changed(key));
        }
        let filed = contents.row.as_ref().and_then(|row| row.finished).unwrap_or_default();
        Ok((Report { import, key: key.clone(), sha256, done: false, filed }, contents))
    }

    async fn report_object(&self, key: &ObjectKey) -> Result<(String, Contents)> {
        let meta = self.objects.head(key).await?.ok_or_else(|| Error::corrupt(format!("{key} is missing")))?;
        let json = self.objects.get(key, 0..meta.size_bytes, None).await?;
        let mut paper: Value = serde_json::from_slice(&json).map_err(|e| changed(key).caused_by(e))?;
        let is_proven = paper["version"].as_u64().is_some_and(|version| version >= FIRST_PROVEN_VERSION);
        if is_proven {
            let proof = paper.as_object_mut().and_then(|paper| paper.remove(PROOF));
            if proof.as_ref().and_then(Value::as_str) != Some(&digest(&paper)) {
                return Err(changed(key));
            }
        }
        let contents: Contents = serde_json::from_value(paper).map_err(|e| changed(key).caused_by(e))?;
        Ok((to_hex(&Sha256::digest(&json)), Contents { is_proven, ..contents }))
    }
}

/// Whether both tell the same, whoever began to close the import, and when.
fn tell_alike(there: &Contents, own: Contents) -> bool {
    let (Some(row), Some(own_row)) = (&there.row, own.row) else { return false };
    let Import { process, earlier, source, etag, touched, finished, .. } = row.clone();
    let row = Import { process, earlier, source, etag, touched, finished, ..own_row };
    Contents { row: Some(row), is_proven: there.is_proven, ..own } == *there
}

/// The paper with its hash.
fn proven(paper: &Paper<'_>) -> serde_json::Result<Vec<u8>> {
    let mut paper = serde_json::to_value(paper)?;
    let proof = digest(&paper);
    if let Some(paper) = paper.as_object_mut() {
        paper.insert(PROOF.into(), proof.into());
    }
    serde_json::to_vec_pretty(&paper)
}

/// Of the JSON without spaces, its members in the order of their names.
fn digest(paper: &Value) -> String {
    to_hex(&Sha256::digest(paper.to_string()))
}

fn changed(key: &ObjectKey) -> Error {
    Error::corrupt(format!("{key} has changed"))
}

impl<'a> Paper<'a> {
    fn of(
        import: &'a Import,
        slices: &'a [SliceRef],
        user_archives: &'a BTreeSet<String>,
        not_mail: &'a [NotMail],
    ) -> Self {
        Self {
            format: FORMAT,
            version: VERSION,
            import: &import.id,
            file: &import.file,
            kind: import.kind,
            by: &import.by,
            started: import.started,
            mailbox: &import.mailbox,
            export_id: &import.export_id,
            export_name: &import.export_name,
            volume: import.volume,
            seal_sha256: &import.seal,
            in_volume: import.mails,
            tally: import.tally,
            state: import.state,
            slices,
            user_archives,
            row: import,
            not_mail,
        }
    }
}
