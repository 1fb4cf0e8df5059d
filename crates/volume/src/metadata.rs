//! What a volume keeps of a mail beside its bytes: one CBOR map (RFC 8949) with one-letter keys.

use crate::Damage;
use crate::cbor::check_deterministic;
use crate::limits::{MAX_METADATA_BYTES, MAX_RAW_BYTES};
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

/// The flags that a mail may carry; readers ignore all others.
pub const FLAGS: [&str; 5] = ["seen", "answered", "flagged", "forwarded", "draft"];
const MAX_LOCATIONS: usize = 4_096;
/// The first second of year 1 and the last of year 9999.
const DATES: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// One mail's metadata.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// SHA-256 of the raw message (`h`).
    pub sha256: [u8; 32],
    /// Length of the raw message (`n`), at most 4,294,967,295.
    pub size_bytes: u64,
    /// Message date, Unix seconds UTC, years 1 to 9999 (`d`).
    pub message_date: Option<i64>,
    /// Where the message date came from (`s`).
    pub message_date_source: Option<String>,
    /// Archive date, Unix seconds UTC, years 1 to 9999 (`a`).
    pub archive_date: Option<i64>,
    /// 1 to 4,096 locations, each of one or more segments, none of them empty; the first is the user archive (`l`).
    pub locations: Vec<Vec<String>>,
    /// Some of [`FLAGS`] (`f`).
    pub flags: Vec<String>,
    /// The source's own stable key (`k`).
    pub source_key: Option<String>,
    /// Number of an earlier mail of the same volume with the same bytes; then no frame follows (`r`).
    pub reference: Option<u64>,
}

impl Metadata {
    /// The CBOR encoding, or which rule the values break.
    pub fn encode(&self) -> Result<Vec<u8>, &'static str> {
        self.check()?;
        if self.flags.iter().any(|flag| !FLAGS.contains(&flag.as_str())) {
            return Err("unknown flag");
        }
        let mut out = Encoder::new(Vec::new());
        self.write(&mut out).map_err(|_| "metadata cannot be encoded")?;
        let bytes = out.into_writer();
        if bytes.len() as u64 > MAX_METADATA_BYTES { Err("metadata larger than 1 MiB") } else { Ok(bytes) }
    }

    /// Reads one deterministic map; unknown keys and flags are ignored.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let damage = |rule: &str| Damage::Metadata(rule.to_owned());
        if bytes.len() as u64 > MAX_METADATA_BYTES {
            return Err(damage("larger than 1 MiB"));
        }
        check_deterministic(bytes).map_err(damage)?;
        let metadata = Self::read(&mut Decoder::new(bytes)).map_err(|error| Damage::Metadata(error.to_string()))?;
        metadata.check().map_err(damage)?;
        Ok(metadata)
    }

    /// The rules that types alone do not keep.
    fn check(&self) -> Result<(), &'static str> {
        let dates = [self.message_date, self.archive_date];
        let segments_ok = |path: &Vec<String>| !path.is_empty() && path.iter().all(|segment| !segment.is_empty());
        let rules = [
            (self.size_bytes <= MAX_RAW_BYTES, "n is out of range"),
            (dates.iter().flatten().all(|date| DATES.contains(date)), "a date outside the years 1 to 9999"),
            ((1..=MAX_LOCATIONS).contains(&self.locations.len()), "not 1 to 4,096 locations"),
            (self.locations.iter().all(segments_ok), "an empty location or segment"),
            (self.reference != Some(0), "r is 0"),
        ];
        rules.iter().find(|(kept, _)| !kept).map_or(Ok(()), |(_, rule)| Err(rule))
    }

    /// Keys in the bytewise order of their encodings: a, d, f, h, k, l, n, r, s.
    fn write(&self, out: &mut Encoder<Vec<u8>>) -> Result<(), Failure> {
        let optional = [
            self.archive_date.is_some(),
            self.message_date.is_some(),
            !self.flags.is_empty(),
            self.source_key.is_some(),
            self.reference.is_some(),
            self.message_date_source.is_some(),
        ];
        out.map(3 + optional.iter().filter(|present| **present).count() as u64)?;
        if let Some(date) = self.archive_date {
            out.str("a")?.i64(date)?;
        }
        if let Some(date) = self.message_date {
            out.str("d")?.i64(date)?;
        }
        if !self.flags.is_empty() {
            write_texts(out.str("f")?, &self.flags)?;
        }
        out.str("h")?.bytes(&self.sha256)?;
        if let Some(key) = &self.source_key {
            out.str("k")?.str(key)?;
        }
        out.str("l")?.array(self.locations.len() as u64)?;
        for location in &self.locations {
            write_texts(out, location)?;
        }
        out.str("n")?.u64(self.size_bytes)?;
        if let Some(number) = self.reference {
            out.str("r")?.u64(number)?;
        }
        if let Some(source) = &self.message_date_source {
            out.str("s")?.str(source)?;
        }
        Ok(())
    }

    fn read(input: &mut Decoder<'_>) -> Result<Self, minicbor::decode::Error> {
        let mut found = Self::default();
        let (mut hash, mut size, mut locations) = (None, None, None);
        let members = input.map()?.ok_or_else(|| wrong("no map"))?;
        for _ in 0..members {
            if input.datatype()? != Type::String {
                return Err(wrong("a key that is no text"));
            }
            match input.str()? {
                "a" => found.archive_date = Some(input.i64()?),
                "d" => found.message_date = Some(input.i64()?),
                "f" => found.flags = read_texts(input)?,
                "h" => hash = Some(input.bytes()?.try_into().map_err(|_| wrong("h is not 32 bytes"))?),
                "k" => found.source_key = Some(input.str()?.to_owned()),
                "l" => locations = Some(read_locations(input)?),
                "n" => size = Some(input.u64()?),
                "r" => found.reference = Some(input.u64()?),
                "s" => found.message_date_source = Some(input.str()?.to_owned()),
                _ => input.skip()?,
            }
        }
        found.sha256 = hash.ok_or_else(|| wrong("h is missing"))?;
        found.size_bytes = size.ok_or_else(|| wrong("n is missing"))?;
        found.locations = locations.ok_or_else(|| wrong("l is missing"))?;
        found.flags.retain(|flag| FLAGS.contains(&flag.as_str()));
        Ok(found)
    }
}

type Failure = minicbor::encode::Error<std::convert::Infallible>;

fn wrong(rule: &'static str) -> minicbor::decode::Error {
    minicbor::decode::Error::message(rule)
}

fn write_texts(out: &mut Encoder<Vec<u8>>, texts: &[String]) -> Result<(), Failure> {
    out.array(texts.len() as u64)?;
    for text in texts {
        out.str(text)?;
    }
    Ok(())
}

/// Allocation follows what is really there: the deterministic check has counted the items already.
fn read_texts(input: &mut Decoder<'_>) -> Result<Vec<String>, minicbor::decode::Error> {
    let length = input.array()?.ok_or_else(|| wrong("no array"))?;
    (0..length).map(|_| Ok(input.str()?.to_owned())).collect()
}

fn read_locations(input: &mut Decoder<'_>) -> Result<Vec<Vec<String>>, minicbor::decode::Error> {
    let length = input.array()?.ok_or_else(|| wrong("no array"))?;
    if length > MAX_LOCATIONS as u64 {
        return Err(wrong("more than 4,096 locations"));
    }
    (0..length).map(|_| read_texts(input)).collect()
}
