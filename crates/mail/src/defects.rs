use std::fmt;

/// One thing that is wrong with a mail. The number is its bit in a stored set and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Defect {
    /// A byte-order mark stands before the first field; UTF-16 files are converted for the view.
    HdrBom = 0,
    /// Lines that are no fields stand before the first field.
    HdrBanner = 1,
    /// A blank or senseless line stands before or inside the header.
    HdrJunk = 2,
    /// No blank line ends the header; a line that can be no field did.
    HdrNosep = 3,
    /// Bytes above 127 stand in a header without an encoded word; the charset is a guess.
    Hdr8bit = 4,
    /// White space stands between a field's name and its colon.
    HdrLoose = 5,
    /// A field, or an encoded word in it, is longer than what is read of it.
    HdrLongline = 6,
    /// The header is larger than what is read of it, or has too many fields.
    HdrLarge = 7,
    /// From, Subject, Date or Message-ID, or a field that says what the mail or a part of it is, occurs more than once; the
    /// first one is taken.
    DupHeader = 8,
    /// A `From ` line of an mbox stands where a field should.
    MboxFromHdr = 9,
    /// Lines end in CR alone.
    EolCr = 10,
    /// There is no Message-ID.
    IdMissing = 11,
    /// The Message-ID is longer than a line may be (RFC 5322, 2.1.1: 998 characters).
    IdLong = 12,
    /// A date names a day or a time that does not exist.
    DateInvalid = 13,
    /// A date has no zone, or one that is not known.
    DateZone = 14,
    /// A date field is empty.
    DateEmpty = 15,
    /// A date is written in no form that is known.
    DateFormat = 16,
    /// A multipart has no boundary, or its boundary never comes, or never closes it.
    BoundaryMissing = 17,
    /// Text like the boundary stands in the middle of a line, where it bounds nothing.
    BoundaryMid = 18,
    /// More parts, or deeper ones, than are read, or HTML that would become too large or take too long.
    MimeBomb = 19,
    /// A charset is not known, or the bytes contradict it.
    Charset = 20,
    /// Base64 or quoted-printable is broken; what could be decoded is shown.
    CteBroken = 21,
    /// An attached mail or a multipart is transfer-encoded, which RFC 2045 forbids.
    NestedEnc = 22,
    /// The raw bytes hold a NUL.
    Nul = 23,
    /// A NUL stands in a header; it is shown as U+2400.
    NulDb = 24,
    /// A NUL stands in a decoded body; it is left out of the view.
    NulBody = 25,
    /// There is a `winmail.dat`, whose inside is not read.
    Tnef = 26,
    /// The content is S/MIME, encrypted or opaquely signed; what is inside is not read.
    Smime = 27,
    /// A name of an attachment holds a path, control or direction marks.
    AttName = 28,
    /// The HTML wanted to act or to load something; that was removed.
    HtmlActive = 29,
    /// The mail has no bytes.
    Empty = 30,
    /// A body, or the images or a link in it, are larger than what is read of them.
    SizeBig = 31,
    /// The MIME parser gave up or was stopped; the header is shown nevertheless.
    ParserFailed = 32,
    /// A second parser reads this mail in another way.
    ParserDisagrees = 33,
    /// There is no field at all.
    NotMail = 34,
    /// A journal report; the mail it reports is attached.
    Journal = 35,
    /// The content is encrypted (multipart/encrypted, or OpenPGP in a text); what is inside is not read.
    Encrypted = 36,
    /// There are more labels of Gmail than are read; the mail lies in the first ones.
    Labels = 37,
    /// A CR stands alone within a field; readers that end lines there see other fields.
    HdrCr = 38,
}

const CODES: [(Defect, &str); 39] = [
    (Defect::HdrBom, "hdr_bom"),
    (Defect::HdrBanner, "hdr_banner"),
    (Defect::HdrJunk, "hdr_junk"),
    (Defect::HdrNosep, "hdr_nosep"),
    (Defect::Hdr8bit, "hdr_8bit"),
    (Defect::HdrLoose, "hdr_loose"),
    (Defect::HdrLongline, "hdr_longline"),
    (Defect::HdrLarge, "hdr_large"),
    (Defect::DupHeader, "dup_header"),
    (Defect::MboxFromHdr, "mbox_from_hdr"),
    (Defect::EolCr, "eol_cr"),
    (Defect::IdMissing, "id_missing"),
    (Defect::IdLong, "id_long"),
    (Defect::DateInvalid, "date_invalid"),
    (Defect::DateZone, "date_zone"),
    (Defect::DateEmpty, "date_empty"),
    (Defect::DateFormat, "date_format"),
    (Defect::BoundaryMissing, "boundary_missing"),
    (Defect::BoundaryMid, "boundary_mid"),
    (Defect::MimeBomb, "mime_bomb"),
    (Defect::Charset, "charset"),
    (Defect::CteBroken, "cte_broken"),
    (Defect::NestedEnc, "nested_enc"),
    (Defect::Nul, "nul"),
    (Defect::NulDb, "nul_db"),
    (Defect::NulBody, "nul_body"),
    (Defect::Tnef, "tnef"),
    (Defect::Smime, "smime"),
    (Defect::AttName, "att_name"),
    (Defect::HtmlActive, "html_active"),
    (Defect::Empty, "empty"),
    (Defect::SizeBig, "size_big"),
    (Defect::ParserFailed, "parser_failed"),
    (Defect::ParserDisagrees, "parser_disagrees"),
    (Defect::NotMail, "not_mail"),
    (Defect::Journal, "journal"),
    (Defect::Encrypted, "encrypted"),
    (Defect::Labels, "labels"),
    (Defect::HdrCr, "hdr_cr"),
];

impl Defect {
    /// The code that machines and people are shown, lower case.
    pub fn code(self) -> &'static str {
        CODES.iter().find(|(defect, _)| *defect == self).map_or("unknown", |(_, code)| code)
    }
}

/// A set of [`Defect`]s, in the order of their bits.
///
/// ```
/// use mail::{Defect, Defects};
///
/// let found = Defects::from(Defect::HdrBom) | Defect::DupHeader;
/// assert_eq!(found.iter().collect::<Vec<_>>(), ["hdr_bom", "dup_header"]);
/// assert_eq!(Defects::from_bits(found.to_bits()), found);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Defects(u64);

/// Defects by which content is missing from view and search, or may be read otherwise than it was meant.
const PARTIAL: [Defect; 14] = [
    Defect::HdrLongline,
    Defect::HdrLarge,
    Defect::BoundaryMissing,
    Defect::MimeBomb,
    Defect::Charset,
    Defect::CteBroken,
    Defect::Tnef,
    Defect::Smime,
    Defect::SizeBig,
    Defect::ParserFailed,
    Defect::ParserDisagrees,
    Defect::NotMail,
    Defect::Encrypted,
    Defect::HdrCr,
];

impl Defects {
    pub const NONE: Self = Self(0);

    /// Bits that no defect of this version has are kept, so that an older reader loses nothing.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub fn to_bits(self) -> u64 {
        self.0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn contains(self, defect: Defect) -> bool {
        self.0 & bit(defect) != 0
    }

    pub fn insert(&mut self, defect: Defect) {
        self.0 |= bit(defect);
    }

    /// True if some of the content cannot be seen and searched as it was meant: the mail is *partially indexed*.
    pub fn partially_indexed(self) -> bool {
        PARTIAL.iter().any(|defect| self.contains(*defect))
    }

    /// The codes of the set in the order of their bits.
    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        CODES.iter().filter(move |(defect, _)| self.contains(*defect)).map(|(_, code)| *code)
    }
}

fn bit(defect: Defect) -> u64 {
    1 << (defect as u8)
}

impl From<Defect> for Defects {
    fn from(defect: Defect) -> Self {
        Self(bit(defect))
    }
}

impl<T: Into<Self>> std::ops::BitOr<T> for Defects {
    type Output = Self;
    fn bitor(self, other: T) -> Self {
        Self(self.0 | other.into().0)
    }
}

impl<T: Into<Self>> std::ops::BitOrAssign<T> for Defects {
    fn bitor_assign(&mut self, other: T) {
        self.0 |= other.into().0;
    }
}

impl fmt::Debug for Defects {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{CODES, Defects};

    #[test]
    fn codes_stand_at_their_bit_and_are_unique() {
        for (at, (defect, code)) in CODES.iter().enumerate() {
            assert_eq!(*defect as usize, at);
            assert_eq!(defect.code(), *code);
        }
        let codes: std::collections::BTreeSet<_> = CODES.iter().map(|(_, code)| code).collect();
        assert_eq!(codes.len(), CODES.len());
    }

    #[test]
    fn bits_of_a_later_version_are_kept() {
        assert_eq!(Defects::from_bits(u64::MAX).to_bits(), u64::MAX);
    }
}
