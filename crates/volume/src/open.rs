//! Opening one mail: stored bytes against the catalogue, decrypt, decompress, check length and hash.

use crate::chunks::{ChunkAt, ChunkCipher, next_chunk};
use crate::cipher::{CipherError, Sha256, TAG_BYTES, sha256};
use crate::frame::{FrameError, FrameReader};
use crate::limits::{BUFFERED_ENTRY_BYTES, MAX_METADATA_BYTES};
use crate::verified::Entry;
use crate::{ContentKey, Damage, Error, Metadata, OpenError, Verified};
use std::io::{self, Read, Write};
use std::sync::Arc;

/// An opened volume: gives out mails; cheap to clone, and shared by as many threads as one likes.
#[derive(Clone)]
pub struct Volume {
    verified: Verified,
    content_key: Option<ContentKey>,
    cipher: Option<Arc<ChunkCipher>>,
}

impl std::fmt::Debug for Volume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Volume({} of {})", self.verified.header().volume, self.verified.header().export_id)
    }
}

impl Volume {
    pub(crate) fn new(verified: Verified, content_key: Option<ContentKey>) -> Result<Self, Error> {
        let header_sha256 = *verified.header_sha256();
        let cipher = content_key.as_ref().map(|key| ChunkCipher::new(&key.volume_key(&header_sha256), header_sha256));
        let cipher = cipher.transpose().map_err(|CipherError| Error::WrongRecipientKey)?;
        Ok(Self { verified, content_key, cipher: cipher.map(Arc::new) })
    }

    /// What was verified before it was opened.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// The key of the export, for the caller to keep wrapped between steps; `None` with cipher "none".
    pub fn content_key(&self) -> Option<&ContentKey> {
        self.content_key.as_ref()
    }

    /// Opens one mail.
    ///
    /// `stored` gives the bytes of [`Verified::stored`]; `frame` receives the zstd frame, `raw` the raw message. What
    /// was written counts only if this returns `Ok`. A mail with a [`Metadata::reference`] writes nothing: the caller
    /// opens the mail that it names and asks [`Volume::check_reference`].
    ///
    /// Memory is bounded: up to 16 MiB stored, the entry is held and its hash checked before anything else; a larger
    /// one passes through once. Fails with [`OpenError::Damaged`] for this mail alone, or [`OpenError::Io`] if `stored`
    /// ends before its length or a writer fails, which says nothing about the mail.
    pub fn open_entry(
        &self,
        number: u64,
        stored: &mut dyn Read,
        frame: &mut dyn Write,
        raw: &mut dyn Write,
    ) -> Result<Metadata, OpenError> {
        self.open(number, stored, Some(&mut Outputs { frame, raw }))
    }

    /// The metadata alone: the stored hash is checked, the mail is neither decompressed nor compared with its hash.
    pub fn open_metadata(&self, number: u64, stored: &mut dyn Read) -> Result<Metadata, OpenError> {
        self.open(number, stored, None)
    }

    /// Whether the mail `target` can stand for a mail with this metadata: earlier number, same volume, same hash and
    /// length, no reference itself. Only a target that has been opened with `Ok` may be asked about.
    pub fn check_reference(&self, number: u64, metadata: &Metadata, target: &Metadata) -> Result<(), Damage> {
        self.check_target(number, metadata)?;
        if target.reference.is_some() {
            return Err(Damage::Reference("that one refers to another"));
        }
        if (metadata.sha256, metadata.size_bytes) != (target.sha256, target.size_bytes) {
            return Err(Damage::Reference("that one has another hash or length"));
        }
        Ok(())
    }

    fn check_target(&self, number: u64, metadata: &Metadata) -> Result<(), Damage> {
        match metadata.reference {
            Some(target) if target >= number || target < self.verified.first_mail() => {
                Err(Damage::Reference("it is no earlier mail of this volume"))
            }
            _ => Ok(()),
        }
    }

    fn open(
        &self,
        number: u64,
        stored: &mut dyn Read,
        outputs: Option<&mut Outputs<'_>>,
    ) -> Result<Metadata, OpenError> {
        let entry = self.verified.entry(number).ok_or(OpenError::NoSuchMail(number))?;
        let available = self.verified.stored(number).map_or(0, |stored| stored.len);
        self.open_stored(number, entry, available, stored, outputs).map_err(|failure| match failure {
            FrameError::Damage(reason) => OpenError::Damaged { number, reason },
            FrameError::Io(error) => OpenError::Io(error),
        })
    }

    fn open_stored(
        &self,
        number: u64,
        entry: Entry,
        available: u64,
        stored: &mut dyn Read,
        outputs: Option<&mut Outputs<'_>>,
    ) -> Result<Metadata, FrameError> {
        if available < entry.len {
            return Err(FrameError::Damage(Damage::Stored));
        }
        let metadata = if entry.len <= BUFFERED_ENTRY_BYTES {
            let mut buffer = vec![0; usize::try_from(entry.len).unwrap_or_default()];
            stored.read_exact(&mut buffer)?;
            if sha256(&buffer) != entry.sha256 {
                return Err(FrameError::Damage(Damage::Stored));
            }
            Pass::new(self, number, true, outputs).run(entry.len, &mut buffer.as_slice())?.finish()?
        } else {
            let mut hashed = Hashed { from: stored, hash: Sha256::new() };
            let pass = Pass::new(self, number, false, outputs).run(entry.len, &mut hashed)?;
            if hashed.hash.finish() != entry.sha256 {
                return Err(FrameError::Damage(Damage::Stored));
            }
            pass.finish()?
        };
        self.check_target(number, &metadata).map_err(FrameError::Damage)?;
        Ok(metadata)
    }
}

/// Where an opened mail goes.
struct Outputs<'a> {
    frame: &'a mut dyn Write,
    raw: &'a mut dyn Write,
}

/// Hashes what is read through it.
struct Hashed<'a> {
    from: &'a mut dyn Read,
    hash: Sha256,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// One pass over one entry.
struct Pass<'a, 'o> {
    volume: &'a Volume,
    number: u64,
    /// The stored hash has been checked, so the metadata may be parsed as soon as they are there.
    trusted: bool,
    outputs: Option<&'a mut Outputs<'o>>,
    /// Length prefix and metadata.
    prefix: Vec<u8>,
    metadata_len: Option<usize>,
    metadata: Option<Metadata>,
    frame: Option<FrameReader>,
}

impl<'a, 'o> Pass<'a, 'o> {
    fn new(volume: &'a Volume, number: u64, trusted: bool, outputs: Option<&'a mut Outputs<'o>>) -> Self {
        let prefix = Vec::new();
        Self { volume, number, trusted, outputs, prefix, metadata_len: None, metadata: None, frame: None }
    }

    /// Reads, decrypts and takes all chunks; without outputs only as far as the metadata, the rest is but read.
    fn run(mut self, len: u64, stored: &mut dyn Read) -> Result<Self, FrameError> {
        let encrypted = self.volume.cipher.is_some();
        let mut buffer = Vec::new();
        let (mut left, mut chunk) = (len, 0u32);
        loop {
            let (chunk_len, is_final) = next_chunk(left, encrypted);
            buffer.resize(usize::try_from(chunk_len).unwrap_or_default(), 0);
            stored.read_exact(&mut buffer)?;
            left -= chunk_len;
            if self.outputs.is_some() || !self.has_metadata() {
                let volume = self.volume;
                let at = ChunkAt { mail: self.number, chunk, is_final };
                let plain = volume.decrypt(at, &mut buffer).map_err(FrameError::Damage)?;
                self.take(plain)?;
            }
            if is_final {
                return Ok(self);
            }
            chunk += 1;
        }
    }

    fn has_metadata(&self) -> bool {
        self.metadata_len.is_some_and(|len| self.prefix.len() == 4 + len)
    }

    fn take(&mut self, plain: &[u8]) -> Result<(), FrameError> {
        let rest = self.take_prefix(plain).map_err(FrameError::Damage)?;
        if rest.is_empty() {
            return Ok(());
        }
        let Some(outputs) = self.outputs.as_deref_mut() else { return Ok(()) };
        if self.metadata.as_ref().is_some_and(|metadata| metadata.reference.is_some()) {
            return Err(FrameError::Damage(Damage::Frame("bytes after a reference")));
        }
        let reader = match self.frame.take() {
            Some(reader) => reader,
            None => FrameReader::new()?,
        };
        let expected = self.metadata.as_ref().map(|metadata| metadata.size_bytes);
        self.frame.insert(reader).push(rest, expected, outputs.frame, outputs.raw)
    }

    /// Takes length and metadata from the front, returns what is left.
    fn take_prefix<'b>(&mut self, mut plain: &'b [u8]) -> Result<&'b [u8], Damage> {
        if self.metadata_len.is_none() {
            plain = self.fill_prefix(4, plain);
            let Ok(length) = <[u8; 4]>::try_from(self.prefix.as_slice()) else { return Ok(plain) };
            let length = u32::from_le_bytes(length);
            if u64::from(length) > MAX_METADATA_BYTES {
                return Err(Damage::Metadata("larger than 1 MiB".to_owned()));
            }
            self.metadata_len = usize::try_from(length).ok();
        }
        if self.has_metadata() {
            return Ok(plain);
        }
        plain = self.fill_prefix(4 + self.metadata_len.unwrap_or_default(), plain);
        if self.trusted && self.has_metadata() {
            self.metadata = Some(self.parse_metadata()?);
        }
        Ok(plain)
    }

    fn fill_prefix<'b>(&mut self, until: usize, plain: &'b [u8]) -> &'b [u8] {
        let missing = until.saturating_sub(self.prefix.len());
        let (taken, rest) = plain.split_at_checked(missing).unwrap_or((plain, &[]));
        self.prefix.extend_from_slice(taken);
        rest
    }

    fn parse_metadata(&self) -> Result<Metadata, Damage> {
        Metadata::decode(self.prefix.get(4..).unwrap_or_default())
    }

    /// All bytes are in and believed: the metadata must say of the mail what was found.
    fn finish(mut self) -> Result<Metadata, FrameError> {
        if !self.has_metadata() {
            return Err(FrameError::Damage(Damage::Metadata("ends early".to_owned())));
        }
        let metadata = match self.metadata.take() {
            Some(metadata) => metadata,
            None => self.parse_metadata().map_err(FrameError::Damage)?,
        };
        if self.outputs.is_some() {
            check_content(&metadata, self.frame).map_err(FrameError::Damage)?;
        }
        Ok(metadata)
    }
}

fn check_content(metadata: &Metadata, frame: Option<FrameReader>) -> Result<(), Damage> {
    let (length, hash) = match (metadata.reference, frame) {
        (Some(_), None) => return Ok(()),
        (Some(_), Some(_)) => return Err(Damage::Frame("bytes after a reference")),
        (None, None) => return Err(Damage::Frame("it is missing")),
        (None, Some(frame)) => frame.finish()?,
    };
    if length != metadata.size_bytes {
        return Err(Damage::Length);
    }
    if hash == metadata.sha256 { Ok(()) } else { Err(Damage::Hash) }
}

impl Volume {
    fn decrypt<'b>(&self, at: ChunkAt, buffer: &'b mut [u8]) -> Result<&'b [u8], Damage> {
        match &self.cipher {
            None => Ok(buffer),
            // A final chunk has at least one byte; an empty one would open just as well.
            Some(_) if buffer.len() as u64 <= TAG_BYTES => Err(Damage::Decryption(u64::from(at.chunk))),
            Some(cipher) => cipher.open(at, buffer).map_err(|CipherError| Damage::Decryption(u64::from(at.chunk))),
        }
    }
}
