//! Export volumes in memory, for tests of the import.

use std::{collections::HashMap, io::Cursor};

use bytes::Bytes;
use volume::{Closing, ExportKeys, Metadata, Protection, Totals, VolumeStart, VolumeWriter};

use super::SeededRandom;
use crate::{MailHash, ports::Random, rng::Rng};

/// One mail to be exported.
#[derive(Clone, Debug)]
pub struct Sample {
    pub raw: Vec<u8>,
    pub location: Vec<String>,
    pub date: Option<i64>,
    /// Where the volume says that the date came from; none is `date`, or nothing without a date.
    pub date_source: Option<String>,
}

impl Sample {
    /// A small mail with this number in its text, in `location` (segments separated by `/`).
    pub fn new(number: u64, location: &str) -> Self {
        let raw =
            format!("From: a@b.example\r\nSubject: {number}\r\nMessage-ID: <{number}@b>\r\n\r\nmail {number}\r\n");
        let date = i64::try_from(1_600_000_000 + number * 60).ok();
        Self {
            raw: raw.into_bytes(),
            location: location.split('/').map(str::to_owned).collect(),
            date,
            date_source: None,
        }
    }
    pub fn hash(&self) -> MailHash {
        MailHash::of(&self.raw)
    }
}

/// A whole export: its certificate and volumes, with so many mails in each.
#[derive(Clone, Debug)]
pub struct Exported {
    pub certificate: Vec<u8>,
    pub volumes: Vec<Bytes>,
}

/// Exports the mails as the exporter does: copies within a volume become references.
pub fn export(name: &str, mails: &[Sample], per_volume: usize, password: Option<&str>) -> Exported {
    export_again(7, name, mails, per_volume, password)
}

/// The same with keys of its own, which follow from the seed. All exports have one id, as none should.
#[expect(clippy::expect_used, reason = "a test's fixture")]
pub fn export_again(seed: u64, name: &str, mails: &[Sample], per_volume: usize, password: Option<&str>) -> Exported {
    let random = SeededRandom::new(seed);
    let cost = volume::PasswordCost { memory_kib: 64, passes: 1, lanes: 1 };
    let protection = Protection { password, password_cost: cost, recipients: &[] };
    let id = "0b0e6c1e-0000-4000-8000-000000000001";
    let keys = ExportKeys::generate(id, &protection, &mut Rng(&random)).expect("keys can be made");
    let (mut volumes, mut previous, mut totals) = (Vec::new(), None, Totals::default());
    let parts: Vec<_> = if mails.is_empty() { vec![mails] } else { mails.chunks(per_volume).collect() };
    for (at, part) in parts.iter().enumerate() {
        let mut salt = [0; 32];
        random.fill(&mut salt);
        let start = VolumeStart {
            name: name.into(),
            number: at as u64 + 1,
            created: "2026-01-01T00:00:00Z".into(),
            generator: "test".into(),
            first_mail: totals.mails + 1,
            limit_bytes: volume::MAX_VOLUME_BYTES,
            salt,
        };
        let mut writer = VolumeWriter::new(Cursor::new(Vec::new()), &keys, &start).expect("a volume begins");
        let mut known = HashMap::new();
        for (sample, number) in part.iter().zip(totals.mails + 1..) {
            let reference = known.get(&sample.raw).copied();
            known.entry(&sample.raw).or_insert(number);
            append(&mut writer, sample, reference);
            totals.raw_bytes += sample.raw.len() as u64;
        }
        totals.mails += part.len() as u64;
        let last = (at + 1 == parts.len()).then_some(totals);
        let closing = Closing { previous_seal_sha256: previous, skipped: 0, last };
        let finished = writer.finish(closing).expect("a volume ends");
        previous = Some(finished.seal_sha256);
        volumes.push(finished.out.into_inner().into());
    }
    Exported { certificate: keys.certificate().der().to_vec(), volumes }
}

#[expect(clippy::expect_used, reason = "a test's fixture")]
fn append(writer: &mut VolumeWriter<Cursor<Vec<u8>>>, sample: &Sample, reference: Option<u64>) {
    let mut frame = Vec::new();
    let sha256 =
        volume::compress(&mut &sample.raw[..], sample.raw.len() as u64, &mut frame).expect("a mail compresses");
    if reference.is_some() {
        frame.clear();
    }
    let metadata = Metadata {
        sha256,
        size_bytes: sample.raw.len() as u64,
        message_date: sample.date,
        message_date_source: sample.date_source.clone().or_else(|| sample.date.map(|_| "date".into())),
        locations: vec![sample.location.clone()],
        reference,
        ..Metadata::default()
    };
    writer.append(&metadata, &mut &frame[..], frame.len() as u64).expect("a mail fits");
}
