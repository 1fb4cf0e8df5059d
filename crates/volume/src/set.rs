//! Checking the volumes of one export together, and the `verify` document.

use crate::seal::Totals;
use crate::verify::Checked;
use crate::{Damage, Error, Header, Seal, Verified, VolumeCheck};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;

/// What became of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Everything holds.
    Ok,
    /// Signature, catalogue and stored bytes hold; the mails were not opened for want of the secret.
    Signed,
    /// Signed, but a mail or the container is damaged.
    Damaged,
    /// Refused as a whole.
    Refused,
    /// The same volume a second time; harmless.
    Doubled,
    /// Another volume of the same number, or one that does not continue the one before it.
    Conflict,
    /// A volume of another export under the same key.
    Foreign,
}

/// The `verify` document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetCheck {
    /// One for each file, in the order given.
    pub volumes: Vec<VolumeReport>,
    /// The export that the first verified file belongs to.
    pub export_id: Option<String>,
    /// All volumes from the first to the last are here, each continues the one before, the totals agree, and no second
    /// volume says that it is the last.
    pub complete: bool,
    /// Numbers of volumes that are known to exist and were not verified.
    pub missing_volumes: Vec<u64>,
    /// Whether the last volume is here; if not, nobody can say how many are missing at the end.
    pub last_seen: bool,
    /// Mails in the export's verified volumes, each volume counted once.
    pub mails: u64,
    /// Bytes of their raw messages.
    pub raw_bytes: u64,
}

/// One file of the `verify` document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VolumeReport {
    /// The name given.
    pub file: String,
    /// What became of it.
    pub state: State,
    /// The error code, if there is one.
    pub reason: Option<&'static str>,
    /// The same as a sentence.
    pub detail: Option<String>,
    /// Volume number, if verified.
    pub volume: Option<u64>,
    /// The name that it was written under, if verified and now named otherwise.
    pub renamed_from: Option<String>,
    /// Mails that the verified seal states; 0 if refused.
    pub mails: u64,
    /// Damaged mails, by number.
    pub damaged: Vec<DamagedMail>,
    /// Offset of the first container byte that is not what it must be.
    pub differs_at: Option<u64>,
    #[serde(skip)]
    exit_code: u8,
}

/// One damaged mail of the `verify` document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DamagedMail {
    /// Mail number.
    pub number: u64,
    /// Always `mail_damaged`.
    pub reason: &'static str,
    /// What was found, as a sentence.
    pub detail: String,
}

impl From<&(u64, Damage)> for DamagedMail {
    fn from((number, damage): &(u64, Damage)) -> Self {
        Self { number: *number, reason: damage.code(), detail: damage.to_string() }
    }
}

/// Puts the files of one export together.
pub fn verify_set(files: Vec<(String, VolumeCheck)>) -> SetCheck {
    let mut set = Set::default();
    for (file, check) in files {
        set.add(file, check);
    }
    let export_id = set.members.first().map(|member| member.header().export_id.clone());
    set.tell_foreign(export_id.as_deref());
    set.choose();
    set.follow_chain();
    set.check_totals();
    set.conclude(export_id)
}

impl SetCheck {
    /// The exit code: the first that occurs of 7, 3, 2, 4, 8; 8 also where a volume of the export is missing.
    pub fn exit_code(&self) -> u8 {
        let codes: Vec<u8> = self.volumes.iter().map(|report| report.exit_code).collect();
        let worst = [7, 3, 2, 4, 8].into_iter().find(|code| codes.contains(code));
        let incomplete = !self.complete && !self.volumes.is_empty();
        worst.unwrap_or(if incomplete { 8 } else { 0 })
    }
}

/// The exit code of a refused volume.
pub fn exit_code(error: &Error) -> u8 {
    match error {
        Error::BadSignature(_) | Error::Malformed(_) => 7,
        Error::CertificateNeeded
        | Error::WrongCertificate
        | Error::NotACertificate
        | Error::PasswordNeeded
        | Error::RecipientKeyNeeded
        | Error::WrongPassword
        | Error::WrongRecipientKey => 3,
        Error::NotAVolume(_) | Error::NewerVersion(_) | Error::Truncated | Error::OverLimit(_) => 2,
    }
}

/// A verified file and its place in the reports.
#[derive(Clone)]
struct Member {
    index: usize,
    verified: Verified,
}

impl Member {
    fn header(&self) -> &Header {
        self.verified.header()
    }

    fn seal(&self) -> &Seal {
        self.verified.seal()
    }

    fn next_mail(&self) -> u64 {
        self.seal().first_mail.saturating_add(self.seal().mails)
    }
}

#[derive(Default)]
struct Set {
    reports: Vec<VolumeReport>,
    members: Vec<Member>,
    /// The one volume that counts for each number.
    chain: BTreeMap<u64, Member>,
    /// Seals that say they are the last; of more than one nobody can tell where the export ends.
    last_seals: BTreeSet<[u8; 32]>,
}

impl Set {
    fn add(&mut self, file: String, check: VolumeCheck) {
        let index = self.reports.len();
        let mut report = VolumeReport::new(file);
        match check {
            VolumeCheck::Unreadable(detail) => {
                report.detail = Some(detail);
                report.exit_code = 4;
            }
            VolumeCheck::Refused(error) => report.refuse(&error),
            VolumeCheck::OtherExport => {
                report.refuse(&Error::WrongCertificate);
                report.detail = Some("a volume of another export: its header names another certificate".to_owned());
            }
            VolumeCheck::Checked(checked) => {
                report.describe(&checked);
                self.members.push(Member { index, verified: checked.verified });
            }
        }
        self.reports.push(report);
    }

    fn tell_foreign(&mut self, export_id: Option<&str>) {
        let (own, foreign): (Vec<_>, Vec<_>) = std::mem::take(&mut self.members)
            .into_iter()
            .partition(|member| Some(member.header().export_id.as_str()) == export_id);
        self.members = own;
        for member in foreign {
            self.mark(&member, State::Foreign, "a volume of another export under the same key");
        }
    }

    /// Of several files of one number one counts: of the seal that the next volume names, else the first; undamaged
    /// if there is a choice.
    fn choose(&mut self) {
        let mut by_number: BTreeMap<u64, Vec<Member>> = BTreeMap::new();
        for member in std::mem::take(&mut self.members) {
            if member.seal().last {
                self.last_seals.insert(*member.verified.seal_sha256());
            }
            by_number.entry(member.header().volume).or_default().push(member);
        }
        for (number, members) in &by_number {
            let is_named = |member: &&Member| {
                let next = by_number.get(&(number + 1)).into_iter().flatten();
                next.into_iter().any(|next| next.seal().previous_seal_sha256 == Some(*member.verified.seal_sha256()))
            };
            let Some(seal) = members.iter().find(is_named).or(members.first()).map(|m| *m.verified.seal_sha256())
            else {
                continue;
            };
            let (same, other): (Vec<_>, Vec<_>) =
                members.iter().partition(|member| *member.verified.seal_sha256() == seal);
            let chosen = same.iter().find(|member| !self.is_damaged(member)).or(same.first()).map(|m| m.index);
            for member in same {
                if Some(member.index) == chosen {
                    self.chain.insert(*number, member.clone());
                } else if !self.is_damaged(member) {
                    self.mark(member, State::Doubled, "the same volume is there a second time");
                }
            }
            for member in other {
                self.mark(member, State::Conflict, "another volume of this number is there");
            }
        }
    }

    /// Each volume must continue the one before it; one that does not is refused, and so counts as missing.
    fn follow_chain(&mut self) {
        let mut before: Option<Member> = None;
        for member in self.chain.values().cloned().collect::<Vec<_>>() {
            match before.as_ref().map_or(Ok(()), |before| continues(before, &member)) {
                Ok(()) => before = Some(member),
                Err(rule) => {
                    self.mark(&member, State::Conflict, rule);
                    self.chain.remove(&member.header().volume);
                }
            }
        }
    }

    /// The last volume states sums over all; with all at hand they must be true.
    fn check_totals(&mut self) {
        let Some(last) = self.chain.values().find(|member| member.seal().last).cloned() else { return };
        if self.missing().is_empty() && last.seal().totals() != Some(self.sums()) {
            if let Some(report) = self.reports.get_mut(last.index) {
                report.refuse(&Error::Malformed("its totals are not the sums over the volumes".to_owned()));
            }
            self.chain.remove(&last.header().volume);
        }
    }

    fn sums(&self) -> Totals {
        self.chain.values().fold(Totals::default(), |sums, member| Totals {
            mails: sums.mails.saturating_add(member.seal().mails),
            raw_bytes: sums.raw_bytes.saturating_add(member.seal().raw_bytes),
            skipped: sums.skipped.saturating_add(member.seal().skipped),
        })
    }

    fn last_seen(&self) -> bool {
        self.chain.values().any(|member| member.seal().last)
    }

    /// Gaps below the highest number; there is no telling what is missing above it, unless it is the last.
    fn missing(&self) -> Vec<u64> {
        let highest = self.chain.last_key_value().map_or(0, |(number, _)| *number);
        (1..=highest).filter(|number| !self.chain.contains_key(number)).collect()
    }

    fn conclude(self, export_id: Option<String>) -> SetCheck {
        let (sums, missing_volumes, last_seen) = (self.sums(), self.missing(), self.last_seen());
        SetCheck {
            volumes: self.reports,
            export_id,
            complete: last_seen && missing_volumes.is_empty() && self.last_seals.len() == 1,
            missing_volumes,
            last_seen,
            mails: sums.mails,
            raw_bytes: sums.raw_bytes,
        }
    }

    fn is_damaged(&self, member: &Member) -> bool {
        self.reports.get(member.index).is_some_and(|report| report.state == State::Damaged)
    }

    fn mark(&mut self, member: &Member, state: State, detail: &str) {
        if let Some(report) = self.reports.get_mut(member.index) {
            report.mark(state, detail);
        }
    }
}

fn damaged(mails: usize) -> String {
    if mails == 1 { "1 mail is damaged".to_owned() } else { format!("{mails} mails are damaged") }
}

/// Whether `next` can stand after `before` in one export; where volumes between them are missing, all that is left to
/// compare is compared.
fn continues(before: &Member, next: &Member) -> Result<(), &'static str> {
    let (old, new) = (before.header(), next.header());
    let adjacent = old.volume + 1 == new.volume;
    if (old.cipher, &old.key_slots, old.key_check) != (new.cipher, &new.key_slots, new.key_check) {
        return Err("its keys are not those of the volumes before it");
    }
    if before.seal().last {
        return Err("a volume before it is the last");
    }
    if adjacent && next.seal().previous_seal_sha256 != Some(*before.verified.seal_sha256()) {
        return Err("it names another seal for the volume before it");
    }
    let mails_follow = if adjacent {
        next.seal().first_mail == before.next_mail()
    } else {
        next.seal().first_mail >= before.next_mail()
    };
    if mails_follow { Ok(()) } else { Err("its mail numbers do not follow those of the volume before it") }
}

impl VolumeReport {
    fn new(file: String) -> Self {
        Self {
            file,
            state: State::Refused,
            reason: None,
            detail: None,
            volume: None,
            renamed_from: None,
            mails: 0,
            damaged: Vec::new(),
            differs_at: None,
            exit_code: 4,
        }
    }

    fn refuse(&mut self, error: &Error) {
        self.state = State::Refused;
        self.reason = Some(error.code());
        self.detail = Some(error.to_string());
        self.mails = 0;
        self.damaged.clear();
        self.exit_code = exit_code(error);
    }

    fn mark(&mut self, state: State, detail: &str) {
        (self.reason, self.exit_code) = match state {
            State::Doubled => (Some("volume_doubled"), 0),
            State::Foreign => (Some("volume_foreign"), 2),
            _ => (Some("volume_conflict"), 7),
        };
        self.state = state;
        self.detail = Some(detail.to_owned());
    }

    fn describe(&mut self, checked: &Checked) {
        let header = checked.verified.header();
        let written_as = format!("{}-{:04}.mszip", header.name, header.volume);
        let is_renamed = Path::new(&self.file).file_name() != Some(OsStr::new(&written_as));
        self.renamed_from = is_renamed.then_some(written_as);
        self.volume = Some(header.volume);
        self.mails = checked.verified.mails();
        self.damaged = checked.damaged.iter().map(DamagedMail::from).collect();
        self.differs_at = checked.differs_at;
        let container = checked.differs_at.map(|at| format!("the container differs at byte {at}"));
        (self.state, self.reason, self.detail, self.exit_code) = match (self.damaged.len(), container, checked.opened) {
            (0, None, true) => (State::Ok, None, None, 0),
            (0, None, false) => (State::Signed, None, None, 0),
            (0, container, _) => (State::Damaged, None, container, 8),
            (mails, ..) => (State::Damaged, Some("mail_damaged"), Some(damaged(mails)), 8),
        };
    }
}
