//! Reading a mail back, verified to the last byte.

use std::io::{self, Read};

use bytes::Bytes;
use futures::{StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::pack::{RECORD_BYTES, RecordHeader, pack_key};
use crate::{Archive, Error, MailHash, MessageRow, Result, blocking::BlockReader, ports::ByteStream};

/// A raw mail as blocks. The last block comes only after the hash of all of them was right.
pub struct RawMail {
    pub size_bytes: u64,
    pub blocks: ByteStream,
}

const BLOCK_BYTES: usize = 1 << 20;

impl Archive {
    /// The raw bytes of a mail; a stored byte that has changed ends the stream with `Corrupt`.
    pub(crate) async fn read_mail(&self, row: &MessageRow) -> Result<RawMail> {
        let key = pack_key(&row.pack)?;
        let start = row.offset.checked_sub(RECORD_BYTES).ok_or_else(|| damaged(row.hash, "its place is impossible"))?;
        let end =
            row.offset.checked_add(row.stored_bytes).ok_or_else(|| damaged(row.hash, "its place is impossible"))?;
        let stored = self.objects.stream(&key, start..end, None).await.map_err(|e| missing(row, e))?;
        let (expected, (sender, receiver)) = (row.clone(), mpsc::channel(4));
        let reader = BlockReader::new(stored);
        tokio::task::spawn_blocking(move || {
            let outcome = decompress(reader, &expected, |block| sender.blocking_send(Ok(block)).is_ok());
            if let Err(error) = outcome {
                let _ = sender.blocking_send(Err(error));
            }
        });
        let blocks =
            stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|block| (block, receiver)) });
        Ok(RawMail { size_bytes: row.size_bytes, blocks: blocks.boxed() })
    }

    /// Reads a mail to its end, only to see that it is whole.
    pub(crate) async fn drain(&self, row: &MessageRow) -> Result<()> {
        let mut blocks = self.read_mail(row).await?.blocks;
        while let Some(block) = blocks.next().await {
            block?;
        }
        Ok(())
    }

    /// The whole raw mail in memory; `Invalid` if it is larger than `limit`.
    pub(crate) async fn read_whole(&self, row: &MessageRow, limit: u64) -> Result<Vec<u8>> {
        if row.size_bytes > limit {
            let text = format!("mail {} has {} bytes, more than is shown here", row.hash, row.size_bytes);
            return Err(Error::invalid(text).hint("take it as raw bytes"));
        }
        let mut raw = Vec::with_capacity(usize::try_from(row.size_bytes).unwrap_or(0));
        let mut blocks = self.read_mail(row).await?.blocks;
        while let Some(block) = blocks.next().await {
            raw.extend_from_slice(&block?);
        }
        Ok(raw)
    }
}

/// Hands out raw blocks one late, so that the last one leaves only after length and hash were found right.
fn decompress(mut stored: impl Read, row: &MessageRow, mut send: impl FnMut(Bytes) -> bool) -> Result<()> {
    let mut record = [0; RecordHeader::BYTES];
    stored.read_exact(&mut record).map_err(|e| unreadable(row.hash, e))?;
    let expected = RecordHeader { hash: row.hash, size_bytes: row.size_bytes, stored_bytes: row.stored_bytes };
    if RecordHeader::parse(&record) != Some(expected) {
        return Err(damaged(row.hash, "the pack has another mail in its place"));
    }
    let mut decoder = zstd::stream::read::Decoder::new(stored).map_err(|e| unreadable(row.hash, e))?.single_frame();
    let (mut hasher, mut size, mut held) = (Sha256::new(), 0u64, None::<Bytes>);
    loop {
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        Read::by_ref(&mut decoder)
            .take(BLOCK_BYTES as u64)
            .read_to_end(&mut block)
            .map_err(|e| unreadable(row.hash, e))?;
        size += block.len() as u64;
        hasher.update(&block);
        if size > row.size_bytes {
            return Err(damaged(row.hash, "it is longer than it was"));
        }
        if block.is_empty() {
            break;
        }
        if let Some(block) = held.replace(block.into())
            && !send(block)
        {
            return Ok(());
        }
    }
    if size != row.size_bytes || hasher.finalize()[..] != row.hash.0 {
        return Err(damaged(row.hash, "its bytes have changed"));
    }
    if let Some(last) = held {
        send(last);
    }
    Ok(())
}

fn damaged(hash: MailHash, what: &str) -> Error {
    Error::corrupt(format!("mail {hash} is damaged: {what}")).hint("run `postkahn check --read-data`")
}

fn unreadable(hash: MailHash, error: io::Error) -> Error {
    match BlockReader::inner_error(error) {
        Ok(error) => error,
        Err(error) => damaged(hash, "its frame cannot be read").caused_by(error),
    }
}

fn missing(row: &MessageRow, error: Error) -> Error {
    match error.kind() {
        crate::ErrorKind::NotFound | crate::ErrorKind::Invalid => {
            damaged(row.hash, &format!("pack {} is missing or cut off", row.pack)).caused_by(error)
        }
        _ => error,
    }
}
