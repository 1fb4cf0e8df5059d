//! A small exporter and reader over memory.

use p256::SecretKey;
use p256::elliptic_curve::Generate as _;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use std::io::Cursor;
use volume::{
    Certificate, Checked, Closing, Error, ExportKeys, Metadata, PasswordCost, Protection, Secret, Totals, Verified,
    Volume, VolumeCheck, VolumeStart, VolumeWriter,
};

pub(crate) const EXPORT_ID: &str = "0190d9e2-7c3a-7000-8000-000000000001";
pub(crate) const CHEAP: PasswordCost = PasswordCost { memory_kib: 8, passes: 1, lanes: 1 };

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    rng(seed).fill_bytes(&mut bytes);
    bytes
}

pub(crate) fn keys(password: Option<&str>, recipients: &[Certificate]) -> ExportKeys {
    ExportKeys::generate(EXPORT_ID, &Protection { password, password_cost: CHEAP, recipients }, &mut rng(1)).unwrap()
}

pub(crate) fn recipient(seed: u64) -> (SecretKey, Certificate) {
    let key = SecretKey::generate_from_rng(&mut rng(seed));
    let certificate = Certificate::issue_for_agreement(&key.public_key(), "an archive", &mut rng(seed + 1)).unwrap();
    (key, certificate)
}

pub(crate) fn frame(raw: &[u8]) -> (Vec<u8>, Metadata) {
    let mut frame = Vec::new();
    let sha256 = volume::compress(&mut &*raw, raw.len() as u64, &mut frame).unwrap();
    let metadata = Metadata {
        sha256,
        size_bytes: raw.len() as u64,
        message_date: Some(1_700_000_000),
        message_date_source: Some("date".to_owned()),
        archive_date: Some(-1),
        locations: vec![vec!["alice".to_owned(), "Inbox/2020".to_owned()], vec!["alice".to_owned()]],
        flags: vec!["seen".to_owned()],
        source_key: Some("alice/1.eml".to_owned()),
        reference: None,
    };
    (frame, metadata)
}

pub(crate) fn start(number: u64, first_mail: u64) -> VolumeStart {
    VolumeStart {
        name: "Kanzlei".to_owned(),
        number,
        created: "2026-01-02T03:04:05Z".to_owned(),
        generator: "postkahn test".to_owned(),
        first_mail,
        limit_bytes: u64::MAX,
        salt: noise(number, 32).try_into().unwrap(),
    }
}

/// One volume: what it is, and its bytes.
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    pub seal_sha256: [u8; 32],
    pub(crate) next_mail: u64,
    pub(crate) totals: Totals,
}

/// The only volume of an export with these raw messages.
pub(crate) fn single(keys: &ExportKeys, mails: &[&[u8]]) -> Written {
    next(keys, None, mails, true)
}

/// The volume after `before`.
pub(crate) fn next(keys: &ExportKeys, before: Option<(u64, &Written)>, mails: &[&[u8]], last: bool) -> Written {
    let number = before.map_or(1, |(number, _)| number + 1);
    let first_mail = before.map_or(1, |(_, written)| written.next_mail);
    let mut totals = before.map_or_else(Totals::default, |(_, written)| written.totals);
    let mut writer = VolumeWriter::new(Cursor::new(Vec::new()), keys, &start(number, first_mail)).unwrap();
    for raw in mails {
        let (frame, metadata) = frame(raw);
        writer.append(&metadata, &mut frame.as_slice(), frame.len() as u64).unwrap();
    }
    totals.mails += writer.mails();
    totals.raw_bytes += writer.raw_bytes();
    totals.skipped += 2;
    let next_mail = writer.next_mail();
    let closing = Closing {
        previous_seal_sha256: before.map(|(_, written)| written.seal_sha256),
        skipped: 2,
        last: last.then_some(totals),
    };
    let finished = writer.finish(closing).unwrap();
    assert_eq!(finished.size_bytes, finished.out.get_ref().len() as u64);
    Written { bytes: finished.out.into_inner(), seal_sha256: finished.seal_sha256, next_mail, totals }
}

pub(crate) fn verified(bytes: &[u8], certificate: Option<&Certificate>) -> Result<Verified, Error> {
    let size = bytes.len();
    let head = &bytes[..size.min(usize::try_from(volume::HEAD_BYTES).unwrap())];
    let tail = &bytes[size.saturating_sub(usize::try_from(volume::TAIL_BYTES).unwrap())..];
    let plan = volume::locate(head, tail, size as u64)?;
    let part = |range: &std::ops::Range<u64>| {
        &bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
    };
    let parts = volume::Parts {
        header: part(&plan.header),
        catalogue: part(&plan.catalogue).to_vec(),
        seal: part(&plan.seal),
        signature: part(&plan.signature),
    };
    plan.verify(parts, certificate)
}

pub(crate) fn open(bytes: &[u8], certificate: &Certificate, secret: Secret<'_>) -> Result<Volume, Error> {
    verified(bytes, Some(certificate))?.unlock(secret)
}

/// Metadata and raw message of one mail.
pub(crate) fn read(
    volume: &Volume,
    bytes: &[u8],
    number: u64,
) -> Result<(Metadata, Vec<u8>, Vec<u8>), volume::OpenError> {
    let stored = volume.verified().stored(number).unwrap();
    let (start, len) = (usize::try_from(stored.offset).unwrap(), usize::try_from(stored.len).unwrap());
    let (mut frame, mut raw) = (Vec::new(), Vec::new());
    let metadata = volume.open_entry(number, &mut &bytes[start..start + len], &mut frame, &mut raw)?;
    Ok((metadata, frame, raw))
}

pub(crate) fn check(bytes: &[u8], certificate: Option<&Certificate>, secret: Secret<'_>) -> VolumeCheck {
    volume::verify(&mut Cursor::new(bytes), bytes.len() as u64, certificate, secret).unwrap()
}

pub(crate) fn checked(bytes: &[u8], certificate: &Certificate, secret: Secret<'_>) -> Checked {
    match check(bytes, Some(certificate), secret) {
        VolumeCheck::Checked(checked) => checked,
        other => panic!("refused: {other:?}"),
    }
}

pub(crate) fn refused(bytes: &[u8], certificate: Option<&Certificate>, secret: Secret<'_>) -> &'static str {
    match check(bytes, certificate, secret) {
        VolumeCheck::Refused(error) => error.code(),
        other => panic!("not refused: {other:?}"),
    }
}
