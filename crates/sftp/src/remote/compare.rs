//! Whether what lies at the server is the beginning of a file here.

use std::io::SeekFrom;

use archive::{Error, ErrorKind};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
};

use super::{
    plan::LocalFile,
    session::Session,
    trouble::{Tried, Trouble},
};

/// At either end: a volume's first 64 KiB hold its salt, which no other volume has, and its last 64 KiB the seal over
/// all of its mails.
const END_BYTES: u32 = 64 << 10;
/// In between, evenly spread: they find holes that a crash of the server may have left.
const SAMPLES: u64 = 14;
const SAMPLE_BYTES: u32 = 16 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agreement {
    Same,
    Differs,
    /// The server does not let it be read.
    Unreadable,
}

/// Compares both ends and samples of the first `size_bytes` of the file. Reading all of it back would take as long as
/// sending it again; what samples cannot see, the hashes of the import do.
pub(crate) async fn compare(session: &Session, path: &str, file: &LocalFile, size_bytes: u64) -> Tried<Agreement> {
    if size_bytes > file.size_bytes {
        return Ok(Agreement::Differs);
    }
    let pieces = pieces(size_bytes);
    let theirs = match session.pieces(path, &pieces).await {
        Err(Trouble::Refused(error)) if may_not(&error) => return Ok(Agreement::Unreadable),
        read => read?,
    };
    let ours = read(file, &pieces).await?;
    Ok(if ours == theirs { Agreement::Same } else { Agreement::Differs })
}

fn may_not(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Denied | ErrorKind::Invalid | ErrorKind::Unavailable)
}

/// Offset and length of each piece, in order; they may overlap in a small file.
fn pieces(size_bytes: u64) -> Vec<(u64, u32)> {
    let len = |offset: u64, most: u32| u32::try_from(size_bytes - offset).unwrap_or(u32::MAX).min(most);
    let last = size_bytes.saturating_sub(END_BYTES.into());
    let between = (1..=SAMPLES).map(|i| last / (SAMPLES + 1) * i).map(|offset| (offset, len(offset, SAMPLE_BYTES)));
    [(0, len(0, END_BYTES))].into_iter().chain(between).chain([(last, len(last, END_BYTES))]).collect()
}

async fn read(file: &LocalFile, pieces: &[(u64, u32)]) -> Result<Vec<Vec<u8>>, Error> {
    let failed = |error| file.unreadable(error);
    let mut source = File::open(&file.path).await.map_err(failed)?;
    let mut read = Vec::with_capacity(pieces.len());
    for (offset, len) in pieces {
        source.seek(SeekFrom::Start(*offset)).await.map_err(failed)?;
        let mut piece = vec![0; usize::try_from(*len).unwrap_or_default()];
        source.read_exact(&mut piece).await.map_err(failed)?;
        read.push(piece);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_lie_within_the_file_and_reach_both_ends() {
        for size in [0, 1, 10_000, 65_536, 100_000, 1 << 20, 4_294_967_295] {
            let pieces = pieces(size);
            assert!(pieces.iter().all(|(offset, len)| offset + u64::from(*len) <= size), "{size}");
            assert_eq!(pieces.first(), Some(&(0, u32::try_from(size).unwrap_or(u32::MAX).min(END_BYTES))));
            assert_eq!(pieces.last().map(|(offset, len)| offset + u64::from(*len)), Some(size));
        }
    }
}
