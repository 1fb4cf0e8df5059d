//! Checking one volume without an archive: every byte of it has one right value.

use crate::cipher::Sha256;
use crate::container::{
    CATALOGUE_NAME, FIXED_ENTRIES, HEADER_NAME, LOCAL_BYTES, MAIL_LOCAL_BYTES, SEAL_NAME, SIGNATURE_NAME,
    directory_record, end_records, local_header, mail_name, u32_at,
};
use crate::limits::{BUFFERED_ENTRY_BYTES, HEAD_BYTES, TAIL_BYTES};
use crate::{Certificate, Damage, Error, Metadata, OpenError, Opener, Parts, Plan, Secret, Verified, locate};
use serde_json::{Value, json};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

/// Read-ahead of the one pass over the file.
const READ_BYTES: usize = 256 * 1024;

/// What was found in one file.
#[derive(Debug)]
pub enum VolumeCheck {
    /// The whole volume is refused.
    Refused(Error),
    /// The file could not be read; the text says why.
    Unreadable(String),
    /// Signature and rules hold; mails or container may still be damaged.
    Checked(Checked),
    /// Its header names another certificate than the one chosen, so it was not looked into.
    OtherExport,
}

/// What was found in a volume whose signature holds.
#[derive(Debug)]
pub struct Checked {
    /// Header and seal.
    pub verified: Verified,
    /// Whether the mails were opened; otherwise only their stored bytes were compared.
    pub opened: bool,
    /// Damaged mails, by number.
    pub damaged: Vec<(u64, Damage)>,
    /// Offset of the first byte of the container that is not what it must be.
    pub differs_at: Option<u64>,
}

/// Makes every check that needs no archive.
///
/// Without the secret of an encrypted volume ([`Secret::None`]) the mails are compared with the signed catalogue but
/// not opened. Memory: the catalogue, and 40 bytes a mail. Fails only if the file cannot be read.
pub fn verify(
    reader: &mut (impl Read + Seek),
    size: u64,
    certificate: Option<&Certificate>,
    secret: Secret<'_>,
) -> io::Result<VolumeCheck> {
    let (plan, mut bytes) = match read_parts(reader, size)? {
        Ok(found) => found,
        Err(error) => return Ok(VolumeCheck::Refused(error)),
    };
    let layout = Closings::of(&bytes);
    let parts = Parts {
        header: &bytes.header,
        catalogue: std::mem::take(&mut bytes.catalogue),
        seal: &bytes.seal,
        signature: &bytes.signature,
    };
    let opened = plan.verify(parts, certificate).and_then(|verified| {
        let locked = verified.header().is_encrypted() && matches!(secret, Secret::None);
        let volume = if locked { None } else { Some(verified.clone().unlock(secret)?) };
        Ok((verified, volume))
    });
    match opened {
        Err(error) => Ok(VolumeCheck::Refused(error)),
        Ok((verified, volume)) => Walk::new(verified, volume.map(Opener::new).transpose()?, layout).run(reader, &plan),
    }
}

/// The `inspect` document: header and seal as they stand, not verified.
///
/// Fails (inner) with the reason why there is nothing to show.
pub fn inspect(reader: &mut (impl Read + Seek), size: u64) -> io::Result<Result<Value, Error>> {
    let (plan, bytes) = match read_parts(reader, size)? {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    let shown = plan
        .peek(&bytes.header, &bytes.seal)
        .map(|found| json!({ "header": found.header_json, "seal": found.seal_json, "verified": false }));
    Ok(shown)
}

/// The signed parts, as they stand in the file.
struct Bytes {
    header: Vec<u8>,
    catalogue: Vec<u8>,
    seal: Vec<u8>,
    signature: Vec<u8>,
}

fn read_parts(reader: &mut (impl Read + Seek), size: u64) -> io::Result<Result<(Plan, Bytes), Error>> {
    let head = read_range(reader, 0..size.min(HEAD_BYTES))?;
    let tail = read_range(reader, size.saturating_sub(TAIL_BYTES)..size)?;
    let plan = match locate(&head, &tail, size) {
        Ok(plan) => plan,
        Err(error) => return Ok(Err(error)),
    };
    let bytes = Bytes {
        header: read_range(reader, plan.header.clone())?,
        catalogue: read_range(reader, plan.catalogue.clone())?,
        seal: read_range(reader, plan.seal.clone())?,
        signature: read_range(reader, plan.signature.clone())?,
    };
    Ok(Ok((plan, bytes)))
}

/// A range that `locate` has bounded.
fn read_range(reader: &mut (impl Read + Seek), range: Range<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(range.end.saturating_sub(range.start)).unwrap_or_default()];
    reader.seek(SeekFrom::Start(range.start))?;
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Length and checksum of the entries that are not mails.
struct Closings {
    header: (u64, u32),
    last: [(&'static str, u64, u32); 3],
}

impl Closings {
    fn of(bytes: &Bytes) -> Self {
        let sums = |content: &[u8]| (content.len() as u64, crc32fast::hash(content));
        let named = |name, content: &[u8]| (name, content.len() as u64, crc32fast::hash(content));
        Self {
            header: sums(&bytes.header),
            last: [
                named(CATALOGUE_NAME, &bytes.catalogue),
                named(SEAL_NAME, &bytes.seal),
                named(SIGNATURE_NAME, &bytes.signature),
            ],
        }
    }
}

/// One pass over the whole file, from its first byte to its last.
struct Walk {
    verified: Verified,
    opener: Option<Opener>,
    closings: Closings,
    /// Hash and length of each mail that opened and is no reference, for those that refer to it.
    opened: Vec<Option<([u8; 32], u64)>>,
    checksums: Vec<u32>,
    damaged: Vec<(u64, Damage)>,
    differs_at: Option<u64>,
    raw_bytes: u64,
}

impl Walk {
    fn new(verified: Verified, opener: Option<Opener>, closings: Closings) -> Self {
        Self {
            verified,
            opener,
            closings,
            opened: Vec::new(),
            checksums: Vec::new(),
            damaged: Vec::new(),
            differs_at: None,
            raw_bytes: 0,
        }
    }

    fn run(mut self, reader: &mut (impl Read + Seek), plan: &Plan) -> io::Result<VolumeCheck> {
        let mut file = BufReader::with_capacity(READ_BYTES, reader);
        file.seek(SeekFrom::Start(0))?;
        let (header_len, checksum) = self.closings.header;
        self.compare(&mut file, 0, &local_header(HEADER_NAME, header_len, checksum))?;
        // The content itself is signed and was compared by hash.
        file.seek_relative(i64::try_from(header_len).unwrap_or(i64::MAX))?;
        for number in self.verified.numbers() {
            self.check_mail(&mut file, number)?;
        }
        let directory_start = self.check_closings(&mut file, plan)?;
        self.check_directory(&mut file, directory_start, plan.size_bytes)?;
        Ok(self.conclude())
    }

    fn check_mail(&mut self, file: &mut (impl Read + Seek), number: u64) -> io::Result<()> {
        let (Some(stored), Some(entry)) = (self.verified.stored(number), self.verified.entry(number)) else {
            return Ok(());
        };
        let local_start = entry.offset.saturating_sub(MAIL_LOCAL_BYTES);
        let mut local = Vec::new();
        file.by_ref().take(MAIL_LOCAL_BYTES).read_to_end(&mut local)?;
        let mut content = Checksummed { from: file.by_ref().take(stored.len), hasher: crc32fast::Hasher::new() };
        let outcome = match &mut self.opener {
            Some(opener) => opener.open_entry(number, &mut content, &mut io::sink(), &mut io::sink()),
            None => compare_stored(number, entry.len, &entry.sha256, &mut content),
        };
        io::copy(&mut content, &mut io::sink())?;
        let mut checksum = content.hasher.finalize();
        let outcome = match outcome {
            Err(OpenError::Io(error)) => return Err(error),
            outcome => outcome,
        };
        let is_changed = match &outcome {
            Err(OpenError::Damaged { reason: Damage::Stored, .. }) => true,
            // A large mail may fail before its stored hash is known.
            Err(_) => entry.len > BUFFERED_ENTRY_BYTES,
            Ok(_) => false,
        };
        if is_changed {
            // Of changed content the right checksum is unknown; the mail is named anyway.
            checksum = u32_at(&local, 14).and_then(|stated| u32::try_from(stated).ok()).unwrap_or(checksum);
        }
        self.checksums.push(checksum);
        self.note_difference(local_start, &local_header(&mail_name(number), entry.len, checksum), &local);
        self.record(number, outcome);
        Ok(())
    }

    /// Notes what became of a mail; a reference is good only if its target is.
    fn record(&mut self, number: u64, outcome: Result<Metadata, OpenError>) {
        let outcome = match outcome {
            Ok(metadata) => self.resolve(number, &metadata).map(|()| metadata),
            Err(OpenError::Damaged { reason, .. }) => Err(reason),
            Err(_) => Err(Damage::Stored),
        };
        let known = match outcome {
            Ok(metadata) => {
                self.raw_bytes = self.raw_bytes.saturating_add(metadata.size_bytes);
                metadata.reference.is_none().then_some((metadata.sha256, metadata.size_bytes))
            }
            Err(reason) => {
                self.damaged.push((number, reason));
                None
            }
        };
        if self.opener.is_some() {
            self.opened.push(known);
        }
    }

    fn resolve(&self, number: u64, metadata: &Metadata) -> Result<(), Damage> {
        let (Some(opener), Some(target)) = (&self.opener, metadata.reference) else { return Ok(()) };
        let index = target.checked_sub(self.verified.first_mail()).and_then(|index| usize::try_from(index).ok());
        let target = index.and_then(|index| self.opened.get(index).copied().flatten());
        let (sha256, size_bytes) = target.ok_or(Damage::Reference("that one is damaged or refers to another"))?;
        opener.volume().check_reference(number, metadata, &Metadata { sha256, size_bytes, ..Metadata::default() })
    }

    /// Local headers of catalogue, seal and signature; returns where the directory belongs.
    fn check_closings(&mut self, file: &mut (impl Read + Seek), plan: &Plan) -> io::Result<u64> {
        let mut position = self.verified.mails_end();
        let found = [plan.catalogue.start, plan.seal.start, plan.signature.start];
        for ((name, len, checksum), found_at) in self.closings.last.into_iter().zip(found) {
            let expected = local_header(name, len, checksum);
            file.seek(SeekFrom::Start(position))?;
            self.compare(file, position, &expected)?;
            position = position.saturating_add(expected.len() as u64);
            if found_at != position {
                self.note(position);
            }
            position = position.saturating_add(len);
        }
        file.seek(SeekFrom::Start(position))?;
        Ok(position)
    }

    fn check_directory(&mut self, file: &mut (impl Read + Seek), start: u64, size: u64) -> io::Result<()> {
        let mut position = start;
        let (header_len, checksum) = self.closings.header;
        let mut put = |walk: &mut Self, record: &[u8]| -> io::Result<()> {
            walk.compare(file, position, record)?;
            position = position.saturating_add(record.len() as u64);
            Ok(())
        };
        put(self, &directory_record(HEADER_NAME, header_len, checksum, 0))?;
        for (number, checksum) in self.verified.numbers().zip(std::mem::take(&mut self.checksums)) {
            let Some(entry) = self.verified.entry(number) else { continue };
            let local = entry.offset.saturating_sub(MAIL_LOCAL_BYTES);
            put(self, &directory_record(&mail_name(number), entry.len, checksum, local))?;
        }
        let mut local = self.verified.mails_end();
        for (name, len, checksum) in self.closings.last {
            put(self, &directory_record(name, len, checksum, local))?;
            local = local.saturating_add(LOCAL_BYTES + name.len() as u64 + len);
        }
        let directory_len = position - start;
        let end = end_records(self.verified.mails() + FIXED_ENTRIES, start, directory_len);
        self.compare(file, position, &end)?;
        let expected_size = position.saturating_add(end.len() as u64);
        if expected_size != size {
            self.note(expected_size.min(size));
        }
        Ok(())
    }

    fn compare(&mut self, file: &mut impl Read, position: u64, expected: &[u8]) -> io::Result<()> {
        let mut found = Vec::new();
        file.by_ref().take(expected.len() as u64).read_to_end(&mut found)?;
        self.note_difference(position, expected, &found);
        Ok(())
    }

    fn note_difference(&mut self, position: u64, expected: &[u8], found: &[u8]) {
        let same = expected.iter().zip(found).take_while(|(expected, found)| expected == found).count();
        if same < expected.len() {
            self.note(position.saturating_add(same as u64));
        }
    }

    fn note(&mut self, position: u64) {
        self.differs_at = Some(self.differs_at.map_or(position, |before| before.min(position)));
    }

    fn conclude(self) -> VolumeCheck {
        let opened = self.opener.is_some();
        let stated = self.verified.seal().raw_bytes;
        if opened && (self.raw_bytes > stated || (self.damaged.is_empty() && self.raw_bytes != stated)) {
            return VolumeCheck::Refused(Error::Malformed("raw_bytes is not the sum over the mails".to_owned()));
        }
        let Self { verified, damaged, differs_at, .. } = self;
        VolumeCheck::Checked(Checked { verified, opened, damaged, differs_at })
    }
}

/// Takes the checksum of what is read through it.
struct Checksummed<R> {
    from: R,
    hasher: crc32fast::Hasher,
}

impl<R: Read> Read for Checksummed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// What can be said of a mail without the key: its stored bytes are the signed ones, or not.
fn compare_stored(number: u64, len: u64, sha256: &[u8; 32], stored: &mut dyn Read) -> Result<Metadata, OpenError> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; usize::try_from(len.max(1)).unwrap_or(READ_BYTES).min(READ_BYTES)];
    let mut read = 0u64;
    loop {
        let piece = stored.read(&mut buffer)?;
        if piece == 0 {
            break;
        }
        read += piece as u64;
        hash.update(buffer.get(..piece).unwrap_or_default());
    }
    if read == len && hash.finish() == *sha256 {
        return Ok(Metadata::default());
    }
    Err(OpenError::Damaged { number, reason: Damage::Stored })
}
