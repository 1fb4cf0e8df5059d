//! The bounds of a volume, with mails that nobody has to keep.

use crate::support::{frame, keys, start};
use std::io::{self, Read as _, Seek, SeekFrom, Write};
use volume::{Closing, MAX_MAILS_PER_VOLUME, MAX_VOLUME_BYTES, Metadata, Totals, VolumeWriter, WriteError, fits_alone};

/// Takes bytes and forgets them; knows where it is, and how long the file would be.
#[derive(Default)]
struct Counter {
    position: u64,
    size_bytes: u64,
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.position += bytes.len() as u64;
        self.size_bytes = self.size_bytes.max(self.position);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Counter {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Current(by) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        self.position = self.position.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// The largest plaintext that is let into an empty volume is the largest with which the file keeps to its bound.
#[test]
fn a_mail_that_fills_a_volume_to_its_last_bytes() {
    for password in [None, Some("p")] {
        let keys = keys(password, &[]);
        let start = start(1, 1);
        let (mut fits, mut too_large) = (0, MAX_VOLUME_BYTES);
        while too_large - fits > 1 {
            let middle = fits.midpoint(too_large);
            if fits_alone(&keys, &start, middle) { fits = middle } else { too_large = middle }
        }
        let tags = if password.is_some() { fits.div_ceil(1 << 20) * 16 } else { 0 };
        // What is around it takes less than 4 KiB: header, seal, signature and six directory records.
        let around = MAX_VOLUME_BYTES - fits - tags;
        assert!((1_000..4_096).contains(&around), "{around} bytes around a plaintext of {fits}");
    }
}

/// Four mails of a gibibyte, of which the last one has to go into the next volume; nothing is kept of them.
#[test]
fn a_volume_of_four_gibibytes_less_one_byte() {
    let keys = keys(None, &[]);
    let mut writer = VolumeWriter::new(Counter::default(), &keys, &start(1, 1)).unwrap();
    let gibibyte = 1u64 << 30;
    // A frame that states this length and a window of 8 MiB; what is in it, the writer does not look at.
    let head = [&[0x28, 0xb5, 0x2f, 0xfd, 0x80, 13 << 3][..], &u32::try_from(gibibyte).unwrap().to_le_bytes()].concat();
    let metadata = Metadata { size_bytes: gibibyte, ..frame(b"").1 };
    let append = |writer: &mut VolumeWriter<Counter>, len: u64| {
        let mut body = head.as_slice().chain(io::repeat(7)).take(len);
        writer.append(&metadata, &mut body, len)
    };
    for _ in 0..3 {
        append(&mut writer, gibibyte).unwrap();
    }
    assert!(matches!(append(&mut writer, gibibyte), Err(WriteError::Full)));
    // One that is some bytes smaller than what is left still goes in.
    append(&mut writer, gibibyte - 4_000).unwrap();
    assert!(matches!(append(&mut writer, 1_500), Err(WriteError::Full)));
    let totals = Totals { mails: 4, raw_bytes: 4 * gibibyte, skipped: 0 };
    let finished = writer.finish(Closing { last: Some(totals), ..Closing::default() }).unwrap();
    assert_eq!(finished.size_bytes, finished.out.size_bytes);
    assert!((MAX_VOLUME_BYTES - 4_000..=MAX_VOLUME_BYTES).contains(&finished.size_bytes), "{}", finished.size_bytes);
}

#[test]
fn a_million_mails_and_not_one_more() {
    let keys = keys(None, &[]);
    let mut writer = VolumeWriter::new(Counter::default(), &keys, &start(1, 1)).unwrap();
    let (bytes, metadata) = frame(b"m");
    writer.append(&metadata, &mut bytes.as_slice(), bytes.len() as u64).unwrap();
    let copy = Metadata { reference: Some(1), ..metadata };
    for _ in 1..MAX_MAILS_PER_VOLUME {
        writer.append(&copy, &mut io::empty(), 0).unwrap();
    }
    assert!(!writer.fits(100));
    assert!(matches!(writer.append(&copy, &mut io::empty(), 0), Err(WriteError::Full)));
    let mails = MAX_MAILS_PER_VOLUME;
    let closing = Closing { last: Some(Totals { mails, raw_bytes: mails, skipped: 0 }), ..Closing::default() };
    let finished = writer.finish(closing).unwrap();
    assert_eq!(finished.seal.mails, mails);
    assert_eq!(finished.size_bytes, finished.out.size_bytes);
}

/// A file of more than 4 GiB is told by its size alone; nothing else of it has to be there.
#[test]
fn a_file_of_four_gibibytes_is_over_the_limit() {
    let whole = crate::support::single(&keys(None, &[]), &[b"m"]).bytes;
    let (head, tail) = (&whole[..], &whole[..]);
    let code = |size: u64| volume::locate(head, tail, size).map_err(|error| error.code());
    assert_eq!(code(MAX_VOLUME_BYTES + 1).unwrap_err(), "over_limit");
    assert_eq!(code(u64::MAX).unwrap_err(), "over_limit");
    assert!(code(MAX_VOLUME_BYTES).is_ok());
}
