//! A writer of ZIP archives that can be told to lie.

use std::io::Write;

pub(crate) const DEFLATED: u16 = 8;

/// One entry. What is not set follows from the data.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) local_name: Option<Vec<u8>>,
    pub(crate) local_method: Option<u16>,
    /// Unpacked.
    pub(crate) local_size: Option<u32>,
    /// As it lies in the archive.
    pub(crate) packed: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) crc: u32,
    pub(crate) size: u32,
    pub(crate) time: u16,
    pub(crate) date: u16,
    pub(crate) made_by: u16,
    pub(crate) attributes: u32,
    /// Of the directory's record.
    pub(crate) extra: Vec<u8>,
    pub(crate) local_extra: Vec<u8>,
    /// Sizes and checksum behind the data, zeros in the local header.
    pub(crate) has_descriptor: bool,
    /// Sizes and offset in the field of ZIP64.
    pub is_zip64: bool,
    /// Has no data of its own, but that of the entry with this number.
    pub(crate) same_as: Option<usize>,
    /// The directory has no record of it.
    pub(crate) is_unlisted: bool,
    /// Behind the entry, up to the next one.
    pub(crate) padding: Vec<u8>,
}

impl Entry {
    pub(crate) fn stored(name: &str, data: &[u8]) -> Self {
        let (name, packed) = (name.as_bytes().to_vec(), data.to_vec());
        let size = u32::try_from(data.len()).unwrap();
        Self { name, packed, crc: rawzip::crc32(data), size, date: 0x21, made_by: 20, ..Self::default() }
    }

    pub(crate) fn deflated(name: &str, data: &[u8]) -> Self {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).unwrap();
        Self { packed: encoder.finish().unwrap(), method: DEFLATED, ..Self::stored(name, data) }
    }
}

/// An archive, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Archive {
    pub(crate) entries: Vec<Entry>,
    /// In front of the archive; offsets do not count it.
    pub(crate) prefix: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    /// Behind the archive.
    pub(crate) suffix: Vec<u8>,
    pub(crate) counted: Option<u16>,
    pub is_zip64: bool,
    /// Between the directory and the end record.
    pub(crate) gap: Vec<u8>,
}

impl Archive {
    pub(crate) fn of(entries: impl Into<Vec<Entry>>) -> Self {
        Self { entries: entries.into(), ..Self::default() }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut offsets: Vec<usize> = Vec::new();
        for entry in &self.entries {
            offsets.push(entry.same_as.map_or(body.len(), |same| offsets[same]));
            if entry.same_as.is_none() {
                local(entry, &mut body);
            }
        }
        let start = body.len();
        for (entry, offset) in self.entries.iter().zip(&offsets).filter(|(entry, _)| !entry.is_unlisted) {
            central(entry, u32::try_from(*offset).unwrap(), &mut body);
        }
        let size = body.len() - start;
        body.extend_from_slice(&self.gap);
        self.end(start, size, &mut body);
        [&self.prefix[..], &body, &self.suffix].concat()
    }

    fn end(&self, start: usize, size: usize, out: &mut Vec<u8>) {
        let count = self.entries.iter().filter(|entry| !entry.is_unlisted).count();
        let (start, size) = (u32::try_from(start).unwrap(), u32::try_from(size).unwrap());
        if self.is_zip64 {
            let at = out.len() as u64;
            out.extend_from_slice(b"PK\x06\x06");
            out.extend_from_slice(&44_u64.to_le_bytes());
            out.extend_from_slice(&[45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            for number in [count as u64, count as u64, u64::from(size), u64::from(start)] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            out.extend_from_slice(b"PK\x06\x07\0\0\0\0");
            out.extend_from_slice(&at.to_le_bytes());
            out.extend_from_slice(&1_u32.to_le_bytes());
        }
        let (count, size, start) = if self.is_zip64 {
            (u16::MAX, u32::MAX, u32::MAX)
        } else {
            (self.counted.unwrap_or((count % 65_536) as u16), size, start)
        };
        out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&size.to_le_bytes());
        out.extend_from_slice(&start.to_le_bytes());
        out.extend_from_slice(&u16::try_from(self.comment.len()).unwrap().to_le_bytes());
        out.extend_from_slice(&self.comment);
    }
}

fn local(entry: &Entry, out: &mut Vec<u8>) {
    let name = entry.local_name.as_ref().unwrap_or(&entry.name);
    let size = entry.local_size.unwrap_or(entry.size);
    let packed = u32::try_from(entry.packed.len()).unwrap();
    let flags = entry.flags | if entry.has_descriptor { 8 } else { 0 };
    let [crc, before, after] = if entry.has_descriptor { [0; 3] } else { [entry.crc, packed, size] };
    out.extend_from_slice(b"PK\x03\x04");
    let method = entry.local_method.unwrap_or(entry.method);
    for word in [20, flags, method, entry.time, entry.date] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for word in [crc, before, after] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
    out.extend_from_slice(&u16::try_from(entry.local_extra.len()).unwrap().to_le_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(&entry.local_extra);
    out.extend_from_slice(&entry.packed);
    if entry.has_descriptor {
        out.extend_from_slice(b"PK\x07\x08");
        for word in [entry.crc, packed, entry.size] {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }
    out.extend_from_slice(&entry.padding);
}

fn central(entry: &Entry, offset: u32, out: &mut Vec<u8>) {
    let packed = u32::try_from(entry.packed.len()).unwrap();
    let mut extra = entry.extra.clone();
    let [packed, size, offset] = if entry.is_zip64 {
        extra.extend_from_slice(&[1, 0, 24, 0]);
        for number in [entry.size, packed, offset] {
            extra.extend_from_slice(&u64::from(number).to_le_bytes());
        }
        [u32::MAX; 3]
    } else {
        [packed, entry.size, offset]
    };
    out.extend_from_slice(b"PK\x01\x02");
    let flags = entry.flags | if entry.has_descriptor { 8 } else { 0 };
    for word in [entry.made_by, 20, flags, entry.method, entry.time, entry.date] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for word in [entry.crc, packed, size] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for length in [entry.name.len(), extra.len(), 0, 0, 0] {
        out.extend_from_slice(&u16::try_from(length).unwrap().to_le_bytes());
    }
    out.extend_from_slice(&entry.attributes.to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&entry.name);
    out.extend_from_slice(&extra);
}
