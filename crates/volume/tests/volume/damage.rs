//! Any change to any byte is noticed, and costs no more than it must.

use crate::forge::Forge;
use crate::support::{check, checked, keys, noise, open, read, single, verified};
use volume::{Secret, VolumeCheck, verify_set};

/// Another bit in each byte, then all bits of it: `verify` must never say that all is well.
#[test]
fn every_flipped_byte_is_noticed_and_other_mails_still_open() {
    let keys = keys(Some("p"), &[]);
    let secret = Secret::ContentKey(keys.content_key().unwrap());
    let written = single(&keys, &[b"mail one", b"mail two", b"mail three"]);
    let whole = open(&written.bytes, keys.certificate(), secret).unwrap();
    for at in 0..written.bytes.len() {
        for mask in [1 << (at % 8), 0xff] {
            let mut bytes = written.bytes.clone();
            bytes[at] ^= mask;
            let VolumeCheck::Checked(found) = check(&bytes, Some(keys.certificate()), secret) else { continue };
            let touched = whole.verified().numbers().find(|number| {
                let stored = whole.verified().stored(*number).unwrap();
                (stored.offset..stored.offset + stored.len).contains(&(at as u64))
            });
            if let Some(number) = touched {
                assert_eq!(found.damaged.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [number]);
                assert_eq!(found.differs_at, None);
            } else {
                assert!(found.damaged.is_empty(), "byte {at}");
                assert_eq!(found.differs_at, Some(at as u64));
            }
            for number in whole.verified().numbers().filter(|number| Some(*number) != touched) {
                assert!(read(&whole, &bytes, number).is_ok());
            }
        }
    }
}

/// Changes in the container that are neither signed nor read are damage; nobody is refused for them.
#[test]
fn the_container_may_be_damaged_and_the_mails_whole() {
    let keys = keys(None, &[]);
    let written = single(&keys, &[b"mail one"]);
    let size = written.bytes.len();
    // Date, checksum and both lengths of the first local header; count, size and offset in the end record.
    for at in [12, 14, 18, 21, 22, 25, size - 14, size - 10, size - 6, size - 1] {
        let mut bytes = written.bytes.clone();
        bytes[at] ^= 0x10;
        let found = checked(&bytes, keys.certificate(), Secret::None);
        assert!(found.damaged.is_empty());
        assert_eq!(found.differs_at, Some(at as u64));
        let set = verify_set(vec![("v".to_owned(), check(&bytes, Some(keys.certificate()), Secret::None))]);
        assert_eq!(set.exit_code(), 8);
        assert_eq!(serde_json::to_value(&set).unwrap()["volumes"][0]["state"], "damaged");
    }
}

#[test]
fn a_gap_is_found_where_it_begins() {
    let mut forge = Forge::new(vec![]);
    forge.gap = b"gap".to_vec();
    let bytes = forge.build();
    let gap_at = bytes.windows(3).position(|bytes| bytes == b"gap").unwrap() as u64;
    let found = checked(&bytes, &forge.certificate, Secret::None);
    assert!(found.damaged.is_empty());
    assert_eq!(found.differs_at, Some(gap_at));
}

/// A mail that lies beyond the end of the file is damaged, not an error of reading.
#[test]
fn bytes_cut_from_the_middle_cost_the_mails_after_them() {
    let forge = Forge::new(vec![noise(1, 3000), noise(2, 3000), noise(3, 3000)]);
    let bytes = forge.build();
    let verified = verified(&bytes, Some(&forge.certificate)).unwrap();
    let cut_at = usize::try_from(verified.stored(2).unwrap().offset).unwrap();
    let mut cut = [&bytes[..cut_at], &bytes[cut_at + 2500..]].concat();
    // Lead the directory to where the signed parts are now.
    let size = cut.len();
    for at in [size - 22 - 164 + 42, size - 22 - 109 + 42, size - 22 - 54 + 42] {
        let offset = u32::from_le_bytes(cut[at..at + 4].try_into().unwrap()) - 2500;
        cut[at..at + 4].copy_from_slice(&offset.to_le_bytes());
    }
    let found = checked(&cut, &forge.certificate, Secret::None);
    assert_eq!(found.damaged.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(found.differs_at.unwrap() >= cut_at as u64);
}

#[test]
fn nothing_that_is_cut_or_noise_panics() {
    let keys = keys(Some("p"), &[]);
    let secret = Secret::ContentKey(keys.content_key().unwrap());
    let written = single(&keys, &[b"mail one", b"mail two"]);
    for end in 0..written.bytes.len() {
        assert!(matches!(check(&written.bytes[..end], Some(keys.certificate()), secret), VolumeCheck::Refused(_)));
        let tail = check(&written.bytes[end + 1..], Some(keys.certificate()), secret);
        assert!(matches!(tail, VolumeCheck::Refused(_)));
    }
    for seed in 0..300 {
        let mut bytes = written.bytes.clone();
        for (at, value) in noise(seed, 64).chunks_exact(8).map(|c| (u32::from_le_bytes([c[0], c[1], c[2], c[3]]), c[4]))
        {
            let at = at as usize % bytes.len();
            bytes[at] = value;
        }
        let _ = check(&bytes, Some(keys.certificate()), secret);
        let _ = volume::inspect(&mut std::io::Cursor::new(&bytes), bytes.len() as u64).unwrap();
    }
}
