//! The least that an import must do: reads a volume once from front to back, compares what is stored with the signed
//! catalogue, decrypts, decompresses and hashes each mail, and keeps nothing. What an import takes beyond that is its own.
//! `scripts/compare-import` runs it: `floor CERTIFICATE PASSWORD-FILE VOLUME…`.
#![expect(clippy::print_stdout, reason = "its output")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use volume::{Certificate, OpenError, Opener, Parts, Secret, locate};

const READ_BYTES: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("usage: floor CERTIFICATE PASSWORD-FILE VOLUME…");
    let certificate = Certificate::parse(&fs::read(argument()?)?)?;
    let password = fs::read_to_string(argument()?)?;
    let password = password.strip_suffix('\n').unwrap_or(&password);
    let (mut mails, mut bytes) = (0, 0);
    for path in arguments {
        let (mut file, mut opener) = open(&path, &certificate, password)?;
        let read = read_through(&mut file, &mut opener)?;
        (mails, bytes) = (mails + read.0, bytes + read.1);
    }
    println!("{mails} mails, {bytes} bytes");
    Ok(())
}

fn open(path: &str, certificate: &Certificate, password: &str) -> Result<(File, Opener), Box<dyn Error>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let head = range(&mut file, 0..size.min(volume::HEAD_BYTES))?;
    let tail = range(&mut file, size.saturating_sub(volume::TAIL_BYTES)..size)?;
    let plan = locate(&head, &tail, size)?;
    let (header, seal) = (range(&mut file, plan.header.clone())?, range(&mut file, plan.seal.clone())?);
    let (catalogue, signature) = (range(&mut file, plan.catalogue.clone())?, range(&mut file, plan.signature.clone())?);
    let parts = Parts { header: &header, catalogue, seal: &seal, signature: &signature };
    let volume = plan.verify(parts, Some(certificate))?.unlock(Secret::Password(password))?;
    Ok((file, Opener::new(volume)?))
}

fn range(file: &mut File, range: Range<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(range.start))?;
    file.take(range.end.saturating_sub(range.start)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Mails and raw bytes; references are counted as the mails that they name.
fn read_through(file: &mut File, opener: &mut Opener) -> Result<(u64, u64), Box<dyn Error>> {
    let verified = opener.volume().verified().clone();
    let mut stored = BufReader::with_capacity(READ_BYTES, file);
    stored.seek(SeekFrom::Start(0))?;
    let (mut at, mut bytes) = (0, 0);
    for number in verified.numbers() {
        let place = verified.stored(number).ok_or(OpenError::NoSuchMail(number))?;
        stored.seek_relative(i64::try_from(place.offset - at)?)?;
        let metadata = opener.open_entry(number, &mut stored, &mut io::sink(), &mut io::sink())?;
        (at, bytes) = (place.offset + place.len, bytes + metadata.size_bytes);
    }
    Ok((verified.mails(), bytes))
}
