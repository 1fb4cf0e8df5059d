//! Noise: nothing panics, nothing is read beyond its bounds, every mail that is delivered is one that was packed.

use std::io::Read;

use mail::source::Item;
use proptest::prelude::*;

use crate::support::{MAIL, open};
use crate::writer::{Archive, Entry};

fn sample() -> Vec<u8> {
    let text = MAIL.repeat(60);
    Archive {
        is_zip64: true,
        comment: b"a comment".to_vec(),
        ..Archive::of([
            Entry::deflated("a/1.eml", &text),
            Entry { has_descriptor: true, ..Entry::deflated("a/2", &text) },
            Entry { is_zip64: true, ..Entry::stored("b/3.eml", MAIL) },
            Entry::deflated("b/4.emlx", b"17        \nSubject: x\n\nbody\n<plist/>"),
            Entry::stored("c\\5.eml", MAIL),
        ])
    }
    .bytes()
}

/// Reads all that there is; gives up on more than the sample can hold.
fn read_all(bytes: Vec<u8>) {
    let bound = bytes.len() as u64 * 1_100 + (16 << 20);
    let Ok(items) = open(bytes) else { return };
    let mut declared = 0_u64;
    for item in items {
        let Item::Mail(found) = item else { continue };
        declared += found.size_bytes;
        assert!(declared <= bound);
        let Ok(mut mail) = found.open() else { continue };
        let mut length = 0_u64;
        let mut buffer = [0; 4_096];
        let end = loop {
            match mail.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(count) => length += count as u64,
                Err(error) => break Err(error),
            }
        };
        assert!(length <= found.size_bytes);
        assert!(end.is_err() || length == found.size_bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        read_all(bytes);
    }

    #[test]
    fn random_directories(bytes in proptest::collection::vec(prop_oneof![Just(0_u8), Just(0xFF), any::<u8>()], 0..400)) {
        let records = [b"PK\x01\x02".as_slice(), &bytes].concat();
        read_all(Archive { gap: records, ..Archive::default() }.bytes());
    }

    #[test]
    fn changed_bytes(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let mut bytes = sample();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_all(bytes);
    }

    #[test]
    fn cut_and_doubled(at in any::<prop::sample::Index>(), length in 0_usize..300) {
        let bytes = sample();
        let at = at.index(bytes.len());
        let end = (at + length).min(bytes.len());
        read_all([&bytes[..at], &bytes[end..]].concat());
        read_all([&bytes[..end], &bytes[at..]].concat());
    }
}

#[test]
fn the_sample_is_sound() {
    let mails = open(sample()).unwrap().filter(|item| matches!(item, Item::Mail(_))).count();
    assert_eq!(mails, 5);
    read_all(sample());
}
