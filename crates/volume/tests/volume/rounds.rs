//! Round trips.

use crate::support::{
    EXPORT_ID, check, checked, frame, keys, next, noise, open, read, recipient, rng, single, start, verified,
};
use std::io::Cursor;
use volume::{
    Closing, Damage, Error, ExportState, OpenError, Secret, Totals, VolumeCheck, VolumeWriter, WriteError, fits_alone,
};

const MAILS: [&[u8]; 3] = [b"Subject: one\r\n\r\nhello\r\n", b"", b"Subject: three\n\n3"];

#[test]
fn each_kind_of_slot_opens() {
    let (private, certificate) = recipient(10);
    let recipients = [recipient(20).1, certificate];
    for (password, recipients) in [
        (None, &recipients[..0]),
        (Some("Pässword"), &recipients[..0]),
        (None, &recipients[..]),
        (Some("Pässword"), &recipients[..]),
    ] {
        let keys = keys(password, recipients);
        let written = single(&keys, &MAILS);
        let mut secrets = Vec::new();
        if password.is_some() {
            // The same in NFD: passwords are compared in NFC.
            secrets.extend([Secret::Password("Pässword"), Secret::Password("Pa\u{308}ssword")]);
        }
        if !recipients.is_empty() {
            secrets.push(Secret::RecipientKey(&private));
        }
        match keys.content_key() {
            Some(key) => secrets.push(Secret::ContentKey(key)),
            None => secrets.push(Secret::None),
        }
        for secret in secrets {
            let volume = open(&written.bytes, keys.certificate(), secret).unwrap();
            for (number, raw) in (1..).zip(MAILS) {
                let (metadata, bytes, found) = read(&volume, &written.bytes, number).unwrap();
                let (expected_frame, expected) = frame(raw);
                assert_eq!((metadata, found.as_slice(), bytes), (expected, raw, expected_frame));
            }
            let all = checked(&written.bytes, keys.certificate(), secret);
            assert!(all.opened && all.damaged.is_empty() && all.differs_at.is_none());
        }
    }
}

#[test]
fn a_wrong_secret_says_which() {
    let (private, certificate) = recipient(10);
    let other = recipient(30).0;
    let by_password = keys(Some("secret"), &[]);
    let by_recipient = keys(None, &[certificate]);
    let cases = [
        (&by_password, Secret::None, Error::PasswordNeeded),
        (&by_password, Secret::RecipientKey(&private), Error::PasswordNeeded),
        (&by_password, Secret::Password("Secret"), Error::WrongPassword),
        (&by_password, Secret::Password(""), Error::WrongPassword),
        (&by_recipient, Secret::None, Error::RecipientKeyNeeded),
        (&by_recipient, Secret::Password("secret"), Error::RecipientKeyNeeded),
        (&by_recipient, Secret::RecipientKey(&other), Error::WrongRecipientKey),
    ];
    for (keys, secret, expected) in cases {
        let written = single(keys, &MAILS);
        assert_eq!(open(&written.bytes, keys.certificate(), secret).unwrap_err(), expected, "{secret:?}");
    }
    let written = single(&by_password, &MAILS);
    let wrong = volume::ContentKey::from_bytes([1; 32]);
    let opened = open(&written.bytes, by_password.certificate(), Secret::ContentKey(&wrong));
    assert_eq!(opened.unwrap_err(), Error::WrongRecipientKey);
    let long = "x".repeat(1_025);
    let opened = open(&written.bytes, by_password.certificate(), Secret::Password(&long));
    assert_eq!(opened.unwrap_err(), Error::WrongPassword);
}

#[test]
fn a_key_store_opens_by_its_ecdh_alone() {
    let (private, certificate) = recipient(10);
    let keys = keys(None, &[recipient(20).1, certificate.clone()]);
    let written = single(&keys, &MAILS);
    let verified = verified(&written.bytes, Some(keys.certificate())).unwrap();
    let [exchange] = verified.recipient_exchanges(certificate.sha256()).try_into().unwrap();
    assert_eq!(exchange.slot, 1);
    let sender = p256::PublicKey::from_sec1_bytes(&exchange.encapsulated_key).unwrap();
    let shared: [u8; 32] = (*private.diffie_hellman(&sender).raw_secret_bytes()).into();
    let key = verified.content_key_from_shared_secret(&exchange, &shared, &private.public_key()).unwrap();
    assert_eq!(key.as_bytes(), keys.content_key().unwrap().as_bytes());
    let wrong = verified.content_key_from_shared_secret(&exchange, &[1; 32], &private.public_key());
    assert_eq!(wrong.unwrap_err(), Error::WrongRecipientKey);
}

#[test]
fn mails_around_the_chunk_size_come_back() {
    for keys in [keys(None, &[]), keys(Some("p"), &[])] {
        let raws: Vec<Vec<u8>> = [1_048_000, 1_048_576, 2_096_800, 2_097_152]
            .iter()
            .map(|len| noise(*len, usize::try_from(*len).unwrap()))
            .collect();
        // One frame of which the plaintext is exactly 1 MiB, one a byte less, one a byte more.
        let overhead = {
            let (bytes, metadata) = frame(&raws[0]);
            4 + metadata.encode().unwrap().len() + bytes.len() - raws[0].len()
        };
        let exact: Vec<Vec<u8>> =
            [-1isize, 0, 1].iter().map(|d| noise(9, (1usize << 20).saturating_add_signed(*d) - overhead)).collect();
        let all: Vec<&[u8]> = raws.iter().chain(&exact).map(Vec::as_slice).collect();
        let written = single(&keys, &all);
        let secret = keys.content_key().map_or(Secret::None, Secret::ContentKey);
        let volume = open(&written.bytes, keys.certificate(), secret).unwrap();
        for (number, raw) in (1..).zip(&all) {
            assert_eq!(read(&volume, &written.bytes, number).unwrap().2, *raw);
        }
        if keys.content_key().is_some() {
            assert_eq!(volume.verified().stored(6).unwrap().len, (1 << 20) + 16);
            assert_eq!(volume.verified().stored(7).unwrap().len, (1 << 20) + 1 + 32);
        }
    }
}

#[test]
fn a_large_mail_passes_in_one_stream() {
    let raw = noise(4, 20 << 20);
    for keys in [keys(None, &[]), keys(Some("p"), &[])] {
        let mut written = single(&keys, &[b"small", &raw, b"after"]);
        let secret = keys.content_key().map_or(Secret::None, Secret::ContentKey);
        let all = checked(&written.bytes, keys.certificate(), secret);
        assert!(all.damaged.is_empty() && all.differs_at.is_none());
        let volume = open(&written.bytes, keys.certificate(), secret).unwrap();
        let stored = volume.verified().stored(2).unwrap();
        let at = usize::try_from(stored.offset).unwrap();
        let end = at + usize::try_from(stored.len).unwrap();
        assert_eq!(read(&volume, &written.bytes, 2).unwrap().2, raw);
        let metadata = volume.open_metadata(2, &mut &written.bytes[at..end]).unwrap();
        assert_eq!(metadata, frame(&raw).1);
        // A cut connection says nothing about the mail.
        let cut = volume.open_entry(2, &mut &written.bytes[at..end - 1], &mut Vec::new(), &mut Vec::new());
        assert!(matches!(cut.unwrap_err(), OpenError::Io(_)));
        for flipped in [at + 20, at + (17 << 20), end - 1] {
            written.bytes[flipped] ^= 1;
            let found = volume.open_metadata(2, &mut &written.bytes[at..end]);
            assert!(matches!(found.unwrap_err(), OpenError::Damaged { number: 2, .. }));
            let damaged = checked(&written.bytes, keys.certificate(), secret).damaged;
            assert_eq!(damaged.len(), 1);
            assert_eq!(damaged[0].0, 2);
            let locked = checked(&written.bytes, keys.certificate(), Secret::None).damaged;
            assert_eq!(locked.len(), 1);
            written.bytes[flipped] ^= 1;
        }
    }
}

#[test]
fn references_stand_for_an_earlier_mail() {
    let keys = keys(Some("p"), &[]);
    let mut writer = VolumeWriter::new(Cursor::new(Vec::new()), &keys, &start(1, 1)).unwrap();
    let (bytes, metadata) = frame(b"twice");
    let first = writer.append(&metadata, &mut bytes.as_slice(), bytes.len() as u64).unwrap();
    let mut copy = metadata.clone();
    copy.reference = Some(first);
    copy.locations = vec![vec!["bob".to_owned()]];
    assert_eq!(writer.append(&copy, &mut [].as_slice(), 0).unwrap(), 2);
    copy.reference = Some(3);
    assert!(matches!(writer.append(&copy, &mut [].as_slice(), 0), Err(WriteError::Invalid(_))));
    // A reference to a reference is written here to see that readers refuse it.
    copy.reference = Some(2);
    writer.append(&copy, &mut [].as_slice(), 0).unwrap();
    let totals = Totals { mails: 3, raw_bytes: 15, skipped: 0 };
    let mut bytes = writer.finish(Closing { last: Some(totals), ..Closing::default() }).unwrap().out.into_inner();

    let volume = open(&bytes, keys.certificate(), Secret::Password("p")).unwrap();
    let (target, _, _) = read(&volume, &bytes, 1).unwrap();
    let (second, frame_bytes, raw) = read(&volume, &bytes, 2).unwrap();
    assert!(frame_bytes.is_empty() && raw.is_empty());
    assert_eq!(volume.check_reference(2, &second, &target), Ok(()));
    let other = volume::Metadata { size_bytes: 6, ..target.clone() };
    assert!(matches!(volume.check_reference(2, &second, &other), Err(Damage::Reference(_))));
    let (third, _, _) = read(&volume, &bytes, 3).unwrap();
    assert!(matches!(volume.check_reference(3, &third, &second), Err(Damage::Reference(_))));
    let numbers = |bytes: &[u8]| -> Vec<u64> {
        let all = checked(bytes, keys.certificate(), Secret::Password("p"));
        all.damaged.iter().map(|(number, _)| *number).collect()
    };
    assert_eq!(numbers(&bytes), [3]);
    let at = usize::try_from(volume.verified().stored(1).unwrap().offset).unwrap();
    bytes[at] ^= 1;
    assert_eq!(numbers(&bytes), [1, 2, 3]);
}

#[test]
fn the_writer_keeps_to_the_size() {
    let keys = keys(Some("p"), &[]);
    let raw = noise(1, 10_000);
    let (bytes, metadata) = frame(&raw);
    let plaintext_len = 4 + metadata.encode().unwrap().len() as u64 + bytes.len() as u64;
    for limit_bytes in [20_000, 50_000, 54_321, 100_000] {
        let start = volume::VolumeStart { limit_bytes, ..start(1, 1) };
        let mut writer = VolumeWriter::new(Cursor::new(Vec::new()), &keys, &start).unwrap();
        while writer.fits(plaintext_len) {
            writer.append(&metadata, &mut bytes.as_slice(), bytes.len() as u64).unwrap();
        }
        assert!(matches!(writer.append(&metadata, &mut bytes.as_slice(), bytes.len() as u64), Err(WriteError::Full)));
        let totals = Totals { mails: writer.mails(), raw_bytes: writer.raw_bytes(), skipped: 0 };
        let size = writer.finish(Closing { last: Some(totals), ..Closing::default() }).unwrap().size_bytes;
        assert!(size <= limit_bytes && size + plaintext_len + 2_000 > limit_bytes, "{size} of {limit_bytes}");
        assert!(fits_alone(&keys, &start, plaintext_len));
        assert!(!fits_alone(&keys, &start, limit_bytes));
    }
    let tiny = volume::VolumeStart { limit_bytes: 1_000, ..start(1, 1) };
    assert!(matches!(VolumeWriter::new(Cursor::new(Vec::new()), &keys, &tiny), Err(WriteError::Invalid(_))));
    assert!(!fits_alone(&keys, &tiny, 1));
}

#[test]
fn a_frame_that_is_no_frame_is_not_written() {
    let keys = keys(None, &[]);
    let (bytes, metadata) = frame(b"mail");
    let mut writer = VolumeWriter::new(Cursor::new(Vec::new()), &keys, &start(1, 1)).unwrap();
    let other = volume::Metadata { size_bytes: 5, ..metadata.clone() };
    let unknown = volume::Metadata { flags: vec!["pinned".to_owned()], ..metadata.clone() };
    for (metadata, frame) in [(&other, &bytes[..]), (&metadata, b"no frame"), (&metadata, b""), (&unknown, &bytes[..])]
    {
        let result = writer.append(metadata, &mut &*frame, frame.len() as u64);
        assert!(matches!(result, Err(WriteError::Invalid(_))));
    }
    let short = writer.append(&metadata, &mut &bytes[..bytes.len() - 1], bytes.len() as u64);
    assert!(matches!(short, Err(WriteError::Io(_))));
    assert_eq!(writer.append(&metadata, &mut bytes.as_slice(), bytes.len() as u64).unwrap(), 1);
}

#[test]
fn an_export_without_mails_is_one_volume() {
    let keys = keys(Some("p"), &[]);
    let written = single(&keys, &[]);
    let all = checked(&written.bytes, keys.certificate(), Secret::Password("p"));
    assert_eq!(all.verified.numbers(), 1..1);
    assert!(all.verified.stored(1).is_none() && all.differs_at.is_none());
}

#[test]
fn more_entries_than_zip_counts_in_sixteen_bits() {
    let keys = keys(None, &[]);
    for mails in [65_530, 65_531] {
        let mut writer = VolumeWriter::new(Cursor::new(Vec::new()), &keys, &start(1, 1)).unwrap();
        let (bytes, metadata) = frame(b"m");
        writer.append(&metadata, &mut bytes.as_slice(), bytes.len() as u64).unwrap();
        let copy = volume::Metadata { reference: Some(1), ..metadata };
        for _ in 1..mails {
            writer.append(&copy, &mut [].as_slice(), 0).unwrap();
        }
        let totals = Totals { mails, raw_bytes: mails, skipped: 0 };
        let bytes = writer.finish(Closing { last: Some(totals), ..Closing::default() }).unwrap().out.into_inner();
        let locator = &bytes[bytes.len() - 42..bytes.len() - 38];
        assert_eq!(locator == b"PK\x06\x07", mails >= 65_531);
        let all = checked(&bytes, keys.certificate(), Secret::None);
        assert!(all.damaged.is_empty() && all.differs_at.is_none());
        crate::zip_tools::list_with_zip(&bytes, mails + 4);
    }
}

#[test]
fn an_export_goes_on_from_its_state() {
    for password in [None, Some("secret")] {
        let keys = keys(password, &[recipient(10).1]);
        let first = next(&keys, None, &[b"one"], false);
        let state = ExportState::seal(&keys, b"{\"from\":\"/mail\"}", &mut rng(7)).unwrap();
        assert_eq!(ExportState::needs_password(&state).unwrap(), password.is_some());
        let text = String::from_utf8(state.clone()).unwrap();
        assert!(text.contains(EXPORT_ID) && text.contains("key_slots"));
        assert_eq!(text.contains("signing_key"), password.is_none());
        if password.is_some() {
            assert_eq!(ExportState::open(&state, None).unwrap_err(), Error::PasswordNeeded);
            assert_eq!(ExportState::open(&state, Some("Secret")).unwrap_err(), Error::WrongPassword);
        }
        let reopened = ExportState::open(&state, password).unwrap();
        assert_eq!(reopened.options, b"{\"from\":\"/mail\"}");
        let second = next(&reopened.keys, Some((1, &first)), &[b"two"], true);
        let secret = Secret::ContentKey(keys.content_key().unwrap());
        let checks = [&first, &second].map(|written| check(&written.bytes, Some(keys.certificate()), secret));
        let files = ["a", "b"].map(str::to_owned).into_iter().zip(checks).collect();
        assert!(volume::verify_set(files).complete);
    }
    assert_eq!(ExportState::open(b"{}", None).unwrap_err().code(), "not_a_volume");
}

#[test]
fn volumes_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    fn sent<T: Send>() {}
    shared::<volume::Volume>();
    shared::<volume::Verified>();
    sent::<VolumeWriter<std::fs::File>>();
    sent::<VolumeCheck>();
}
