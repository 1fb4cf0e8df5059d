//! The ZIP records (PKWARE APPNOTE 6.3) of a volume: every byte follows from the entries' names, lengths and contents.

/// Length of a local header before its name.
pub(crate) const LOCAL_BYTES: u64 = 30;
/// Length of a directory record before its name.
pub(crate) const DIRECTORY_BYTES: u64 = 46;
/// Length of the end record.
pub(crate) const END_BYTES: u64 = 22;
/// Length of the ZIP64 end record and its locator.
pub(crate) const ZIP64_BYTES: u64 = 56 + 20;
/// From this many entries on the ZIP64 records are there.
pub(crate) const ZIP64_ENTRIES: u64 = 65_535;
/// Entries of a volume that are not mails.
pub(crate) const FIXED_ENTRIES: u64 = 4;

pub(crate) const HEADER_NAME: &str = "header.json";
pub(crate) const CATALOGUE_NAME: &str = "catalogue";
pub(crate) const SEAL_NAME: &str = "seal.json";
pub(crate) const SIGNATURE_NAME: &str = "seal.sig";
/// Length of `mail/00000000001`.
pub(crate) const MAIL_NAME_BYTES: u64 = 16;
/// Local header of a mail.
pub(crate) const MAIL_LOCAL_BYTES: u64 = LOCAL_BYTES + MAIL_NAME_BYTES;
/// Where the content of `header.json` begins.
pub(crate) const HEADER_START: u64 = LOCAL_BYTES + 11;
/// The last three directory records, which lead to the rest.
pub(crate) const LAST_RECORDS_BYTES: u64 = 3 * DIRECTORY_BYTES + 9 + 9 + 8;

pub(crate) const LOCAL_SIGNATURE: [u8; 4] = *b"PK\x03\x04";
pub(crate) const DIRECTORY_SIGNATURE: [u8; 4] = *b"PK\x01\x02";
pub(crate) const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const ZIP64_END_SIGNATURE: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_SIGNATURE: [u8; 4] = *b"PK\x06\x07";

const VERSION_NEEDED: u16 = 10;
const ZIP64_VERSION: u16 = 45;
/// Unix, version 1.0.
const MADE_BY: u16 = 0x030A;
/// 1980-01-01, the first date that ZIP knows.
const DATE: u16 = 0x0021;
const ATTRIBUTES: u32 = 0o100_644 << 16;

/// `mail/` and the number in eleven digits.
pub(crate) fn mail_name(number: u64) -> String {
    format!("mail/{number:011}")
}

/// The record before an entry's content.
pub(crate) fn local_header(name: &str, len: u64, crc: u32) -> Vec<u8> {
    let mut out = LOCAL_SIGNATURE.to_vec();
    out.extend_from_slice(&VERSION_NEEDED.to_le_bytes());
    put_common(&mut out, name, len, crc);
    out.extend_from_slice(name.as_bytes());
    out
}

/// The record of an entry in the directory.
pub(crate) fn directory_record(name: &str, len: u64, crc: u32, offset: u64) -> Vec<u8> {
    let mut out = DIRECTORY_SIGNATURE.to_vec();
    out.extend_from_slice(&MADE_BY.to_le_bytes());
    out.extend_from_slice(&VERSION_NEEDED.to_le_bytes());
    put_common(&mut out, name, len, crc);
    // Comment length, disk, internal attributes.
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&ATTRIBUTES.to_le_bytes());
    out.extend_from_slice(&low_u32(offset).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
    out
}

/// Everything after the directory.
pub(crate) fn end_records(entries: u64, directory_offset: u64, directory_len: u64) -> Vec<u8> {
    let zip64 = entries >= ZIP64_ENTRIES;
    let mut out = Vec::new();
    if zip64 {
        put_zip64(&mut out, entries, directory_offset, directory_len);
    }
    let count = if zip64 { u16::MAX } else { u16::try_from(entries).unwrap_or(u16::MAX) };
    let (offset, len) = if zip64 { (u32::MAX, u32::MAX) } else { (low_u32(directory_offset), low_u32(directory_len)) };
    out.extend_from_slice(&END_SIGNATURE);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out
}

/// How many bytes [`end_records`] are.
pub(crate) fn end_records_len(entries: u64) -> u64 {
    if entries >= ZIP64_ENTRIES { ZIP64_BYTES + END_BYTES } else { END_BYTES }
}

fn put_zip64(out: &mut Vec<u8>, entries: u64, directory_offset: u64, directory_len: u64) {
    out.extend_from_slice(&ZIP64_END_SIGNATURE);
    out.extend_from_slice(&44u64.to_le_bytes());
    out.extend_from_slice(&ZIP64_VERSION.to_le_bytes());
    out.extend_from_slice(&ZIP64_VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&entries.to_le_bytes());
    out.extend_from_slice(&entries.to_le_bytes());
    out.extend_from_slice(&directory_len.to_le_bytes());
    out.extend_from_slice(&directory_offset.to_le_bytes());
    out.extend_from_slice(&LOCATOR_SIGNATURE);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&directory_offset.saturating_add(directory_len).to_le_bytes());
    out.extend_from_slice(&1u32.to_le_bytes());
}

/// Flags, method, time, date, checksum, both lengths, name length, no extra field.
fn put_common(out: &mut Vec<u8>, name: &str, len: u64, crc: u32) {
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&DATE.to_le_bytes());
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&low_u32(len).to_le_bytes());
    out.extend_from_slice(&low_u32(len).to_le_bytes());
    out.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(&[0; 2]);
}

/// A volume is smaller than 4 GiB; a number that is not is a damaged one and differs from what the file says anyway.
fn low_u32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Four bytes at `at`, little-endian.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(u64::from(u32::from_le_bytes(field)))
}

/// Eight bytes at `at`, little-endian.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field: [u8; 8] = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
    Some(u64::from_le_bytes(field))
}

/// Two bytes at `at`, little-endian.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let field: [u8; 2] = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
    Some(u16::from_le_bytes(field))
}
