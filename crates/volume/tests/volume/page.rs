//! docs/formats/volume.md tells the truth: its example is opened here by this crate, and its intermediate values are
//! found again with other libraries.

use crate::forge::hex;
use crate::support::{CHEAP, EXPORT_ID, checked, frame, noise, open, read, rng};
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use std::fmt::Write as _;
use std::io::Cursor;
use volume::{
    Certificate, Closing, Error, ExportKeys, Metadata, Protection, Secret, Totals, VolumeStart, VolumeWriter,
};

const PAGE: &str = include_str!("../../../../docs/formats/volume.md");
const PASSWORD: &str = "Spreewald";
const RAW: &[u8] = b"Subject: hi\r\n\r\nhello\r\n";

/// The bytes of the block after `<!-- name -->`: offset, colon, up to 16 bytes in hex.
fn block(name: &str) -> Vec<u8> {
    let start = PAGE.find(&format!("<!-- {name} -->")).expect("the block is on the page");
    let lines = PAGE[start..].lines().skip(2).take_while(|line| !line.starts_with("```"));
    lines.flat_map(|line| unhex(line.split_once(": ").unwrap().1)).collect()
}

/// The value in the row of the table that begins with this name.
fn value(name: &str) -> Vec<u8> {
    let row = PAGE.lines().find(|line| line.starts_with(&format!("| {name} |"))).expect("the row is on the page");
    unhex(row.split('`').nth(1).unwrap())
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn derive(input: &[u8], salt: &[u8], info: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), input).expand(info, &mut out).unwrap();
    out
}

#[test]
fn the_example_opens() {
    let certificate = Certificate::parse(&block("certificate")).unwrap();
    let bytes = block("volume");
    let all = checked(&bytes, &certificate, Secret::Password(PASSWORD));
    assert!(all.opened && all.damaged.is_empty() && all.differs_at.is_none());
    let volume = open(&bytes, &certificate, Secret::Password(PASSWORD)).unwrap();
    let (metadata, zstd, raw) = read(&volume, &bytes, 1).unwrap();
    assert_eq!(raw, RAW);
    let plaintext = [
        &u32::try_from(metadata.encode().unwrap().len()).unwrap().to_le_bytes()[..],
        &metadata.encode().unwrap(),
        &zstd,
    ]
    .concat();
    assert_eq!(plaintext, value("plaintext of mail 1"));
    assert_eq!(read(&volume, &bytes, 2).unwrap().0.reference, Some(1));
    assert_eq!(hex(certificate.sha256()), hex(&value("SHA-256 of the certificate")));
    assert_eq!(hex(volume.verified().seal_sha256()), hex(&value("SHA-256 of seal.json")));
}

#[test]
fn the_keys_of_the_example_are_found_with_other_libraries() {
    let certificate = Certificate::parse(&block("certificate")).unwrap();
    let bytes = block("volume");
    let volume = open(&bytes, &certificate, Secret::Password(PASSWORD)).unwrap();
    let slot = volume.verified().header().password_slot().unwrap();
    let mut root = [0; 32];
    let params = argon2::Params::new(slot.memory_kib, slot.passes, slot.lanes, Some(32)).unwrap();
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(PASSWORD.as_bytes(), &slot.salt, &mut root)
        .unwrap();
    assert_eq!(root.to_vec(), value("Argon2id output"));
    let slot_key = derive(&root, b"", b"mszip 1 password slot");
    assert_eq!(slot_key.to_vec(), value("slot key"));
    let payload = Payload { msg: &slot.wrapped_key, aad: EXPORT_ID.as_bytes() };
    let nonce = Nonce::from([0; 12]);
    let content_key = Aes256Gcm::new(&slot_key.into()).decrypt(&nonce, payload).unwrap();
    assert_eq!(content_key, value("content key"));
    let check = derive(&content_key, EXPORT_ID.as_bytes(), b"mszip 1 key check");
    assert_eq!(Some(check), volume.verified().header().key_check);
    assert_eq!(volume.verified().header_sha256().to_vec(), value("SHA-256 of header.json"));
    let volume_key = derive(&content_key, volume.verified().header_sha256(), b"mszip 1 volume");
    assert_eq!(volume_key.to_vec(), value("volume key"));
    let nonce = value("nonce of mail 1");
    let stored = volume.verified().stored(1).unwrap();
    let at = usize::try_from(stored.offset).unwrap();
    let payload =
        Payload { msg: &bytes[at..at + usize::try_from(stored.len).unwrap()], aad: volume.verified().header_sha256() };
    let nonce = Nonce::from(<[u8; 12]>::try_from(nonce).unwrap());
    let plaintext = Aes256Gcm::new(&volume_key.into()).decrypt(&nonce, payload).unwrap();
    assert_eq!(plaintext, value("plaintext of mail 1"));
}

/// Every code of the list on the page is one that the crate gives, in the same order.
#[test]
fn the_codes_stand_in_their_order() {
    let codes = [
        Error::NotAVolume(""),
        Error::NewerVersion(String::new()),
        Error::Truncated,
        Error::OverLimit(""),
        Error::CertificateNeeded,
        Error::WrongCertificate,
        Error::BadSignature(volume::Part::Seal),
        Error::Malformed(String::new()),
        Error::PasswordNeeded,
        Error::RecipientKeyNeeded,
        Error::WrongPassword,
        Error::WrongRecipientKey,
    ];
    let mut rest = PAGE.split_once("## Errors").expect("the page lists the errors").1;
    for code in codes {
        rest = rest.split_once(&format!("| `{}` |", code.code())).expect("the code is in its place").1;
    }
}

/// Prints the blocks of the page anew: `cargo test -p volume print_the_example -- --ignored --nocapture`.
#[test]
#[ignore = "makes the page, tests nothing"]
fn print_the_example() {
    let protection = Protection { password: Some(PASSWORD), password_cost: CHEAP, recipients: &[] };
    let keys = ExportKeys::generate(EXPORT_ID, &protection, &mut rng(1)).unwrap();
    let start = VolumeStart {
        name: "demo".to_owned(),
        number: 1,
        created: "2026-01-02T03:04:05Z".to_owned(),
        generator: "example".to_owned(),
        first_mail: 1,
        limit_bytes: u64::MAX,
        salt: noise(2, 32).try_into().unwrap(),
    };
    let mut writer = VolumeWriter::new(Cursor::new(Vec::new()), &keys, &start).unwrap();
    let (bytes, full) = frame(RAW);
    let first = Metadata {
        sha256: full.sha256,
        size_bytes: full.size_bytes,
        message_date: Some(1_700_000_000),
        message_date_source: Some("date".to_owned()),
        locations: vec![vec!["alice".to_owned(), "Inbox".to_owned()]],
        ..Metadata::default()
    };
    let copy = Metadata { reference: Some(1), locations: vec![vec!["bob".to_owned()]], ..first.clone() };
    writer.append(&first, &mut bytes.as_slice(), bytes.len() as u64).unwrap();
    writer.append(&copy, &mut [].as_slice(), 0).unwrap();
    let totals = Totals { mails: 2, raw_bytes: 2 * RAW.len() as u64, skipped: 0 };
    let out = writer.finish(Closing { last: Some(totals), ..Closing::default() }).unwrap().out.into_inner();
    let volume = open(&out, keys.certificate(), Secret::Password(PASSWORD)).unwrap();
    let mut root = [0; 32];
    let slot = volume.verified().header().password_slot().unwrap();
    argon2::Argon2::new(
        argon2::Algorithm::Argon2id,
        argon2::Version::V0x13,
        argon2::Params::new(8, 1, 1, Some(32)).unwrap(),
    )
    .hash_password_into(PASSWORD.as_bytes(), &slot.salt, &mut root)
    .unwrap();
    let content_key = volume.content_key().unwrap().as_bytes();
    let metadata = first.encode().unwrap();
    let plaintext = [&u32::try_from(metadata.len()).unwrap().to_le_bytes()[..], &metadata, &bytes].concat();
    println!("| SHA-256 of the certificate | `{}` |", hex(keys.certificate().sha256()));
    println!("| Argon2id output | `{}` |", hex(&root));
    println!("| slot key | `{}` |", hex(&derive(&root, b"", b"mszip 1 password slot")));
    println!("| content key | `{}` |", hex(content_key));
    println!("| key check | `{}` |", hex(&derive(content_key, EXPORT_ID.as_bytes(), b"mszip 1 key check")));
    println!("| SHA-256 of header.json | `{}` |", hex(volume.verified().header_sha256()));
    println!("| volume key | `{}` |", hex(&derive(content_key, volume.verified().header_sha256(), b"mszip 1 volume")));
    println!("| nonce of mail 1 | `000000000000000180000000` |");
    println!("| plaintext of mail 1 | `{}` |", hex(&plaintext));
    println!("| SHA-256 of seal.json | `{}` |", hex(volume.verified().seal_sha256()));
    println!("CERT\n{}VOLUME\n{}", dump(keys.certificate().der()), dump(&out));
}

fn dump(bytes: &[u8]) -> String {
    bytes.chunks(16).enumerate().fold(String::new(), |mut out, (line, chunk)| {
        let pairs: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = writeln!(out, "{:04x}: {}", line * 16, pairs.join(" "));
        out
    })
}
