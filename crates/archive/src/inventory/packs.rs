//! Packs read from front to back: the hash of the whole, each frame, each mail.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
};

use sha2::{Digest, Sha256};

use super::{
    Inventory,
    facts::{Copy, Fact, Header},
};
use crate::{
    Archive, Error, ErrorKind, MailHash, PackId, Result,
    blocking::BlockReader,
    hash::to_hex,
    import::{Texts, summarize},
    ports::ObjectKey,
    store::{
        FOOTER_BYTES, INDEX_ENTRY_BYTES, MAGIC, PACKS, PackRecord, RECORD_BYTES, RecordHeader, Trailer, pack_key,
        parse_index,
    },
};

/// A pack as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundPack {
    pub(crate) size_bytes: u64,
    pub(crate) mails: u64,
    /// Hex, as the footer has it; none if there is no footer.
    pub(crate) sha256: Option<String>,
    /// When it was written, Unix seconds.
    pub(crate) modified: i64,
    /// Whether every byte of it is right.
    pub(crate) is_sound: bool,
}

impl Archive {
    /// Reads every pack, and notes what each holds.
    pub(super) async fn read_all_packs(&self, inventory: &mut Inventory) -> Result<()> {
        for key in self.keys_below(PACKS).await? {
            let Some(id) = pack_of(&key) else {
                continue;
            };
            let (found, scan) = scan_pack(self, &id).await?;
            inventory.faults.extend(scan.faults.iter().map(|fault| format!("pack {id}: {fault}")));
            for (record, header) in scan.mails {
                let RecordHeader { hash, size_bytes, stored_bytes } = record.header;
                let copy = Copy { hash, pack: id.clone(), offset: record.offset, stored_bytes, size_bytes, header };
                inventory.facts.add(&Fact::Copy(copy))?;
            }
            inventory.packs.insert(id, found);
        }
        Ok(())
    }
}

/// The pack that lies under this key; none if no pack would.
fn pack_of(key: &ObjectKey) -> Option<PackId> {
    let name = key.as_str().rsplit('/').next()?.strip_suffix(".pack")?;
    let id = PackId(name.to_owned());
    let is_hex = id.0.len() == 32 && id.0.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    (is_hex && pack_key(&id).ok().as_ref() == Some(key)).then_some(id)
}

/// What a pack was found to hold, and what is wrong with it.
pub(crate) struct Scan {
    /// Without a header where the bytes are damaged.
    pub(super) mails: Vec<(PackRecord, Option<Header>)>,
    pub(crate) faults: Vec<String>,
    trailer: Option<Trailer>,
}

/// Reads one pack. Where its front is damaged, what its index names is read by itself.
pub(crate) async fn scan_pack(archive: &Archive, id: &PackId) -> Result<(FoundPack, Scan)> {
    let key = pack_key(id)?;
    let meta = archive.objects.head(&key).await?.ok_or_else(|| Error::corrupt(format!("{key} is missing")))?;
    let mut scan = match archive.objects.stream(&key, 0..meta.size_bytes, Some(&meta.etag)).await {
        Err(e) if e.kind() == ErrorKind::Corrupt => {
            Scan { mails: Vec::new(), faults: vec![e.to_string()], trailer: None }
        }
        stream => {
            let reader = BlockReader::new(stream?);
            in_background(move || scan(reader, meta.size_bytes)).await??
        }
    };
    if !scan.faults.is_empty() {
        let (trailer, index) = index_of(archive, &key, meta.size_bytes).await?;
        scan.trailer = scan.trailer.or(trailer);
        let mails = scan.mails.drain(..).map(|mail| ((mail.0.offset, mail.0.header.hash), mail));
        let mut mails: BTreeMap<(u64, MailHash), (PackRecord, Option<Header>)> = mails.collect();
        for record in index {
            let at = (record.offset, record.header.hash);
            // What the front proves is whole, whatever the index says of its length.
            if mails.get(&at).is_some_and(|(_, header)| header.is_some()) {
                continue;
            }
            let header = read_alone(archive, &key, record).await?;
            if header.is_none() {
                scan.faults.push(format!("mail {}: its bytes have changed", record.header.hash));
            }
            mails.insert(at, (record, header));
        }
        scan.mails = mails.into_values().collect();
        let mut said = BTreeSet::new();
        scan.faults.retain(|fault| said.insert(fault.clone()));
    }
    let found = FoundPack {
        size_bytes: meta.size_bytes,
        mails: scan.trailer.map_or(0, |trailer| trailer.count),
        sha256: scan.trailer.map(|trailer| to_hex(&trailer.sha256)),
        modified: meta.modified,
        is_sound: scan.faults.is_empty(),
    };
    Ok((found, scan))
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::internal("a task ended early").caused_by(e))
}

/// Footer and index by the footer alone; nothing where it does not fit the pack.
async fn index_of(archive: &Archive, key: &ObjectKey, size_bytes: u64) -> Result<(Option<Trailer>, Vec<PackRecord>)> {
    let Some(footer_at) = size_bytes.checked_sub(FOOTER_BYTES) else { return Ok((None, Vec::new())) };
    let Some(footer) = readable(archive.objects.get(key, footer_at..size_bytes, None).await)? else {
        return Ok((None, Vec::new()));
    };
    let place = |count: u64| footer_at.checked_sub(count.checked_mul(INDEX_ENTRY_BYTES)?);
    let trailer = Trailer::parse(&footer);
    let Some(index_at) = trailer.and_then(|trailer| place(trailer.count)) else {
        return Ok((None, Vec::new()));
    };
    let Some(index) = readable(archive.objects.get(key, index_at..footer_at, None).await)? else {
        return Ok((trailer, Vec::new()));
    };
    let mut records = parse_index(&index).unwrap_or_default();
    let fits = |record: &PackRecord| {
        let end = record.offset.checked_add(record.header.stored_bytes);
        record.offset >= MAGIC.len() as u64 + RECORD_BYTES && end.is_some_and(|end| end <= index_at)
    };
    records.retain(fits);
    Ok((trailer, records))
}

/// None where the object itself is damaged. A store that cannot be reached says nothing about its objects.
fn readable<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(e) if e.kind() == ErrorKind::Corrupt => Ok(None),
        Err(e) => Err(e),
    }
}

/// One mail by its index entry; none if its bytes are damaged.
async fn read_alone(archive: &Archive, key: &ObjectKey, record: PackRecord) -> Result<Option<Header>> {
    let PackRecord { header, offset } = record;
    let range = offset..offset.saturating_add(header.stored_bytes);
    let Some(stream) = readable(archive.objects.stream(key, range, None).await)? else { return Ok(None) };
    let mut reader = BlockReader::new(stream);
    in_background(move || {
        let checked = check_frame(header, reader.by_ref().take(header.stored_bytes));
        readable(reader.intact()).map(|intact| intact.and(checked.ok()))
    })
    .await?
}

/// The records of a pack, each verified.
fn scan(mut reader: BlockReader, size_bytes: u64) -> Result<Scan> {
    let mut scan = Scan { mails: Vec::new(), faults: Vec::new(), trailer: None };
    if let Err(fault) = scan.read(&mut reader, size_bytes) {
        scan.faults.push(fault);
    }
    readable(reader.intact())?;
    Ok(scan)
}

impl Scan {
    pub(crate) fn hashes(&self) -> impl Iterator<Item = MailHash> {
        self.mails.iter().map(|(record, _)| record.header.hash)
    }

    fn read(&mut self, reader: &mut BlockReader, size_bytes: u64) -> Result<(), String> {
        let cut = |e: io::Error| format!("it cannot be read: {e}");
        let mut hashing = Hashing { reader: &mut *reader, hasher: Sha256::new() };
        let mut magic = [0; MAGIC.len()];
        hashing.read_exact(&mut magic).map_err(cut)?;
        if magic != *MAGIC {
            return Err("it does not begin like a pack".into());
        }
        let mut at = MAGIC.len() as u64;
        // The index has an entry for each record so far, then comes the footer.
        while at + self.mails.len() as u64 * INDEX_ENTRY_BYTES + FOOTER_BYTES < size_bytes {
            at = self.read_record(&mut hashing, at, size_bytes)?;
        }
        let mut index = Vec::new();
        let index_bytes = self.mails.len() as u64 * INDEX_ENTRY_BYTES;
        hashing.by_ref().take(index_bytes).read_to_end(&mut index).map_err(cut)?;
        let mut count = [0; 8];
        hashing.read_exact(&mut count).map_err(cut)?;
        let whole: [u8; 32] = hashing.hasher.finalize().into();
        let mut rest = count.to_vec();
        reader.read_to_end(&mut rest).map_err(cut)?;
        if !parse_index(&index).is_ok_and(|index| index.iter().eq(self.mails.iter().map(|(record, _)| record))) {
            self.faults.push("its index does not agree with its records".into());
        }
        self.trailer = Trailer::parse(&rest);
        let is_right = |footer: Trailer| footer.sha256 == whole && footer.count == self.mails.len() as u64;
        if rest.len() as u64 != FOOTER_BYTES || !self.trailer.is_some_and(is_right) {
            self.faults.push("its hash is not the one in its footer".into());
        }
        Ok(())
    }

    /// Reads one record whatever its bytes are; answers where the next one begins.
    fn read_record(&mut self, stored: &mut impl Read, at: u64, size_bytes: u64) -> Result<u64, String> {
        let mut header = [0; RecordHeader::BYTES];
        stored.read_exact(&mut header).map_err(|e| format!("it is cut off at byte {at}: {e}"))?;
        let header = RecordHeader::parse(&header).ok_or_else(|| format!("no record at byte {at}"))?;
        let offset = at + RECORD_BYTES;
        if header.stored_bytes > size_bytes.saturating_sub(offset) {
            return Err(format!("the record at byte {at} reaches beyond the end"));
        }
        let mut frame = stored.by_ref().take(header.stored_bytes);
        let checked = check_frame(header, &mut frame);
        // Whatever is wrong with the frame, the next record begins behind it.
        io::copy(&mut frame, &mut io::sink()).map_err(|e| format!("it is cut off at byte {at}: {e}"))?;
        if let Err(what) = &checked {
            self.faults.push(format!("mail {}: {what}", header.hash));
        }
        self.mails.push((PackRecord { header, offset }, checked.ok()));
        Ok(offset + header.stored_bytes)
    }
}

/// Decompresses one frame and compares length and hash; reads it to its end in any case.
fn check_frame(header: RecordHeader, mut frame: impl Read) -> Result<Header, &'static str> {
    let decoder = zstd::stream::read::Decoder::new(&mut frame).map_err(|_| "its frame cannot be read")?.single_frame();
    let mut raw = Hashing { reader: decoder.take(header.size_bytes.saturating_add(1)), hasher: Sha256::new() };
    let mut start = Vec::new();
    let limit = mail::HEADER_LIMIT_BYTES as u64;
    let read = raw.by_ref().take(limit).read_to_end(&mut start).map_err(|_| "its frame cannot be read")?;
    let rest = io::copy(&mut raw, &mut io::sink()).map_err(|_| "its frame cannot be read")?;
    let hasher = raw.hasher;
    io::copy(&mut frame, &mut io::sink()).map_err(|_| "its frame is cut off")?;
    if read as u64 + rest != header.size_bytes || MailHash(hasher.finalize().into()) != header.hash {
        return Err("its bytes have changed");
    }
    let summary = summarize(&start, header.size_bytes);
    Ok(Header { defects: summary.defects.to_bits(), texts: Texts::of(&summary) })
}

/// Hashes what is read.
struct Hashing<R> {
    reader: R,
    hasher: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}
