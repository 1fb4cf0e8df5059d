//! When an entry was changed last.

use rawzip::ZipFileHeaderRecord;
use rawzip::extra_fields::ExtraFieldId;

use crate::date::civil_seconds;

/// Unix seconds: the extended timestamp, which is UTC, else the time of MS-DOS, which says no zone and is read as UTC.
/// None if that is no time, as in archives that leave it zero.
pub(super) fn modified(header: &ZipFileHeaderRecord<'_>) -> Option<i64> {
    let extended = header.extra_fields().find(|(id, _)| *id == ExtraFieldId::EXTENDED_TIMESTAMP);
    let dos = header.last_modified_dos();
    extended.and_then(|(_, field)| extended_time(field)).or_else(|| dos_time(dos.packed_date(), dos.packed_time()))
}

/// Info-ZIP's field: flags, of which bit 0 says that the modification time is there, then signed seconds.
fn extended_time(field: &[u8]) -> Option<i64> {
    let (flags, rest) = field.split_first()?;
    let seconds = rest.first_chunk().copied().map(i32::from_le_bytes)?;
    (flags & 1 == 1).then_some(i64::from(seconds))
}

fn dos_time(date: u16, time: u16) -> Option<i64> {
    let part = |word: u16, shift: u16, bits: u16| i64::from(word >> shift & ((1 << bits) - 1));
    let day = [1980 + part(date, 9, 7), part(date, 5, 4), part(date, 0, 5)];
    civil_seconds(day, [part(time, 11, 5), part(time, 5, 6), 2 * part(time, 0, 5)])
}

#[cfg(test)]
mod tests {
    use super::{dos_time, extended_time};

    #[test]
    fn times() {
        assert_eq!(dos_time(0x0021, 0), Some(315_532_800));
        assert_eq!(dos_time((43 << 9) | (1 << 5) | 2, (10 << 11) | (20 << 5) | 15), Some(1_672_654_830));
        for no_date in [0, 0x0001, 0x0020, (2 << 5) | 0x1e, (13 << 5) | 1] {
            assert_eq!(dos_time(no_date, 0), None);
        }
        assert_eq!(dos_time(0x0021, 24 << 11), None);
        assert_eq!(extended_time(b"\x01\x01\0\0\0"), Some(1));
        assert_eq!(extended_time(b"\x03\xff\xff\xff\xff\0\0\0\0"), Some(-1));
        assert_eq!(extended_time(b"\x02\x01\0\0\0"), None);
        assert_eq!(extended_time(b"\x01\x01\0"), None);
    }
}
