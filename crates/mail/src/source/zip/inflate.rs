//! The bytes of an entry: unpacked, counted and compared with what the directory says of them.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use deflate64::Deflate64Decoder;
use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, Crc32};

use super::directory::Extent;
use super::name::name_sum;
use crate::source::content::{Content, ContentReader, read_full_at};

/// A buffer for small reads of the packed bytes; a smaller entry has a smaller one.
const BUFFER_BYTES: u64 = 64 << 10;
const LOCAL_HEADER_BYTES: usize = 30;
/// 8 MiB, the window of zstd at level 19. A larger one is for archives of another kind, and held by each reader.
const ZSTD_WINDOW_LOG: u32 = 23;

/// True if entries of this method can be read.
pub(super) fn is_known(method: u16) -> bool {
    matches!(
        CompressionMethod::new(method),
        CompressionMethod::STORE
            | CompressionMethod::DEFLATE
            | CompressionMethod::DEFLATE64
            | CompressionMethod::ZSTD
            | CompressionMethod::ZSTD_DEPRECATED
    )
}

/// Where the packed bytes of an entry begin, which the directory and its local header must say alike: otherwise one program
/// finds another mail in it than the next.
pub(super) fn data_offset(content: &dyn Content, prefix_bytes: u64, extent: &Extent) -> io::Result<u64> {
    let header_at = extent.local_offset.checked_add(prefix_bytes).ok_or_else(no_header)?;
    let mut header = [0; LOCAL_HEADER_BYTES];
    let read = read_full_at(content, &mut header, header_at)?;
    if read != header.len() || !header.starts_with(b"PK\x03\x04") {
        return Err(no_header());
    }
    let name_at = header_at.checked_add(LOCAL_HEADER_BYTES as u64).ok_or_else(no_header)?;
    let [.., name_low, name_high, extra_low, extra_high] = header;
    let mut name = vec![0; usize::from(u16::from_le_bytes([name_low, name_high]))];
    let read = read_full_at(content, &mut name, name_at)?;
    if read != name.len() {
        return Err(no_header());
    }
    agree(&header, &name, extent)?;
    let variable = name.len() as u64 + u64::from(u16::from_le_bytes([extra_low, extra_high]));
    let start = name_at.checked_add(variable).ok_or_else(no_header)?;
    match start.checked_add(extent.packed_bytes) {
        Some(end) if end <= content.size_bytes() => Ok(start),
        _ => Err(damaged("it reaches beyond the end of the archive")),
    }
}

/// An error if a local header says another thing than the directory (APPNOTE 4.3.7). Sizes may be zero: they stand behind the
/// data then; or be the sentinel of ZIP64.
fn agree(header: &[u8; LOCAL_HEADER_BYTES], name: &[u8], extent: &Extent) -> io::Result<()> {
    let [_, _, _, _, _, _, _, _, m0, m1, _, _, _, _, _, _, _, _, p0, p1, p2, p3, s0, s1, s2, s3, ..] = *header;
    let may_be = |said: [u8; 4], size_bytes: u64| {
        let said = u32::from_le_bytes(said);
        matches!(said, 0 | u32::MAX) || u64::from(said) == size_bytes
    };
    let differs = if u16::from_le_bytes([m0, m1]) != extent.method {
        "method"
    } else if !may_be([p0, p1, p2, p3], extent.packed_bytes) || !may_be([s0, s1, s2, s3], extent.size_bytes) {
        "size"
    } else if name_sum(name) != extent.name_sum {
        "name"
    } else {
        return Ok(());
    };
    Err(damaged(&format!("its own header says another {differs} than the directory")))
}

/// Opens an entry: exactly [`Extent::size_bytes`] with the right checksum, or an error at the end.
pub(super) fn open(content: &Arc<dyn Content>, prefix_bytes: u64, extent: &Extent) -> io::Result<Inflated> {
    let at = data_offset(&**content, prefix_bytes, extent)?;
    let packed = ContentReader::new(Arc::clone(content), at, extent.packed_bytes);
    let capacity = usize::try_from(extent.packed_bytes.min(BUFFER_BYTES)).unwrap_or(0);
    let inner = decoder(extent.method, BufReader::with_capacity(capacity.max(1), packed))?;
    Ok(Inflated {
        inner,
        left: extent.size_bytes,
        size_bytes: extent.size_bytes,
        crc: Crc32::new(),
        expected_crc: extent.crc,
        content: Arc::clone(content),
    })
}

fn decoder(method: u16, packed: BufReader<ContentReader>) -> io::Result<Box<dyn Read + Send>> {
    Ok(match CompressionMethod::new(method) {
        CompressionMethod::STORE => Box::new(packed),
        CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(packed)),
        CompressionMethod::DEFLATE64 => Box::new(Deflate64Decoder::with_buffer(packed)),
        CompressionMethod::ZSTD | CompressionMethod::ZSTD_DEPRECATED => Box::new(zstd_decoder(packed)?),
        _ => return Err(damaged(&unknown_method(method))),
    })
}

fn zstd_decoder<R: BufRead>(packed: R) -> io::Result<zstd::stream::read::Decoder<'static, R>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

/// Says that a method is not built.
pub(super) fn unknown_method(method: u16) -> String {
    format!("packed by method {method} of ZIP, which is not read")
}

/// The unpacked bytes of an entry.
pub(super) struct Inflated {
    inner: Box<dyn Read + Send>,
    left: u64,
    size_bytes: u64,
    crc: Crc32,
    expected_crc: u32,
    content: Arc<dyn Content>,
}

impl Inflated {
    /// Called where the entry is to end.
    fn check_end(&mut self) -> io::Result<()> {
        if self.inner.read(&mut [0]).map_err(unpacking)? != 0 {
            return Err(damaged(&format!("it has more than the {} bytes that the directory says", self.size_bytes)));
        }
        if self.crc.clone().checksum() != self.expected_crc {
            return Err(damaged("its checksum is wrong"));
        }
        self.content.verify_unchanged()
    }
}

impl Read for Inflated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return self.check_end().map(|()| 0);
        }
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let window = buffer.get_mut(..room).unwrap_or_default();
        let count = self.inner.read(window).map_err(unpacking)?;
        if count == 0 {
            return Err(damaged(&format!("it has less than the {} bytes that the directory says", self.size_bytes)));
        }
        self.crc.update(window.get(..count).unwrap_or_default());
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

fn no_header() -> io::Error {
    damaged("the directory points at no local header")
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("damaged in the zip archive: {what}"))
}

/// The decoders say what is wrong in words and kinds of their own; an error of the container itself stays as it is.
fn unpacking(error: io::Error) -> io::Error {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};

    match error.kind() {
        InvalidData | InvalidInput | Other | UnexpectedEof if error.raw_os_error().is_none() => {
            damaged(&format!("it cannot be unpacked ({error})"))
        }
        _ => error,
    }
}
