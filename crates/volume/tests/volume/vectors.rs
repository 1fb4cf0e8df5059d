//! The vectors of docs/formats/volume.md, made by a second writer and read by a second reader too: see
//! `tests/second_reader` in the root of the repository.

use crate::support::{CHEAP, EXPORT_ID, read, rng, verified};
use p256::SecretKey;
use p256::pkcs8::DecodePrivateKey as _;
use serde_json::{Value, json};
use std::io::Cursor;
use std::path::PathBuf;
use volume::{Certificate, Error, ExportKeys, Metadata, Protection, Secret, State, Volume, VolumeCheck, verify_set};

const MANIFEST: &str = include_str!("../vectors/MANIFEST.json");

fn bytes_of(name: &Value) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    std::fs::read(folder.join(name.as_str().unwrap())).unwrap()
}

/// One row of the manifest, its files read.
struct Vector {
    row: Value,
    files: Vec<Vec<u8>>,
    certificate: Option<Result<Certificate, Error>>,
    key: Option<SecretKey>,
}

impl Vector {
    fn all() -> Vec<Self> {
        let rows: Vec<Value> = serde_json::from_str(MANIFEST).unwrap();
        rows.into_iter().map(Self::of).collect()
    }

    fn of(row: Value) -> Self {
        let files = row["files"].as_array().unwrap().iter().map(bytes_of).collect();
        let present = |name: &str| Some(&row[name]).filter(|value| !value.is_null()).map(bytes_of);
        let certificate = present("certificate").map(|bytes| Certificate::parse(&bytes));
        let key = present("key").map(|pem| SecretKey::from_pkcs8_der(&der::pem::decode_vec(&pem).unwrap().1).unwrap());
        Self { row, files, certificate, key }
    }

    fn named(name: &str) -> Self {
        Self::all().into_iter().find(|vector| vector.row["name"] == name).unwrap()
    }

    /// What was given to open it, in the order in which it is tried.
    fn secrets(&self) -> Vec<Secret<'_>> {
        let password = self.row["password"].as_str().map(Secret::Password);
        let key = self.key.as_ref().map(Secret::RecipientKey);
        let given: Vec<_> = password.into_iter().chain(key).collect();
        if given.is_empty() { vec![Secret::None] } else { given }
    }

    fn known_certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()?.as_ref().ok()
    }

    /// The volume, opened by one of the secrets; where none opens it, what the first one met.
    fn open(&self, file: &[u8]) -> Result<(Volume, Secret<'_>), Error> {
        let verified = match (verified(file, self.known_certificate()), &self.certificate) {
            (Err(Error::CertificateNeeded), Some(Err(error))) => return Err(error.clone()),
            (verified, _) => verified?,
        };
        let mut tries: Vec<_> =
            self.secrets().into_iter().map(|secret| Ok((verified.clone().unlock(secret)?, secret))).collect();
        let opened = tries.iter().position(Result::is_ok).unwrap_or(0);
        tries.swap_remove(opened)
    }

    /// What `verify` says of one file, and its mails as the manifest has them.
    fn check(&self, file: &[u8]) -> (VolumeCheck, Vec<Value>) {
        let (volume, secret) = match self.open(file) {
            Ok(opened) => opened,
            Err(error) => return (VolumeCheck::Refused(error), Vec::new()),
        };
        let check =
            volume::verify(&mut Cursor::new(file), file.len() as u64, self.known_certificate(), secret).unwrap();
        let mails = match &check {
            VolumeCheck::Checked(checked) => shown_mails(&volume, file, &checked.damaged),
            _ => Vec::new(),
        };
        (check, mails)
    }
}

fn shown_mails(volume: &Volume, file: &[u8], damaged: &[(u64, volume::Damage)]) -> Vec<Value> {
    let show = |number: u64| {
        if damaged.iter().any(|(found, _)| *found == number) {
            return json!({ "number": number, "damaged": true });
        }
        let (metadata, _, raw) = read(volume, file, number).unwrap();
        assert!(metadata.reference.is_some() || raw.len() as u64 == metadata.size_bytes);
        shown(number, &metadata)
    };
    volume.verified().numbers().map(show).collect()
}

fn shown(number: u64, metadata: &Metadata) -> Value {
    let flags: Vec<_> = volume::FLAGS.iter().filter(|flag| metadata.flags.iter().any(|found| found == *flag)).collect();
    json!({
        "number": number,
        "sha256": crate::forge::hex(&metadata.sha256),
        "raw_bytes": metadata.size_bytes,
        "archive_date": metadata.archive_date,
        "message_date": metadata.message_date,
        "message_date_source": metadata.message_date_source,
        "flags": flags,
        "source_key": metadata.source_key,
        "locations": metadata.locations,
        "reference": metadata.reference,
    })
}

#[test]
fn each_vector_is_read_as_its_manifest_says() {
    let vectors = Vector::all();
    assert!(vectors.len() > 300);
    let mut wrong = Vec::new();
    for vector in &vectors {
        let (checks, mut mails): (Vec<_>, Vec<_>) = vector.files.iter().map(|file| vector.check(file)).unzip();
        let set = verify_set(checks.into_iter().map(|check| ("v".to_owned(), check)).collect());
        for (report, mails) in set.volumes.iter().zip(&mut mails) {
            if report.state == State::Refused {
                mails.clear();
            }
        }
        let found = json!({
            "states": set.volumes.iter().map(|report| match report.state {
                State::Ok => "ok",
                State::Damaged => "damaged",
                _ => report.reason.unwrap_or("none"),
            }).collect::<Vec<_>>(),
            "missing_volumes": set.missing_volumes,
            "complete": set.complete,
            "mails": mails,
            "differs_at": set.volumes.iter().map(|report| report.differs_at).collect::<Vec<_>>(),
        });
        for (name, value) in found.as_object().unwrap() {
            if *value != vector.row[name] {
                wrong.push(format!("{}: {name}: {value} instead of {}", vector.row["name"], vector.row[name]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The page lists what is here, and nothing else is here.
#[test]
fn the_page_lists_each_kind_of_vector() {
    let page = include_str!("../../../../docs/formats/volume.md");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let listed: Vec<String> = Vector::all()
        .iter()
        .flat_map(|vector| vector.row["files"].as_array().unwrap().clone())
        .map(|file| file.as_str().unwrap().to_owned())
        .collect();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let is_volume = path.extension().is_some_and(|ending| ending == "mszip");
        assert!(!is_volume || listed.contains(&name), "{name} is in no row of the manifest");
    }
    for vector in Vector::all() {
        let (name, about) = (vector.row["name"].as_str().unwrap(), vector.row["about"].as_str().unwrap());
        assert!(page.contains(&format!("| `{name}` | {about} |")), "the page does not list {name}");
    }
}

/// Whatever byte of a good volume is another: it is refused, or a mail is damaged, or nothing is; and what is then still
/// taken for good is what was there before.
#[test]
fn no_changed_byte_makes_another_mail() {
    for name in ["good-both-by-key", "good-references"] {
        let vector = Vector::named(name);
        let (_, whole) = vector.check(&vector.files[0]);
        for at in 0..vector.files[0].len() {
            let mut file = vector.files[0].clone();
            file[at] ^= 1 << (at % 8);
            let (check, mails) = vector.check(&file);
            let VolumeCheck::Checked(checked) = check else { continue };
            assert!(checked.differs_at.is_some() || !checked.damaged.is_empty(), "{name}: byte {at} goes unnoticed");
            for (mail, before) in mails.iter().zip(&whole) {
                assert!(mail == before || mail["damaged"] == json!(true), "{name}: byte {at} makes {mail}");
            }
        }
    }
}

#[test]
fn eight_recipients_and_no_more() {
    let recipients: Vec<_> = (0..9).map(|seed| crate::support::recipient(10 + 2 * seed)).collect();
    let certificates: Vec<_> = recipients.iter().map(|(_, certificate)| certificate.clone()).collect();
    let generate = |recipients: &[Certificate]| {
        let protection = Protection { password: Some("p"), password_cost: CHEAP, recipients };
        ExportKeys::generate(EXPORT_ID, &protection, &mut rng(1))
    };
    assert!(generate(&certificates).unwrap_err().to_string().contains("more than eight recipients"));
    let keys = generate(&certificates[..8]).unwrap();
    let written = crate::support::single(&keys, &[b"mail"]);
    for (key, _) in &recipients[..8] {
        let volume = crate::support::open(&written.bytes, keys.certificate(), Secret::RecipientKey(key)).unwrap();
        assert_eq!(read(&volume, &written.bytes, 1).unwrap().2, b"mail");
    }
    let ninth = crate::support::open(&written.bytes, keys.certificate(), Secret::RecipientKey(&recipients[8].0));
    assert_eq!(ninth.unwrap_err(), Error::WrongRecipientKey);
    // One who is named twice has one slot, and takes no other's place.
    let twice = [&certificates[..8], &certificates[..8]].concat();
    let keys = generate(&twice).unwrap();
    let volume = crate::support::open(
        &crate::support::single(&keys, &[]).bytes,
        keys.certificate(),
        Secret::RecipientKey(&recipients[7].0),
    );
    assert_eq!(volume.unwrap().verified().header().recipient_slots().count(), 8);
}
