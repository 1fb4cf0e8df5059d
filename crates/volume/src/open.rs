//! Opening one mail: stored bytes against the catalogue, decrypt, decompress, check length and hash.

use crate::chunks::{ChunkAt, ChunkCipher, next_chunk};
use crate::cipher::{CipherError, Sha256, TAG_BYTES};
use crate::frame::{Decompressor, FrameError, FrameReader};
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

    /// Opens one mail, as [`Opener::open_entry`] does; whoever opens many keeps an [`Opener`].
    pub fn open_entry(
        &self,
        number: u64,
        stored: &mut dyn Read,
        frame: &mut dyn Write,
        raw: &mut dyn Write,
    ) -> Result<Metadata, OpenError> {
        Opener::new(self.clone()).map_err(OpenError::Io)?.open_entry(number, stored, frame, raw)
    }

    /// The metadata alone: the stored hash is checked, the mail is neither decompressed nor compared with its hash.
    pub fn open_metadata(&self, number: u64, stored: &mut dyn Read) -> Result<Metadata, OpenError> {
        self.open(number, stored, &mut Held::default(), None)
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
        held: &mut Held,
        outputs: Option<&mut Outputs<'_>>,
    ) -> Result<Metadata, OpenError> {
        let entry = self.verified.entry(number).ok_or(OpenError::NoSuchMail(number))?;
        let available = self.verified.stored(number).map_or(0, |stored| stored.len);
        if available < entry.len {
            return Err(OpenError::Damaged { number, reason: Damage::Stored });
        }
        let pass = Pass::new(self, number, entry.len <= BUFFERED_ENTRY_BYTES, outputs);
        let opened = if pass.trusted { pass.open_held(entry, stored, held) } else { pass.open_passing(entry, stored) };
        let checked = opened.and_then(|metadata| {
            self.check_target(number, &metadata).map_err(FrameError::Damage)?;
            Ok(metadata)
        });
        checked.map_err(|failure| match failure {
            FrameError::Damage(reason) => OpenError::Damaged { number, reason },
            FrameError::Io(error) => OpenError::Io(error),
        })
    }
}

/// A volume with what opening its mails takes: for whoever opens many, one after the other.
pub struct Opener {
    volume: Volume,
    held: Held,
    decompressor: Decompressor,
}

impl Opener {
    /// Fails only if there is no memory.
    pub fn new(volume: Volume) -> io::Result<Self> {
        Ok(Self { volume, held: Held::default(), decompressor: Decompressor::new()? })
    }

    /// The volume whose mails it opens.
    pub fn volume(&self) -> &Volume {
        &self.volume
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
        &mut self,
        number: u64,
        stored: &mut dyn Read,
        frame: &mut dyn Write,
        raw: &mut dyn Write,
    ) -> Result<Metadata, OpenError> {
        let Self { volume, held, decompressor } = self;
        volume.open(number, stored, held, Some(&mut Outputs { frame, raw, decompressor }))
    }
}

/// The stored bytes of the entry in hand, chunk by chunk. Buffers are kept for the next entry: as many as the longest one
/// so far had chunks, each on its own, because an allocator keeps more of what it got back in one large piece.
#[derive(Default)]
struct Held(Vec<Vec<u8>>);

impl Held {
    /// Reads an entry; its chunks, once their hash was right.
    fn read(&mut self, entry: Entry, encrypted: bool, stored: &mut dyn Read) -> Result<&mut [Vec<u8>], FrameError> {
        let mut hash = Sha256::new();
        let (mut left, mut chunks) = (entry.len, 0);
        loop {
            let (chunk_len, is_final) = next_chunk(left, encrypted);
            if self.0.len() == chunks {
                self.0.push(Vec::new());
            }
            if let Some(buffer) = self.0.get_mut(chunks) {
                buffer.resize(usize::try_from(chunk_len).unwrap_or_default(), 0);
                stored.read_exact(buffer)?;
                hash.update(buffer);
            }
            (left, chunks) = (left - chunk_len, chunks + 1);
            if is_final {
                break;
            }
        }
        if hash.finish() != entry.sha256 {
            return Err(FrameError::Damage(Damage::Stored));
        }
        Ok(self.0.get_mut(..chunks).unwrap_or_default())
    }
}

/// Where an opened mail goes.
struct Outputs<'a> {
    frame: &'a mut dyn Write,
    raw: &'a mut dyn Write,
    decompressor: &'a mut Decompressor,
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

    /// Holds the entry, and believes it before anything else is done with it; its chunks are opened where they lie.
    fn open_held(mut self, entry: Entry, stored: &mut dyn Read, held: &mut Held) -> Result<Metadata, FrameError> {
        let chunks = held.read(entry, self.volume.cipher.is_some(), stored)?;
        let last = chunks.len().saturating_sub(1);
        for (index, (chunk, buffer)) in (0..).zip(chunks).enumerate() {
            self.take_chunk(chunk, index == last, buffer)?;
        }
        self.finish()
    }

    /// Takes chunk after chunk as they come in; all of it is believed only at the end.
    fn open_passing(mut self, entry: Entry, stored: &mut dyn Read) -> Result<Metadata, FrameError> {
        let mut stored = Hashed { from: stored, hash: Sha256::new() };
        let mut buffer = Vec::new();
        let (mut left, mut chunk) = (entry.len, 0);
        loop {
            let (chunk_len, is_final) = next_chunk(left, self.volume.cipher.is_some());
            buffer.resize(usize::try_from(chunk_len).unwrap_or_default(), 0);
            stored.read_exact(&mut buffer)?;
            left -= chunk_len;
            self.take_chunk(chunk, is_final, &mut buffer)?;
            if is_final {
                break;
            }
            chunk += 1;
        }
        if stored.hash.finish() != entry.sha256 {
            return Err(FrameError::Damage(Damage::Stored));
        }
        self.finish()
    }

    /// Decrypts and takes one chunk; without outputs nothing is done behind the metadata.
    fn take_chunk(&mut self, chunk: u32, is_final: bool, buffer: &mut [u8]) -> Result<(), FrameError> {
        if self.outputs.is_none() && self.has_metadata() {
            return Ok(());
        }
        let at = ChunkAt { mail: self.number, chunk, is_final };
        let volume = self.volume;
        let plain = volume.decrypt(at, buffer).map_err(FrameError::Damage)?;
        self.take(plain)
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
            None => FrameReader::begin(outputs.decompressor)?,
        };
        let expected = self.metadata.as_ref().map(|metadata| metadata.size_bytes);
        let reader = self.frame.insert(reader);
        reader.push(outputs.decompressor, rest, expected, outputs.frame, outputs.raw)
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
