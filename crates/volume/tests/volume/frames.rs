//! Entries whose stored bytes are signed but whose content breaks the rules.

use crate::forge::{Forge, plaintext, sha256};
use crate::support::{checked, frame, keys, noise, rng};
use volume::{Certificate, Damage, Metadata, Secret};

/// What `verify` says about one signed entry.
fn damage(stored: Vec<u8>) -> Option<Damage> {
    let mut forge = Forge::new(vec![stored]);
    forge.edit_seal = |seal| {
        seal["raw_bytes"] = serde_json::json!(RAW.len());
        seal["total_raw_bytes"] = serde_json::json!(RAW.len());
    };
    let mut found = checked(&forge.build(), &forge.certificate, Secret::None);
    assert_eq!(found.differs_at, None);
    found.damaged.pop().map(|(_, damage)| damage)
}

const RAW: &[u8] = b"Subject: a mail\r\n\r\nbody body body body\r\n";
const RAW_LEN: u8 = 40;

fn entry(edit: impl FnOnce(&mut Metadata, &mut Vec<u8>)) -> Vec<u8> {
    let (mut bytes, mut metadata) = frame(RAW);
    edit(&mut metadata, &mut bytes);
    plaintext(&metadata.encode().unwrap(), &bytes)
}

fn is_frame(damage: Option<&Damage>) -> bool {
    matches!(damage, Some(Damage::Frame(_)))
}

/// A frame of one raw block: magic, descriptor, fields, block header, content.
fn handmade(descriptor: u8, fields: &[u8], content: &[u8]) -> Vec<u8> {
    let block = (u32::try_from(content.len()).unwrap() << 3 | 1).to_le_bytes();
    [&[0x28, 0xb5, 0x2f, 0xfd, descriptor], fields, &block[..3], content].concat()
}

#[test]
fn a_good_entry_is_good() {
    assert_eq!(RAW.len(), usize::from(RAW_LEN));
    assert_eq!(damage(entry(|_, _| {})), None);
    assert_eq!(damage(entry(|_, frame| *frame = handmade(0x20, &[RAW_LEN], RAW))), None);
    // A dictionary id of 0 says that there is none (RFC 8878, section 3.1.1.1.3).
    assert_eq!(damage(entry(|_, frame| *frame = handmade(0x21, &[0, RAW_LEN], RAW))), None);
    let window_8_mib = [13 << 3, RAW_LEN, 0, 0, 0];
    assert_eq!(damage(entry(|_, frame| *frame = handmade(0x80, &window_8_mib, RAW))), None);
}

#[test]
fn frames_that_break_the_rules() {
    let n = RAW_LEN;
    let edits: Vec<(&str, Vec<u8>)> = vec![
        ("trailing byte", [frame(RAW).0, vec![0]].concat()),
        ("second frame", [frame(RAW).0, frame(b"").0].concat()),
        ("skippable frame after", [frame(RAW).0, b"\x50\x2a\x4d\x18\0\0\0\0".to_vec()].concat()),
        ("skippable frame before", [b"\x50\x2a\x4d\x18\0\0\0\0".to_vec(), frame(RAW).0].concat()),
        ("cut", frame(RAW).0[..20].to_vec()),
        ("cut in its head", frame(RAW).0[..5].to_vec()),
        ("none", Vec::new()),
        ("no zstd", RAW.to_vec()),
        ("no content size", handmade(0x00, &[0], RAW)),
        ("dictionary", handmade(0x21, &[7, n], RAW)),
        ("window above 8 MiB", handmade(0x80, &[(13 << 3) | 1, n, 0, 0, 0], RAW)),
        ("window of 128 GiB", handmade(0x80, &[(27 << 3) | 1, n, 0, 0, 0], RAW)),
        ("reserved bit", handmade(0x28, &[n], RAW)),
        ("block cut", handmade(0x20, &[n], &RAW[..10])),
    ];
    for (name, bytes) in edits {
        assert!(is_frame(damage(entry(|_, frame| *frame = bytes)).as_ref()), "{name}");
    }
}

/// Noise that somebody signed: whatever is still taken for a mail is the one that its hash names.
#[test]
fn no_signed_noise_makes_another_mail() {
    let stored = entry(|_, _| {});
    for at in 0..stored.len() {
        for mask in [1 << (at % 8), 0xff] {
            let mut changed = stored.clone();
            changed[at] ^= mask;
            if damage(changed.clone()).is_none() {
                let length = u32::from_le_bytes(changed[..4].try_into().unwrap()) as usize;
                let metadata = Metadata::decode(&changed[4..4 + length]).unwrap();
                assert_eq!((metadata.sha256, metadata.size_bytes), (sha256(RAW), RAW.len() as u64), "byte {at}");
            }
        }
    }
}

#[test]
fn lengths_and_hashes_that_are_not_those_stated() {
    assert_eq!(damage(entry(|metadata, _| metadata.size_bytes += 1)), Some(Damage::Length));
    assert_eq!(damage(entry(|metadata, _| metadata.sha256[0] ^= 1)), Some(Damage::Hash));
    let other = vec![b'x'; RAW.len()];
    assert_eq!(damage(entry(|_, bytes| *bytes = frame(&other).0)), Some(Damage::Hash));
    // Content size as stated, content shorter or longer.
    for len in [RAW.len() - 1, RAW.len() + 1] {
        let content = vec![b'x'; len];
        assert!(is_frame(damage(entry(|_, frame| *frame = handmade(0x20, &[RAW_LEN], &content))).as_ref()));
    }
}

#[test]
fn a_bomb_goes_off_nowhere() {
    let mut bomb = Vec::new();
    let mut zeros = std::io::Read::take(std::io::repeat(0), 64 << 20);
    volume::compress(&mut zeros, 64 << 20, &mut bomb).unwrap();
    assert!(bomb.len() < 20_000);
    assert_eq!(damage(entry(|_, frame| frame.clone_from(&bomb))), Some(Damage::Length));
    // The same with a content size that agrees with the metadata: the 64 MiB do not come out.
    let start = bomb.len() - (bomb.len() - 10);
    let disguised = [&[0x28, 0xb5, 0x2f, 0xfd, 0x80, 11 << 3, RAW_LEN, 0, 0, 0], &bomb[start..]].concat();
    assert!(is_frame(damage(entry(|_, frame| *frame = disguised)).as_ref()));
    let huge = [&[0x28, 0xb5, 0x2f, 0xfd, 0xc0, 11 << 3][..], &u64::MAX.to_le_bytes()].concat();
    assert!(is_frame(damage(entry(|_, frame| *frame = huge)).as_ref()));
}

#[test]
fn metadata_that_break_the_rules() {
    let metadata = frame(RAW).1.encode().unwrap();
    let bytes = frame(RAW).0;
    let sorted_in = |key: &[u8]| [&[metadata[0] + 1], key, &metadata[1..]].concat();
    let broken = [
        Vec::new(),
        b"\xa0".to_vec(),
        [&metadata[..], &[0]].concat(),
        metadata[..metadata.len() - 1].to_vec(),
        // Doubled key, keys out of order, a length that is not shortest, an indefinite map.
        sorted_in(b"\x61a\x00"),
        sorted_in(b"\x61z\x00"),
        [&[0xb8, metadata[0] & 31], &metadata[1..]].concat(),
        [&[0xbf], &metadata[1..], &[0xff]].concat(),
        [b"\x81".as_slice(), &metadata].concat(),
    ];
    for metadata in broken {
        let found = damage(plaintext(&metadata, &bytes));
        assert!(matches!(found, Some(Damage::Metadata(_))), "{metadata:02x?} {found:?}");
    }
    // An unknown key in its place is ignored, but keys are texts: no integer, byte string or array.
    assert_eq!(damage(plaintext(&sorted_in(b"\x60\xf6"), &bytes)), None);
    for key in [&b"\x00\xf6"[..], b"\x20\xf6", b"\x41a\xf6", b"\x40\xf6"] {
        let found = damage(plaintext(&sorted_in(key), &bytes));
        assert_eq!(found.as_ref().map(Damage::code), Some("mail_damaged"), "{key:02x?}");
    }
    let array_last = [&[metadata[0] + 1], &metadata[1..], b"\x81\x01\xf6"].concat();
    assert!(matches!(damage(plaintext(&array_last, &bytes)), Some(Damage::Metadata(rule)) if rule.contains("no text")));
    for stored in [vec![], vec![1, 2, 3], vec![0xff; 20], plaintext(&vec![0; (1 << 20) + 1], b"")] {
        assert!(matches!(damage(stored), Some(Damage::Metadata(_))));
    }
}

#[test]
fn values_that_break_the_rules() {
    // h, l and n are written by hand, so that each may be wrong.
    let map =
        |members: &[&[u8]]| [&[0xa0 + u8::try_from(members.len()).unwrap()], members.concat().as_slice()].concat();
    let h = [b"\x61h\x58\x20".as_slice(), &sha256(RAW)].concat();
    let n: &[u8] = &[0x61, b'n', 0x18, RAW_LEN];
    let l: &[u8] = b"\x61l\x81\x81\x61u";
    let bytes = frame(RAW).0;
    let found = |members: &[&[u8]]| damage(plaintext(&map(members), &bytes));
    assert_eq!(found(&[&h, l, n]), None);
    assert_eq!(found(&[b"\x61a\x3b\x00\x00\x00\x0e\x77\x91\xf6\xff", &h, l, n]), None);
    let bad: [&[&[u8]]; 14] = [
        &[l, n],
        &[&h, n],
        &[&h, l],
        &[b"\x61h\x41\x00", l, n],
        &[&h, b"\x61l\x80", n],
        &[&h, b"\x61l\x81\x80", n],
        &[&h, b"\x61l\x81\x81\x60", n],
        &[&h, b"\x61l\x81\x61u", n],
        &[&h, l, b"\x61n\x20"],
        &[&h, l, b"\x61n\x1b\x00\x00\x00\x01\x00\x00\x00\x00"],
        &[b"\x61d\x1b\x00\x00\x00\x3a\xff\xf4\x41\x80", &h, l, n],
        &[b"\x61d\x61x", &h, l, n],
        &[b"\x61f\x61x", &h, l, n],
        &[&h, b"\x61k\x01", l, n],
    ];
    for members in bad {
        assert!(matches!(found(members), Some(Damage::Metadata(_))), "{members:02x?}");
    }
    // Too many locations.
    let many = [b"\x61l\x19\x10\x01".as_slice(), &b"\x81\x61u".repeat(4097)].concat();
    assert!(matches!(found(&[&h, &many, n]), Some(Damage::Metadata(_))));
    // Unknown flags are ignored.
    let flags: &[u8] = b"\x61f\x82\x64seen\x63new";
    let decoded = Metadata::decode(&map(&[flags, &h, l, n])).unwrap();
    assert_eq!(decoded.flags, ["seen"]);
    // References: to itself, to nothing, followed by a frame.
    for r in [b"\x61r\x00", b"\x61r\x01", b"\x61r\x05"] {
        assert!(damage(plaintext(&map(&[&h, l, n, r]), b"")).is_some());
        assert!(damage(plaintext(&map(&[&h, l, n, r]), &bytes)).is_some());
    }
}

/// The largest metadata that a mail may have lie across two sealed chunks.
#[test]
fn metadata_of_a_mebibyte() {
    let (bytes, mut metadata) = frame(RAW);
    metadata.source_key = Some(String::new());
    let room = (1 << 20) - metadata.encode().unwrap().len() - 4;
    metadata.source_key = Some("k".repeat(room));
    assert_eq!(metadata.encode().unwrap().len(), 1 << 20);
    let over = Metadata { source_key: Some("k".repeat(room + 1)), ..metadata.clone() };
    assert!(over.encode().is_err());
    let keys = keys(Some("p"), &[]);
    let out = std::io::Cursor::new(Vec::new());
    let mut writer = volume::VolumeWriter::new(out, &keys, &crate::support::start(1, 1)).unwrap();
    writer.append(&metadata, &mut bytes.as_slice(), bytes.len() as u64).unwrap();
    let finished = writer
        .finish(volume::Closing {
            last: Some(volume::Totals { mails: 1, raw_bytes: RAW.len() as u64, skipped: 0 }),
            ..Default::default()
        })
        .unwrap();
    let written = finished.out.into_inner();
    let volume = crate::support::open(&written, keys.certificate(), Secret::Password("p")).unwrap();
    assert_eq!(crate::support::read(&volume, &written, 1).unwrap().0, metadata);
    let stored = volume.verified().stored(1).unwrap();
    let mut from = &written[usize::try_from(stored.offset).unwrap()..];
    assert_eq!(volume.open_metadata(1, &mut from).unwrap(), metadata);
}

#[test]
fn compressing_needs_the_true_length() {
    for stated in [RAW.len() - 1, RAW.len() + 1] {
        let result = volume::compress(&mut &*RAW, stated as u64, &mut Vec::new());
        assert!(matches!(result, Err(volume::WriteError::Invalid(_))));
    }
    let raw = noise(3, 300_000);
    let mut frame = Vec::new();
    assert_eq!(volume::compress(&mut raw.as_slice(), 300_000, &mut frame).unwrap(), sha256(&raw));
    let _ = Certificate::issue_for_agreement(
        &p256::SecretKey::from_slice(&[1; 32]).unwrap().public_key(),
        "x",
        &mut rng(1),
    );
}
