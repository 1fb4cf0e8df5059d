//! The catalogue of a volume in the making: it grows with every mail, so it lies wherever the caller has room.

use crate::write::Sums;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

/// The head, and what the format keeps of each record.
const HEAD_BYTES: u64 = 16;
const STORED_RECORD_BYTES: u64 = 40;

/// Where a writer keeps 44 bytes for each mail until its volume ends: memory, or a nameless file.
pub trait Scratch: Read + Write + Seek + Send {}

impl<T: Read + Write + Seek + Send> Scratch for T {}

/// The entries so far.
pub(crate) struct Catalogue {
    scratch: BufWriter<Box<dyn Scratch>>,
    first_mail: u64,
    mails: u64,
}

impl Catalogue {
    pub(crate) fn new(scratch: Box<dyn Scratch>, first_mail: u64) -> Self {
        Self { scratch: BufWriter::new(scratch), first_mail, mails: 0 }
    }

    pub(crate) fn mails(&self) -> u64 {
        self.mails
    }

    pub(crate) fn push(&mut self, entry_len: u64, sums: Sums) -> io::Result<()> {
        self.scratch.write_all(&entry_len.to_le_bytes())?;
        self.scratch.write_all(&sums.sha256)?;
        self.scratch.write_all(&sums.checksum.to_le_bytes())?;
        self.mails += 1;
        Ok(())
    }

    /// Length of `catalogue`.
    pub(crate) fn len(&self) -> u64 {
        HEAD_BYTES + STORED_RECORD_BYTES * self.mails
    }

    /// Hands on `catalogue` piece by piece.
    pub(crate) fn each_piece(&mut self, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        take(&self.first_mail.to_le_bytes())?;
        take(&self.mails.to_le_bytes())?;
        self.each(&mut |entry_len, sums| {
            take(&entry_len.to_le_bytes())?;
            take(&sums.sha256)
        })
    }

    /// Hands on stored length and sums of each entry.
    pub(crate) fn each(&mut self, take: &mut dyn FnMut(u64, Sums) -> io::Result<()>) -> io::Result<()> {
        self.scratch.flush()?;
        let scratch = self.scratch.get_mut();
        scratch.rewind()?;
        let mut records = BufReader::new(scratch);
        for _ in 0..self.mails {
            let (mut len, mut sha256, mut checksum) = ([0; 8], [0; 32], [0; 4]);
            records.read_exact(&mut len)?;
            records.read_exact(&mut sha256)?;
            records.read_exact(&mut checksum)?;
            take(u64::from_le_bytes(len), Sums { sha256, checksum: u32::from_le_bytes(checksum) })?;
        }
        Ok(())
    }
}
