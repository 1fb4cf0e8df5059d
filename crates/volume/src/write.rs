//! Writing a volume, front to back.

use crate::catalogue::{Catalogue, Scratch};
use crate::chunks::{ChunkAt, ChunkCipher, stored_len};
use crate::cipher::{Sha256, sha256};
use crate::container::{
    CATALOGUE_NAME, DIRECTORY_BYTES, FIXED_ENTRIES, HEADER_NAME, HEADER_START, LOCAL_BYTES, MAIL_LOCAL_BYTES,
    MAIL_NAME_BYTES, SEAL_NAME, SIGNATURE_NAME, directory_record, end_records, end_records_len, local_header,
    mail_name,
};
use crate::header::{FORMAT, Header, VERSION};
use crate::limits::{
    CHUNK_BYTES, MAX_HEADER_BYTES, MAX_MAIL_NUMBER, MAX_MAILS_PER_VOLUME, MAX_RAW_BYTES, MAX_SIGNATURE_BYTES,
    MAX_VOLUME_BYTES,
};
use crate::{ExportKeys, Metadata, Seal, Totals, WriteError, frame};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use std::io::{self, Read, Seek, SeekFrom, Write};

/// More than the longest `seal.json` takes, whose numbers are not known before the end.
const SEAL_RESERVE_BYTES: u64 = 1_024;
/// Metadata and the frame header must be looked at before the first byte is sealed.
const LENGTH_PREFIX_BYTES: u64 = 4;

/// What a volume begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeStart {
    /// Name of the export.
    pub name: String,
    /// Number of the volume, from 1.
    pub number: u64,
    /// RFC 3339.
    pub created: String,
    /// The program that writes.
    pub generator: String,
    /// Number of its first mail, from 1 in volume 1.
    pub first_mail: u64,
    /// The most bytes that the volume may have; 4,294,967,295 at most are used.
    pub limit_bytes: u64,
    /// Fresh random bytes each time a volume is begun, also when it is begun again.
    pub salt: [u8; 32],
}

/// What a volume ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Closing {
    /// SHA-256 of `seal.json` of the volume before; `None` in volume 1.
    pub previous_seal_sha256: Option<[u8; 32]>,
    /// Mails that the source could not deliver while this volume was written.
    pub skipped: u64,
    /// On the last volume: the sums over the whole export, this volume included.
    pub last: Option<Totals>,
}

/// A finished volume.
#[derive(Debug)]
pub struct Finished<W> {
    /// The writer, flushed.
    pub out: W,
    /// What was signed.
    pub seal: Seal,
    /// SHA-256 of `seal.json`, for the next volume.
    pub seal_sha256: [u8; 32],
    /// Length of the volume.
    pub size_bytes: u64,
}

/// Writes one volume; after an error that leaves it half-written it takes nothing more.
pub struct VolumeWriter<W> {
    out: W,
    signing_key: SigningKey,
    header: Header,
    cipher: Option<ChunkCipher>,
    first_mail: u64,
    limit_bytes: u64,
    /// Where the next entry begins.
    position: u64,
    header_bytes: Vec<u8>,
    catalogue: Catalogue,
    /// One chunk, sealed where it lies; kept, so that mails cost no allocation.
    chunk: Vec<u8>,
    raw_bytes: u64,
    half_written: bool,
}

impl<W> std::fmt::Debug for VolumeWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VolumeWriter({} of {})", self.header.volume, self.header.export_id)
    }
}

/// Whether a mail of this plaintext length fits into a volume that begins like this and holds nothing else.
pub fn fits_alone(keys: &ExportKeys, start: &VolumeStart, plaintext_len: u64) -> bool {
    VolumeWriter::new(io::Cursor::new(Vec::new()), keys, start).is_ok_and(|empty| empty.fits(plaintext_len))
}

impl<W: Write + Seek> VolumeWriter<W> {
    /// Begins a volume at the writer's start and writes its header; its catalogue grows in memory.
    ///
    /// Fails with [`WriteError::Invalid`] if a value breaks a rule or the limit is too small even for an empty volume.
    pub fn new(out: W, keys: &ExportKeys, start: &VolumeStart) -> Result<Self, WriteError> {
        Self::with_scratch(out, Box::new(io::Cursor::new(Vec::new())), keys, start)
    }

    /// As [`VolumeWriter::new`], with the catalogue in an empty `scratch` until the volume ends.
    pub fn with_scratch(
        mut out: W,
        scratch: Box<dyn Scratch>,
        keys: &ExportKeys,
        start: &VolumeStart,
    ) -> Result<Self, WriteError> {
        let header = header_of(keys, start);
        header.check().map_err(invalid)?;
        if start.first_mail == 0 || (start.number == 1 && start.first_mail != 1) {
            return Err(invalid("the first mail of volume 1 is mail 1"));
        }
        let header_bytes = serde_json::to_vec(&header).map_err(|error| WriteError::Invalid(error.to_string()))?;
        let header_len = header_bytes.len() as u64;
        let limit_bytes = start.limit_bytes.min(MAX_VOLUME_BYTES);
        if header_len > MAX_HEADER_BYTES {
            return Err(invalid("the header is larger than 64 KiB"));
        }
        if HEADER_START + header_len + closing_len(0) > limit_bytes {
            return Err(invalid("the volume size is too small for any mail"));
        }
        let checksum = crc32fast::hash(&header_bytes);
        out.write_all(&local_header(HEADER_NAME, header_len, checksum))?;
        out.write_all(&header_bytes)?;
        let header_sha256 = sha256(&header_bytes);
        let cipher =
            keys.content_key.as_ref().map(|key| ChunkCipher::new(&key.volume_key(&header_sha256), header_sha256));
        Ok(Self {
            out,
            signing_key: keys.signing_key.clone(),
            cipher: cipher.transpose().map_err(|_| invalid("the volume key cannot be used"))?,
            header,
            first_mail: start.first_mail,
            limit_bytes,
            position: HEADER_START + header_len,
            header_bytes,
            catalogue: Catalogue::new(scratch, start.first_mail),
            chunk: Vec::new(),
            raw_bytes: 0,
            half_written: false,
        })
    }

    /// What is written to. Who moves its position or writes to it spoils the volume.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Mails written so far.
    pub fn mails(&self) -> u64 {
        self.catalogue.mails()
    }

    /// The number that the next mail will get.
    pub fn next_mail(&self) -> u64 {
        self.first_mail.saturating_add(self.mails())
    }

    /// Bytes of the raw messages written so far.
    pub fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }

    /// Whether a mail of this plaintext length still fits, with all that finishing costs.
    ///
    /// The plaintext is 4 bytes, the encoded metadata and the frame (none for a reference).
    pub fn fits(&self, plaintext_len: u64) -> bool {
        let mails = self.mails() + 1;
        let entry = MAIL_LOCAL_BYTES.saturating_add(stored_len(plaintext_len, self.cipher.is_some()));
        mails <= MAX_MAILS_PER_VOLUME
            && self.next_mail() <= MAX_MAIL_NUMBER
            && self.position.saturating_add(entry).saturating_add(closing_len(mails)) <= self.limit_bytes
    }

    /// Appends one mail and returns its number; `frame` gives `frame_len` bytes, none for a reference.
    ///
    /// A mail of more than one chunk is sealed as its frame is read, so that must be at hand as a whole, in memory or
    /// spooled: if it fails half-way, so has the volume. Fails with [`WriteError::Full`] if it does not fit, [`WriteError::Invalid`]
    /// if metadata and frame break a rule; nothing is written in either case.
    pub fn append(&mut self, metadata: &Metadata, frame: &mut dyn Read, frame_len: u64) -> Result<u64, WriteError> {
        if self.half_written {
            return Err(WriteError::HalfWritten);
        }
        let number = self.next_mail();
        self.check_reference(metadata, frame_len)?;
        let encoded = metadata.encode().map_err(invalid)?;
        let plaintext_len = (LENGTH_PREFIX_BYTES + encoded.len() as u64).saturating_add(frame_len);
        if frame_len > MAX_VOLUME_BYTES || !self.fits(plaintext_len) {
            return Err(WriteError::Full);
        }
        let start = plaintext_start(metadata, &encoded, frame, frame_len)?;
        let entry_len = stored_len(plaintext_len, self.cipher.is_some());
        let rest = frame_len - (start.len() as u64 - LENGTH_PREFIX_BYTES - encoded.len() as u64);
        let mut plaintext = io::Cursor::new(start).chain(frame.take(rest));
        let sums = if plaintext_len <= CHUNK_BYTES {
            self.write_single(number, entry_len, plaintext_len, &mut plaintext)?
        } else {
            self.half_written = true;
            self.write_streamed(number, entry_len, plaintext_len, &mut plaintext)?
        };
        self.catalogue.push(entry_len, sums)?;
        self.raw_bytes = self.raw_bytes.saturating_add(metadata.size_bytes);
        self.half_written = false;
        Ok(number)
    }

    /// Writes catalogue, seal, signature and directory.
    ///
    /// Fails with [`WriteError::Invalid`] if the closing does not fit what was written.
    pub fn finish(mut self, closing: Closing) -> Result<Finished<W>, WriteError> {
        if self.half_written {
            return Err(WriteError::HalfWritten);
        }
        let (mut hash, mut checksum) = (Sha256::new(), crc32fast::Hasher::new());
        self.catalogue.each_piece(&mut |piece| {
            hash.update(piece);
            checksum.update(piece);
            Ok(())
        })?;
        let catalogue = Sums { sha256: hash.finish(), checksum: checksum.finalize() };
        let seal = self.seal(&closing, catalogue.sha256);
        seal.check().map_err(invalid)?;
        let seal_bytes = serde_json::to_vec(&seal).map_err(|error| WriteError::Invalid(error.to_string()))?;
        let signature: Signature = self.signing_key.sign(&seal_bytes);
        let signature = signature.normalize_s().to_der();
        let mut last_records = self.write_catalogue(catalogue.checksum)?;
        for (name, content) in [(SEAL_NAME, seal_bytes.as_slice()), (SIGNATURE_NAME, signature.as_bytes())] {
            let (len, checksum) = (content.len() as u64, crc32fast::hash(content));
            last_records.extend_from_slice(&directory_record(name, len, checksum, self.position));
            self.write(&local_header(name, len, checksum))?;
            self.write(content)?;
        }
        self.write_directory(&last_records)?;
        self.out.flush()?;
        Ok(Finished { out: self.out, seal, seal_sha256: sha256(&seal_bytes), size_bytes: self.position })
    }

    fn check_reference(&self, metadata: &Metadata, frame_len: u64) -> Result<(), WriteError> {
        match metadata.reference {
            Some(target) if target < self.first_mail || target >= self.next_mail() => {
                Err(invalid("the reference names no earlier mail of this volume"))
            }
            Some(_) if frame_len > 0 => Err(invalid("a reference has no frame")),
            None if frame_len == 0 => Err(invalid("a mail without reference needs a frame")),
            _ => Ok(()),
        }
    }

    /// Writes the entry `catalogue`; returns its directory record.
    fn write_catalogue(&mut self, checksum: u32) -> io::Result<Vec<u8>> {
        let (len, offset) = (self.catalogue.len(), self.position);
        self.write(&local_header(CATALOGUE_NAME, len, checksum))?;
        let out = &mut self.out;
        self.catalogue.each_piece(&mut |piece| out.write_all(piece))?;
        self.position += len;
        Ok(directory_record(CATALOGUE_NAME, len, checksum, offset))
    }

    /// A mail of one chunk: read to its end and sealed before anything is written.
    fn write_single(
        &mut self,
        number: u64,
        entry_len: u64,
        plaintext_len: u64,
        plaintext: &mut dyn Read,
    ) -> Result<Sums, WriteError> {
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.clear();
        plaintext.read_to_end(&mut chunk)?;
        if chunk.len() as u64 != plaintext_len {
            return Err(short_frame());
        }
        self.half_written = true;
        self.seal_chunk(ChunkAt { mail: number, chunk: 0, is_final: true }, &mut chunk)?;
        let sums = Sums { sha256: sha256(&chunk), checksum: crc32fast::hash(&chunk) };
        self.write(&local_header(&mail_name(number), entry_len, sums.checksum))?;
        self.write(&chunk)?;
        self.chunk = chunk;
        Ok(sums)
    }

    /// The checksum stands before the content, so the local header is written twice.
    fn write_streamed(
        &mut self,
        number: u64,
        entry_len: u64,
        plaintext_len: u64,
        plaintext: &mut dyn Read,
    ) -> Result<Sums, WriteError> {
        let start = self.position;
        self.write(&local_header(&mail_name(number), entry_len, 0))?;
        let (mut hash, mut checksum) = (Sha256::new(), crc32fast::Hasher::new());
        let mut chunk = std::mem::take(&mut self.chunk);
        let (mut left, mut index) = (plaintext_len, 0u32);
        while left > 0 {
            let len = left.min(CHUNK_BYTES);
            left -= len;
            chunk.resize(usize::try_from(len).unwrap_or_default(), 0);
            plaintext.read_exact(&mut chunk)?;
            self.seal_chunk(ChunkAt { mail: number, chunk: index, is_final: left == 0 }, &mut chunk)?;
            hash.update(&chunk);
            checksum.update(&chunk);
            self.out.write_all(&chunk)?;
            index += 1;
        }
        self.chunk = chunk;
        self.position += entry_len;
        let sums = Sums { sha256: hash.finish(), checksum: checksum.finalize() };
        // Counted from where the volume began: the writer need not begin at offset 0.
        self.seek_back(self.position - start)?;
        self.out.write_all(&local_header(&mail_name(number), entry_len, sums.checksum))?;
        self.out.seek(SeekFrom::Current(i64::try_from(entry_len).unwrap_or(i64::MAX)))?;
        Ok(sums)
    }

    fn seek_back(&mut self, bytes: u64) -> io::Result<u64> {
        self.out.seek(SeekFrom::Current(-i64::try_from(bytes).unwrap_or(i64::MAX)))
    }

    fn seal_chunk(&self, at: ChunkAt, chunk: &mut Vec<u8>) -> Result<(), WriteError> {
        let Some(cipher) = &self.cipher else { return Ok(()) };
        cipher.seal(at, chunk).map_err(|_| invalid("a chunk cannot be sealed"))
    }

    fn seal(&self, closing: &Closing, catalogue_sha256: [u8; 32]) -> Seal {
        Seal {
            export_id: self.header.export_id.clone(),
            volume: self.header.volume,
            header_sha256: sha256(&self.header_bytes),
            catalogue_sha256,
            first_mail: self.first_mail,
            mails: self.mails(),
            raw_bytes: self.raw_bytes,
            skipped: closing.skipped,
            previous_seal_sha256: closing.previous_seal_sha256,
            last: closing.last.is_some(),
            volumes: closing.last.map(|_| self.header.volume),
            total_mails: closing.last.map(|totals| totals.mails),
            total_raw_bytes: closing.last.map(|totals| totals.raw_bytes),
            total_skipped: closing.last.map(|totals| totals.skipped),
        }
    }

    fn write_directory(&mut self, last_records: &[u8]) -> io::Result<()> {
        let start = self.position;
        let header_len = self.header_bytes.len() as u64;
        self.write(&directory_record(HEADER_NAME, header_len, crc32fast::hash(&self.header_bytes), 0))?;
        let (mut offset, mut number, mut written) = (HEADER_START + header_len, self.first_mail, 0);
        let out = &mut self.out;
        self.catalogue.each(&mut |len, sums| {
            let record = directory_record(&mail_name(number), len, sums.checksum, offset);
            offset += MAIL_LOCAL_BYTES + len;
            number = number.saturating_add(1);
            written += record.len() as u64;
            out.write_all(&record)
        })?;
        self.position += written;
        self.write(last_records)?;
        let entries = FIXED_ENTRIES + self.mails();
        self.write(&end_records(entries, start, self.position - start))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

/// What a reader compares an entry with.
#[derive(Clone, Copy)]
pub(crate) struct Sums {
    pub(crate) sha256: [u8; 32],
    pub(crate) checksum: u32,
}

fn header_of(keys: &ExportKeys, start: &VolumeStart) -> Header {
    Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        export_id: keys.export_id.clone(),
        name: start.name.clone(),
        volume: start.number,
        created: start.created.clone(),
        generator: start.generator.clone(),
        certificate_sha256: *keys.certificate.sha256(),
        cipher: keys.cipher(),
        salt: start.salt,
        key_slots: keys.key_slots.clone(),
        key_check: keys.key_check(),
    }
}

/// Length, metadata and the first bytes of the frame, which must state the length of the mail.
fn plaintext_start(
    metadata: &Metadata,
    encoded: &[u8],
    frame: &mut dyn Read,
    frame_len: u64,
) -> Result<Vec<u8>, WriteError> {
    let length = u32::try_from(encoded.len()).map_err(|_| invalid("metadata larger than 1 MiB"))?;
    let mut start = [length.to_le_bytes().as_slice(), encoded].concat();
    if metadata.reference.is_some() {
        return Ok(start);
    }
    let mut head = Vec::new();
    frame.take(frame_len.min(18)).read_to_end(&mut head)?;
    match frame::read_head(&head) {
        Ok(Some(size)) if size == metadata.size_bytes && size <= MAX_RAW_BYTES => {}
        Ok(Some(_)) => return Err(invalid("the frame states another length than the metadata")),
        Ok(None) => return Err(short_frame()),
        Err(rule) => return Err(WriteError::Invalid(format!("the zstd frame is malformed: {rule}"))),
    }
    start.extend_from_slice(&head);
    Ok(start)
}

fn short_frame() -> WriteError {
    WriteError::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "the frame is shorter than stated"))
}

fn invalid(rule: &str) -> WriteError {
    WriteError::Invalid(rule.to_owned())
}

/// Bytes from the end of the last mail to the end of the file, at most.
fn closing_len(mails: u64) -> u64 {
    let named = |name: &str| LOCAL_BYTES + DIRECTORY_BYTES + 2 * name.len() as u64;
    let catalogue = named(CATALOGUE_NAME) + 16 + 40 * mails;
    let seal = named(SEAL_NAME) + SEAL_RESERVE_BYTES;
    let signature = named(SIGNATURE_NAME) + MAX_SIGNATURE_BYTES;
    let directory = DIRECTORY_BYTES + HEADER_NAME.len() as u64 + mails * (DIRECTORY_BYTES + MAIL_NAME_BYTES);
    catalogue + seal + signature + directory + end_records_len(mails + FIXED_ENTRIES)
}
