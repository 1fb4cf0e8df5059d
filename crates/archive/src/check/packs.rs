//! Packs against their rows, and every byte of them.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::{Findings, PackUse};
use crate::{
    Archive, Error, MailHash, PackId, Result,
    blocking::BlockReader,
    hash::to_hex,
    import::{Texts, summarize},
    ports::MAX_ROWS_PER_CALL,
    store::{
        FOOTER_BYTES, MAGIC, Pack, PackRecord, PackState, RECORD_BYTES, RecordHeader, Trailer, pack_key, parse_index,
    },
};

const PAGE: usize = 1000;

impl Archive {
    /// Every kept pack is there in its full size, with the footer that its row knows.
    pub(super) async fn check_packs(&self, findings: &mut Findings) -> Result<()> {
        for pack in self.all::<Pack>(None).await? {
            self.check_kept(&pack, findings).await?;
        }
        Ok(())
    }

    pub(super) async fn check_pack(&self, id: &PackId, findings: &mut Findings) -> Result<()> {
        match self.find::<Pack>(&id.0).await? {
            Some(pack) => self.check_kept(&pack.value, findings).await,
            None => Ok(()),
        }
    }

    async fn check_kept(&self, pack: &Pack, findings: &mut Findings) -> Result<()> {
        if pack.state == PackState::Kept {
            let key = pack_key(&pack.id)?;
            findings.report.packs += 1;
            findings.expected.insert(key.to_string());
            let overhead_bytes = MAGIC.len() as u64 + FOOTER_BYTES + pack.mails * (RECORD_BYTES + 56);
            let usage = PackUse { size: pack.size_bytes, overhead: overhead_bytes, used: 0 };
            findings.packs.insert(pack.id.clone(), usage);
            match self.objects.head(&key).await? {
                None => findings.error(format!("pack {}: the object is missing", pack.id)),
                Some(meta) if meta.size_bytes != pack.size_bytes => {
                    findings.error(format!("pack {}: {} bytes, not {}", pack.id, meta.size_bytes, pack.size_bytes));
                }
                Some(_) => self.check_footer(pack, findings).await?,
            }
        }
        Ok(())
    }

    async fn check_footer(&self, pack: &Pack, findings: &mut Findings) -> Result<()> {
        let start = pack.size_bytes.saturating_sub(FOOTER_BYTES);
        let footer = self.objects.get(&pack_key(&pack.id)?, start..pack.size_bytes, None).await?;
        let agrees = Trailer::parse(&footer)
            .is_some_and(|footer| Some(to_hex(&footer.sha256)) == pack.sha256 && footer.count == pack.mails);
        if !agrees {
            findings.error(format!("pack {}: its footer is not the one that was written", pack.id));
        }
        Ok(())
    }

    /// Reads every kept pack from front to back: hash of the whole, each frame, each mail.
    pub(super) async fn read_packs(&self, findings: &mut Findings) -> Result<()> {
        let packs: Vec<_> = findings.packs.iter().map(|(id, usage)| (id.clone(), usage.size)).collect();
        for (id, size_bytes) in packs {
            // Missing or short: said already.
            let Ok(stream) = self.objects.stream(&pack_key(&id)?, 0..size_bytes, None).await else { continue };
            let reader = BlockReader::new(stream);
            let scan = tokio::task::spawn_blocking(move || scan(reader, size_bytes));
            let scan = scan.await.map_err(|e| Error::internal("a task ended early").caused_by(e))?;
            match scan {
                Err(error) => findings.error(format!("pack {id}: {error}")),
                Ok(records) => self.check_rows(&id, &records, findings).await?,
            }
        }
        Ok(())
    }

    /// Every mail in a pack has a row, here or in another pack.
    async fn check_rows(&self, pack: &PackId, records: &[Scanned], findings: &mut Findings) -> Result<()> {
        for some in records.chunks(MAX_ROWS_PER_CALL) {
            let hashes: Vec<_> = some.iter().map(|(record, _)| record.header.hash).collect();
            for ((record, summary), row) in some.iter().zip(self.catalog.locate(&hashes).await?) {
                let Some(row) = row.filter(|row| row.pack == *pack) else { continue };
                let agrees = row.offset == record.offset
                    && row.stored_bytes == record.header.stored_bytes
                    && row.size_bytes == record.header.size_bytes;
                if !agrees {
                    findings.error(format!("mail {}: its row does not say where it lies in pack {pack}", row.hash));
                }
                if Texts::of(summary) != (Texts { subject: row.subject, from: row.from, message_id: row.message_id }) {
                    findings.error(format!("mail {}: its row does not say what its header says", row.hash));
                }
            }
        }
        Ok(())
    }

    /// Objects that nothing points to. Where no pack has a row at all, it is the catalogue that is gone.
    pub(super) async fn find_orphans(&self, findings: &mut Findings) -> Result<()> {
        for prefix in ["packs/", "slices/", "reports/", "outcomes/"] {
            let mut after = None;
            loop {
                let page = self.objects.list(prefix, after.as_ref(), PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.key.clone());
                let unknown = page.into_iter().filter(|object| !findings.expected.contains(object.key.as_str()));
                findings.report.orphans.extend(unknown.map(|object| object.key.to_string()));
            }
        }
        let lost = findings.report.orphans.iter().any(|key| key.starts_with("packs/"));
        if lost && self.page_of::<Pack>(None, None, 1).await?.is_empty() {
            findings.error("the catalogue knows no pack, but the store has some".into());
        }
        Ok(())
    }
}

/// A mail of a pack, and what lists show of it.
type Scanned = (PackRecord, mail::Summary);

/// The records of a pack, each verified; the text says what is wrong with it otherwise.
fn scan(mut reader: BlockReader, size_bytes: u64) -> Result<Vec<Scanned>, String> {
    let cut = |e: io::Error| format!("it cannot be read: {e}");
    let mut hashing = Hashing { reader: &mut reader, hasher: Sha256::new() };
    let mut magic = [0; MAGIC.len()];
    hashing.read_exact(&mut magic).map_err(cut)?;
    if magic != *MAGIC {
        return Err("it does not begin like a pack".into());
    }
    let mut records = Vec::new();
    let mut at = MAGIC.len() as u64;
    // The index has 56 bytes for each record so far, then comes the footer.
    while at + records.len() as u64 * 56 + FOOTER_BYTES < size_bytes {
        let scanned = read_record(&mut hashing, at, size_bytes)?;
        at = scanned.0.offset + scanned.0.header.stored_bytes;
        records.push(scanned);
    }
    let mut index = Vec::new();
    hashing.by_ref().take(records.len() as u64 * 56).read_to_end(&mut index).map_err(cut)?;
    if !parse_index(&index).is_ok_and(|index| index.iter().eq(records.iter().map(|(record, _)| record))) {
        return Err("its index does not agree with its records".into());
    }
    let mut count = [0; 8];
    hashing.read_exact(&mut count).map_err(cut)?;
    let whole: [u8; 32] = hashing.hasher.finalize().into();
    let mut rest = count.to_vec();
    reader.read_to_end(&mut rest).map_err(cut)?;
    match Trailer::parse(&rest) {
        Some(footer)
            if footer.sha256 == whole && footer.count == records.len() as u64 && rest.len() as u64 == FOOTER_BYTES =>
        {
            Ok(records)
        }
        _ => Err("its hash is not the one in its footer".into()),
    }
}

fn read_record(stored: &mut impl Read, at: u64, size_bytes: u64) -> Result<Scanned, String> {
    let mut header = [0; RecordHeader::BYTES];
    stored.read_exact(&mut header).map_err(|e| format!("it is cut off at byte {at}: {e}"))?;
    let header = RecordHeader::parse(&header).ok_or_else(|| format!("no record at byte {at}"))?;
    let offset = at + RECORD_BYTES;
    if header.stored_bytes > size_bytes.saturating_sub(offset) {
        return Err(format!("the record at byte {at} reaches beyond the end"));
    }
    let summary = check_frame(header, stored.by_ref().take(header.stored_bytes))
        .map_err(|what| format!("mail {}: {what}", header.hash))?;
    Ok((PackRecord { header, offset }, summary))
}

/// Decompresses one frame and compares length and hash; reads it to its end in any case.
fn check_frame(header: RecordHeader, mut frame: io::Take<impl Read>) -> Result<mail::Summary, &'static str> {
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
    Ok(summarize(&start, header.size_bytes))
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
