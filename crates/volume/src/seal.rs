//! `seal.json`: what the signature speaks for.

use crate::encoding::{hex32, hex32_option, to_hex};
use crate::limits::{JSON_INTEGER_LIMIT, MAX_MAIL_NUMBER, MAX_MAILS_PER_VOLUME, MAX_VOLUMES};
use crate::{Error, json};
use serde::{Deserialize, Serialize};

/// The sealed statement of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The header's.
    pub export_id: String,
    /// The header's.
    pub volume: u64,
    /// SHA-256 of `header.json`.
    #[serde(with = "hex32")]
    pub header_sha256: [u8; 32],
    /// SHA-256 of `catalogue`.
    #[serde(with = "hex32")]
    pub catalogue_sha256: [u8; 32],
    /// Number of the first mail of this volume (of the next one, if it has none).
    pub first_mail: u64,
    /// Mails in this volume, references included.
    pub mails: u64,
    /// Bytes of their raw messages, references included.
    pub raw_bytes: u64,
    /// Mails that the source could not deliver while this volume was written.
    pub skipped: u64,
    /// SHA-256 of the `seal.json` of the volume before; null in volume 1.
    #[serde(with = "hex32_option")]
    pub previous_seal_sha256: Option<[u8; 32]>,
    /// Whether this is the last volume of the export.
    pub last: bool,
    /// Only on the last volume: how many there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes: Option<u64>,
    /// Only on the last volume: sum of `mails`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_mails: Option<u64>,
    /// Only on the last volume: sum of `raw_bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_raw_bytes: Option<u64>,
    /// Only on the last volume: sum of `skipped`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_skipped: Option<u64>,
}

/// Sums over all volumes of an export, this one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Mails, references included.
    pub mails: u64,
    /// Bytes of their raw messages.
    pub raw_bytes: u64,
    /// Mails that the source could not deliver.
    pub skipped: u64,
}

impl Seal {
    /// Reads and checks a signed seal.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let value = json::parse(bytes).map_err(|error| malformed(&error))?;
        let seal: Self = serde_json::from_value(value).map_err(|error| malformed(&error))?;
        seal.check().map_err(|rule| malformed(&rule))?;
        Ok(seal)
    }

    /// The totals of the export, on its last volume.
    pub fn totals(&self) -> Option<Totals> {
        Some(Totals { mails: self.total_mails?, raw_bytes: self.total_raw_bytes?, skipped: self.total_skipped? })
    }

    fn own(&self) -> Totals {
        Totals { mails: self.mails, raw_bytes: self.raw_bytes, skipped: self.skipped }
    }

    /// [`Seal::previous_seal_sha256`] in lower-case hex.
    pub fn previous_seal_hex(&self) -> Option<String> {
        self.previous_seal_sha256.map(|hash| to_hex(&hash))
    }

    /// The rules that types alone do not keep.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let end = self.first_mail.saturating_add(self.mails);
        let is_first = self.volume == 1;
        let rules = [
            ((1..=MAX_VOLUMES).contains(&self.volume), "volume is out of range"),
            (self.mails <= MAX_MAILS_PER_VOLUME, "too many mails"),
            (self.first_mail >= 1 && end <= MAX_MAIL_NUMBER + 1, "mail numbers are out of range"),
            (!is_first || self.first_mail == 1, "volume 1 does not begin with mail 1"),
            (self.raw_bytes < JSON_INTEGER_LIMIT, "raw_bytes is out of range"),
            (self.skipped < JSON_INTEGER_LIMIT, "skipped is out of range"),
            (is_first == self.previous_seal_sha256.is_none(), "previous_seal_sha256 does not fit the volume number"),
        ];
        match rules.iter().find(|(kept, _)| !kept) {
            Some((_, rule)) => Err(rule),
            None => self.check_last(),
        }
    }

    fn check_last(&self) -> Result<(), &'static str> {
        let stated = [self.volumes, self.total_mails, self.total_raw_bytes, self.total_skipped];
        match (self.last, self.totals()) {
            (false, _) if stated.iter().any(Option::is_some) => Err("totals on a volume that is not the last"),
            (false, _) => Ok(()),
            (true, Some(totals)) => self.check_totals(totals),
            (true, None) => Err("the last volume lacks totals"),
        }
    }

    fn check_totals(&self, totals: Totals) -> Result<(), &'static str> {
        let before = self.first_mail.saturating_sub(1);
        let rules = [
            (self.volumes == Some(self.volume), "volumes is not the number of the last volume"),
            (totals.mails == before.saturating_add(self.mails), "total_mails does not fit the mail numbers"),
            (
                totals.raw_bytes >= self.raw_bytes && totals.raw_bytes < JSON_INTEGER_LIMIT,
                "total_raw_bytes is out of range",
            ),
            (totals.skipped >= self.skipped && totals.skipped < JSON_INTEGER_LIMIT, "total_skipped is out of range"),
            (self.volume > 1 || totals == self.own(), "the totals of an only volume are not its own numbers"),
        ];
        rules.iter().find(|(kept, _)| !kept).map_or(Ok(()), |(_, rule)| Err(rule))
    }
}

fn malformed(error: &impl ToString) -> Error {
    Error::Malformed(format!("seal.json: {}", error.to_string()))
}
