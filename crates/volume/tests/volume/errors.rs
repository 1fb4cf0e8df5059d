//! Each error code, and which of several comes first.

use crate::forge::{Forge, b64};
use crate::support::{check, checked, keys, noise, recipient, refused, single, verified};
use p256::ecdsa::Signature;
use serde_json::json;
use volume::{Certificate, Error, Part, Secret, VolumeCheck};

fn code(forge: &Forge) -> &'static str {
    refused(&forge.build(), Some(&forge.certificate), Secret::None)
}

#[test]
fn the_forge_writes_what_we_write() {
    let forge = Forge::new(vec![]);
    let all = checked(&forge.build(), &forge.certificate, Secret::None);
    assert!(all.opened && all.damaged.is_empty() && all.differs_at.is_none());
}

#[test]
fn codes_that_need_no_certificate() {
    let whole = Forge::new(vec![vec![1; 100]]).build();
    let none = |bytes: &[u8]| refused(bytes, None, Secret::None);
    assert_eq!(none(&whole), "certificate_needed");
    for bytes in [&b""[..], b"PK\x03\x04", b"-----BEGIN CERTIFICATE-----", &whole[1..], &[0; 100]] {
        assert_eq!(none(bytes), "not_a_volume");
    }
    let mut forge = Forge::new(vec![]);
    forge.header["format"] = json!("other");
    assert_eq!(none(&forge.build()), "not_a_volume");
    // Of another format comes before newer version, that before truncated.
    forge.header["version"] = json!(2);
    assert_eq!(none(&forge.build()), "not_a_volume");
    forge.header["format"] = json!("mszip");
    let newer = forge.build();
    assert_eq!(none(&newer), "newer_version");
    assert_eq!(none(&newer[..newer.len() - 1]), "newer_version");
    for end in (41..whole.len()).step_by(7) {
        assert_eq!(none(&whole[..end]), "truncated");
    }
    assert_eq!(none(&[&whole[..], &[0]].concat()), "truncated");
    let unfinished = [&whole[..whole.len() - 22], &[0; 22]].concat();
    assert_eq!(none(&unfinished), "truncated");
}

#[test]
fn bounds_are_looked_at_before_the_certificate() {
    let mut forge = Forge::new(vec![]);
    forge.header["x"] = json!("x".repeat(70_000));
    assert_eq!(refused(&forge.build(), None, Secret::None), "over_limit");
    let mut forge = Forge::new(vec![]);
    forge.edit_seal = |seal| seal["x"] = json!("x".repeat(17_000));
    assert_eq!(refused(&forge.build(), None, Secret::None), "over_limit");
    let mut forge = Forge::new(vec![]);
    forge.edit_signature = |_| vec![0x30; 73];
    assert_eq!(refused(&forge.build(), None, Secret::None), "over_limit");
    let mut forge = Forge::new(vec![]);
    forge.edit_catalogue = |catalogue| catalogue.resize(40_000_017, 0);
    assert_eq!(refused(&forge.build(), None, Secret::None), "over_limit");
    assert_eq!(Certificate::parse(&noise(1, 16_385)).unwrap_err().code(), "over_limit");
}

#[test]
fn the_certificate_tells_a_stranger_from_a_change() {
    let forge = Forge::new(vec![vec![1; 50]]);
    let whole = forge.build();
    let other = recipient(5).1;
    assert_eq!(refused(&whole, Some(&other), Secret::None), "wrong_certificate");
    let seal_at = whole.windows(9).rposition(|bytes| bytes == b"seal.json").unwrap();
    let signature_at = whole.windows(8).position(|bytes| bytes == b"seal.sig").unwrap() + 8;
    for at in [signature_at, signature_at + 1, signature_at + 20, signature_at - 60] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert_eq!(refused(&changed, Some(&forge.certificate), Secret::None), "bad_signature");
        assert_eq!(refused(&changed, Some(&other), Secret::None), "wrong_certificate");
    }
    let mut changed = whole.clone();
    changed[seal_at] ^= 1;
    let error = verified(&changed, Some(&forge.certificate)).unwrap_err();
    assert_eq!(error, Error::BadSignature(Part::Directory));
    assert_eq!(refused(&changed, Some(&other), Secret::None), "wrong_certificate");
    // The key is right, but the certificate around it is another one than the header names.
    let mut forge = Forge::new(vec![]);
    forge.header["certificate_sha256"] = json!("00".repeat(32));
    assert_eq!(code(&forge), "wrong_certificate");
}

#[test]
fn each_signed_part_is_named_when_it_was_changed() {
    let forge = Forge::new(vec![vec![1; 50]]);
    let whole = forge.build();
    let parts = [(60, Part::Header), (whole.windows(9).position(|b| b == b"catalogue").unwrap() + 20, Part::Catalogue)];
    for (at, part) in parts {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert_eq!(verified(&changed, Some(&forge.certificate)).unwrap_err(), Error::BadSignature(part));
    }
    let mut forge = Forge::new(vec![]);
    forge.edit_header = |header| *header = b"not JSON".to_vec();
    assert_eq!(verified(&forge.build(), Some(&forge.certificate)).unwrap_err(), Error::BadSignature(Part::Header));
}

#[test]
fn signatures_have_one_form() {
    let high_s = |signature: Signature| {
        let low = signature.normalize_s();
        let (r, s) = low.split_scalars();
        Signature::from_scalars(r, -*s).unwrap().to_der().as_bytes().to_vec()
    };
    let loose: [fn(Signature) -> Vec<u8>; 3] = [
        |signature| [signature.normalize_s().to_der().as_bytes(), &[0]].concat(),
        |signature| {
            let der = signature.normalize_s().to_der().as_bytes().to_vec();
            [&[0x30, 0x81, der[1]], &der[2..]].concat()
        },
        |_| Vec::new(),
    ];
    for edit in [high_s as fn(Signature) -> Vec<u8>].into_iter().chain(loose) {
        let mut forge = Forge::new(vec![]);
        forge.edit_signature = edit;
        assert_eq!(code(&forge), "bad_signature");
    }
}

#[test]
fn signed_headers_that_break_the_rules() {
    let slot = json!({"type": "password", "kdf": "argon2id", "memory_kib": 8, "passes": 1, "lanes": 1,
        "salt": b64(&[0; 16]), "wrapped_key": b64(&[0; 48])});
    let with = |member: &str, value: serde_json::Value| {
        let mut slot = slot.clone();
        slot[member] = value;
        json!({"cipher": "aes-256-gcm", "key_check": b64(&[0; 32]), "key_slots": [slot]})
    };
    let recipient = json!({"type": "recipient", "suite": "hpke-x", "certificate_sha256": "00".repeat(32),
        "encapsulated_key": b64(&[4; 65]), "wrapped_key": b64(&[0; 48])});
    let mut cases = vec![
        json!({"cipher": "aes-256-cbc"}),
        json!({"cipher": "aes-256-gcm"}),
        json!({"cipher": "aes-256-gcm", "key_slots": [slot.clone()]}),
        json!({"cipher": "aes-256-gcm", "key_check": b64(&[0; 32]), "key_slots": []}),
        json!({"key_check": b64(&[0; 32])}),
        json!({"key_slots": [slot.clone()]}),
        json!({"cipher": "aes-256-gcm", "key_check": b64(&[0; 32]), "key_slots": [slot.clone(), slot.clone()]}),
        json!({"cipher": "aes-256-gcm", "key_check": b64(&[0; 32]), "key_slots": [recipient]}),
        json!({"cipher": "aes-256-gcm", "key_check": b64(&[0; 32]), "key_slots": [{"x": 1}]}),
        with("memory_kib", json!(262_145)),
        with("memory_kib", json!(7)),
        with("passes", json!(11)),
        with("passes", json!(0)),
        with("lanes", json!(5)),
        with("lanes", json!(-1)),
        with("kdf", json!("scrypt")),
        with("salt", json!(b64(&[0; 15]))),
        with("wrapped_key", json!(b64(&[0; 49]))),
        json!({"export_id": "0190D9E2-7c3a-7000-8000-000000000001"}),
        json!({"export_id": "0190d9e2-7c3a-7000-8000-000000000002"}),
        json!({"volume": 0}),
        json!({"volume": 2}),
        json!({"volume": 9_007_199_254_740_992u64}),
        json!({"volume": "1"}),
        json!({"created": "yesterday"}),
        json!({"created": "2026-13-01T00:00:00Z"}),
        json!({"created": "2026-02-30T00:00:00Z"}),
        json!({"created": "2026-02-29T00:00:00Z"}),
        json!({"created": "2026-04-31T00:00:00Z"}),
        json!({"salt": b64(&[0; 31])}),
        json!({"salt": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB="}),
        json!({"certificate_sha256": 5}),
        json!({"name": null}),
    ];
    cases.push(json!({"version": "1"}));
    for case in cases {
        let mut forge = Forge::new(vec![]);
        for (name, value) in case.as_object().unwrap() {
            forge.header[name] = value.clone();
        }
        assert_eq!(code(&forge), "malformed", "{case}");
    }
    let mut forge = Forge::new(vec![]);
    forge.edit_header = |header| header.splice(1..1, *b"\"name\":\"first\",").for_each(drop);
    assert_eq!(code(&forge), "malformed");
    let mut forge = Forge::new(vec![]);
    forge.header["future"] = json!(1);
    forge.edit_header = |header| {
        let at = header.windows(10).position(|bytes| bytes == b"\"future\":1").unwrap();
        header.splice(at + 9..at + 10, *b"{\"a\":1,\"a\":2}").for_each(drop);
    };
    assert_eq!(code(&forge), "malformed");
}

#[test]
fn what_is_unknown_but_harmless_is_skipped() {
    let mut forge = Forge::new(vec![]);
    forge.header["future"] = json!({"nested": [1, 2, {"deep": "yes"}]});
    assert!(matches!(check(&forge.build(), Some(&forge.certificate), Secret::None), VolumeCheck::Checked(_)));
    forge.header["cipher"] = json!("aes-256-gcm");
    forge.header["key_check"] = json!(b64(&[0; 32]));
    forge.header["key_slots"] = json!([{"type": "post-quantum", "x": 1}]);
    assert_eq!(refused(&forge.build(), Some(&forge.certificate), Secret::Password("p")), "recipient_key_needed");
    assert!(!checked(&forge.build(), &forge.certificate, Secret::None).opened);
}

#[test]
fn signed_seals_that_break_the_rules() {
    let edits: [fn(&mut serde_json::Value); 19] = [
        |seal| seal["export_id"] = json!("0190d9e2-7c3a-7000-8000-000000000002"),
        |seal| seal["volume"] = json!(2),
        |seal| seal["first_mail"] = json!(0),
        |seal| seal["first_mail"] = json!(2),
        |seal| seal["mails"] = json!(1),
        |seal| seal["mails"] = json!(1.0),
        |seal| seal["mails"] = json!(1_000_001),
        |seal| seal["raw_bytes"] = json!(1),
        |seal| seal["raw_bytes"] = json!(9_007_199_254_740_992u64),
        |seal| seal["previous_seal_sha256"] = json!("00".repeat(32)),
        |seal| drop(seal.as_object_mut().unwrap().remove("previous_seal_sha256")),
        |seal| seal["last"] = json!(false),
        |seal| seal["last"] = json!(1),
        |seal| seal["volumes"] = json!(2),
        |seal| seal["volumes"] = json!(null),
        |seal| seal["total_mails"] = json!(7),
        |seal| seal["total_skipped"] = json!(-1),
        |seal| drop(seal.as_object_mut().unwrap().remove("header_sha256")),
        |seal| seal["catalogue_sha256"] = json!("AB".repeat(32)),
    ];
    for (index, edit) in edits.into_iter().enumerate() {
        let mut forge = Forge::new(vec![]);
        forge.edit_seal = edit;
        assert_eq!(code(&forge), "malformed", "edit {index}");
    }
    let bytes: [fn(&mut Vec<u8>); 3] = [
        |seal| *seal = b"{".to_vec(),
        |seal| *seal = b"[]".to_vec(),
        |seal| seal.splice(1..1, *b"\"mails\":0,").for_each(drop),
    ];
    for edit in bytes {
        let mut forge = Forge::new(vec![]);
        forge.edit_seal_bytes = edit;
        assert_eq!(code(&forge), "malformed");
    }
}

#[test]
fn signed_catalogues_that_break_the_rules() {
    let edits: [fn(&mut Vec<u8>); 6] = [
        Vec::clear,
        |catalogue| catalogue.push(0),
        |catalogue| catalogue.truncate(16),
        |catalogue| catalogue[0] = 2,
        |catalogue| catalogue[8] = 2,
        |catalogue| catalogue[23] = 0xff,
    ];
    for edit in edits {
        let mut forge = Forge::new(vec![vec![1; 50]]);
        forge.edit_catalogue = edit;
        assert_eq!(code(&forge), "malformed");
    }
}

#[test]
fn no_key_is_derived_for_a_header_that_nobody_signed() {
    // Four gibibytes and ten thousand passes: were they tried, this test would not end.
    let keys = keys(Some("p"), &[]);
    let mut bytes = single(&keys, &[]).bytes;
    let at = bytes.windows(14).position(|bytes| bytes == b"\"memory_kib\":8").unwrap();
    bytes[at + 13] = b'9';
    assert_eq!(refused(&bytes, Some(keys.certificate()), Secret::Password("p")), "bad_signature");
    let mut forge = Forge::new(vec![]);
    forge.header["cipher"] = json!("aes-256-gcm");
    forge.header["key_check"] = json!(b64(&[0; 32]));
    forge.header["key_slots"] = json!([{"type": "password", "kdf": "argon2id", "memory_kib": 4_194_304,
        "passes": 10_000, "lanes": 4, "salt": b64(&[0; 16]), "wrapped_key": b64(&[0; 48])}]);
    assert_eq!(refused(&forge.build(), Some(&forge.certificate), Secret::Password("p")), "malformed");
}

#[test]
fn certificates_are_read_as_der_or_one_pem_block() {
    let certificate = recipient(3).1;
    let pem = certificate.pem();
    for bytes in [certificate.der().to_vec(), pem.clone().into_bytes(), pem.replace('\n', "\r\n").into_bytes()] {
        assert_eq!(Certificate::parse(&bytes).unwrap(), certificate);
    }
    let bad = [
        [certificate.der(), &[0]].concat(),
        format!("{pem}{pem}").into_bytes(),
        pem.replace("CERTIFICATE", "PUBLIC KEY").into_bytes(),
        certificate.der()[..100].to_vec(),
        b"".to_vec(),
        b"hello".to_vec(),
    ];
    for bytes in bad {
        assert_eq!(Certificate::parse(&bytes).unwrap_err().code(), "wrong_certificate");
    }
    for at in 0..certificate.der().len() {
        let mut bytes = certificate.der().to_vec();
        bytes[at] ^= 0x55;
        let _ = Certificate::parse(&bytes);
    }
}

#[test]
fn inspect_shows_what_nobody_vouches_for() {
    let forge = Forge::new(vec![vec![1; 50]]);
    let bytes = forge.build();
    let shown = volume::inspect(&mut std::io::Cursor::new(&bytes), bytes.len() as u64).unwrap().unwrap();
    assert_eq!(shown["verified"], json!(false));
    assert_eq!(shown["header"], forge.header);
    assert_eq!(shown["seal"]["mails"], json!(1));
    let cut = volume::inspect(&mut std::io::Cursor::new(&bytes[..99]), 99).unwrap();
    assert_eq!(cut.unwrap_err().code(), "truncated");
}
