//! The numbers of the format: bounds that every reader checks before it allocates or derives anything.

/// How much of the end of a volume holds the end record and the last three directory records.
pub const TAIL_BYTES: u64 = 65_536;
/// How much of the start of a volume holds the first local header and the largest `header.json`.
pub const HEAD_BYTES: u64 = 41 + MAX_HEADER_BYTES;
/// The most mails in one volume; it bounds the catalogue, which is held in memory.
pub const MAX_MAILS_PER_VOLUME: u64 = 1_000_000;
/// One less than 4 GiB: fits FAT32, and no offset meets the ZIP64 marker.
pub const MAX_VOLUME_BYTES: u64 = 4_294_967_295;
/// The largest raw mail that a volume can hold.
pub const MAX_RAW_BYTES: u64 = 4_294_967_295;
/// The largest `header.json`.
pub const MAX_HEADER_BYTES: u64 = 65_536;
/// The largest `seal.json`.
pub const MAX_SEAL_BYTES: u64 = 16_384;
/// The longest DER encoding of an ECDSA P-256 signature.
pub const MAX_SIGNATURE_BYTES: u64 = 72;
/// The largest certificate, as DER or as PEM.
pub const MAX_CERTIFICATE_BYTES: u64 = 16_384;
/// The catalogue of 1,000,000 mails.
pub const MAX_CATALOGUE_BYTES: u64 = 16 + 40 * MAX_MAILS_PER_VOLUME;
/// The largest CBOR metadata of one mail.
pub const MAX_METADATA_BYTES: u64 = 1_048_576;
/// Plaintext bytes in each sealed chunk but the last.
pub const CHUNK_BYTES: u64 = 1_048_576;
/// Up to this stored size an entry is held in memory and its hash is checked before decryption.
pub const BUFFERED_ENTRY_BYTES: u64 = 16 * 1_048_576;
/// Mail numbers are eleven decimal digits.
pub const MAX_MAIL_NUMBER: u64 = 99_999_999_999;
/// The most volumes that one export may have: it bounds the list of missing ones.
pub const MAX_VOLUMES: u64 = 1_000_000;
/// Integers in JSON stay below this, so that every JSON reader keeps them exact.
pub(crate) const JSON_INTEGER_LIMIT: u64 = 1 << 53;
