/// What a reader had done with a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    Seen,
    Answered,
    Flagged,
    Forwarded,
    Draft,
}

impl Flag {
    pub(crate) const ALL: [Self; 5] = [Self::Seen, Self::Answered, Self::Flagged, Self::Forwarded, Self::Draft];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Answered => "answered",
            Self::Flagged => "flagged",
            Self::Forwarded => "forwarded",
            Self::Draft => "draft",
        }
    }
}
