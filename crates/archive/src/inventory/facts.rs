//! What is said of each mail, in scratch files: all that is said of one mail is in one part.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Seek, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    Error, ImportId, MailHash, PackId, Result,
    import::{Placed, Texts},
};

/// A part holds about so many entries: some 50 MB of memory while it is looked at.
const PART_ENTRIES: u64 = 50_000;
const MOST_PARTS: u64 = 256;

/// One thing that an object says of a mail.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Fact {
    Claim(Claim),
    Copy(Copy),
}

/// A slice says that an entry is this mail.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) import: ImportId,
    pub(super) entry: u64,
    /// Whether it has brought the mail.
    pub(super) imported: bool,
    /// The lists that it lies in because of this entry.
    pub(super) lists: Vec<u32>,
    pub(super) placed: Placed,
}

/// A pack holds the mail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Copy {
    pub(super) hash: MailHash,
    pub(super) pack: PackId,
    pub(super) offset: u64,
    pub(super) stored_bytes: u64,
    pub(super) size_bytes: u64,
    /// None if its bytes are damaged.
    pub(super) header: Option<Header>,
}

/// What a row keeps of a mail's header.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) defects: u64,
    pub(super) texts: Texts,
}

impl Fact {
    fn hash(&self) -> MailHash {
        match self {
            Self::Claim(claim) => claim.placed.hash,
            Self::Copy(copy) => copy.hash,
        }
    }
}

/// The scratch files.
pub(crate) struct Facts {
    parts: Vec<BufWriter<File>>,
}

fn failed(error: io::Error) -> Error {
    Error::unavailable("a scratch file fails").caused_by(error)
}

impl Facts {
    pub(super) fn create(scratch: &Path, entries: u64) -> Result<Self> {
        Self::of_parts(scratch, usize::try_from((entries / PART_ENTRIES + 1).min(MOST_PARTS)).unwrap_or(1))
    }

    pub(super) fn of_parts(scratch: &Path, parts: usize) -> Result<Self> {
        let part = |_| tempfile::tempfile_in(scratch).map(BufWriter::new).map_err(failed);
        Ok(Self { parts: (0..parts).map(part).collect::<Result<_>>()? })
    }

    /// The part that has all that is said of this mail.
    pub(crate) fn part_of(&self, hash: &MailHash) -> usize {
        // The hash is as good as random.
        let [first, ..] = hash.0;
        usize::from(first) % self.parts.len().max(1)
    }

    pub(super) fn add(&mut self, fact: &Fact) -> Result<()> {
        let part = self.part_of(&fact.hash());
        let Some(part) = self.parts.get_mut(part) else { return Ok(()) };
        serde_json::to_writer(&mut *part, fact).map_err(|e| failed(e.into()))?;
        part.write_all(b"\n").map_err(failed)
    }

    pub(super) fn rewind(&mut self) -> Result<()> {
        self.parts.iter_mut().try_for_each(Seek::rewind).map_err(failed)
    }

    pub(crate) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// All facts of one part.
    pub(super) fn read(&mut self, part: usize) -> Result<Vec<Fact>> {
        let Some(part) = self.parts.get_mut(part) else { return Ok(Vec::new()) };
        part.rewind().map_err(failed)?;
        let lines = BufReader::new(part.get_ref()).lines();
        let fact = |line: io::Result<String>| line.and_then(|line| Ok(serde_json::from_str(&line)?)).map_err(failed);
        lines.map(fact).collect()
    }
}
