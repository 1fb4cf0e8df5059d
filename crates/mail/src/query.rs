//! Saved searches: which mails are meant, as people write it.
//!
//! The grammar and what it gives, the [`Query`], know nothing of how mails are looked at; [`Facts`] answer a query, in
//! stages, so that no more of a mail is read than the answer needs. docs/queries.md says what each term matches.
//!
//! ```
//! use mail::query::{Facts, Query};
//!
//! let query: Query = "from:Anna subject:\"annual report\" (size:>10MiB OR date:2019..2021)".parse().unwrap();
//! assert_eq!(query.to_string(), "from:Anna subject:\"annual report\" (size:>10MiB OR date:2019..2021)");
//!
//! let raw = b"From: anna@example.org\r\nSubject: =?utf-8?Q?Annual=20Report?=\r\n\r\n";
//! let scan = mail::scan_headers(raw, true);
//! let locations = [vec!["anna".to_owned(), "Inbox".to_owned()]];
//! let mut facts = Facts::new(&locations, &[], 66);
//! assert_eq!(query.answer(&facts), None, "the header is needed");
//! facts.set_header(&scan, Some(1_600_000_000));
//! assert_eq!(query.answer(&facts), Some(true));
//!
//! let wrong = "size:10MB".parse::<Query>().unwrap_err();
//! assert_eq!(wrong.at, 5);
//! ```

mod answer;
mod date_range;
mod error;
mod facts;
mod grammar;
mod phrase;
mod print;
mod size_range;

pub use date_range::{DateRange, Period};
pub use error::QueryError;
pub use facts::Facts;
pub use phrase::Phrase;
pub use size_range::{SizeRange, parse_size};

use crate::source::Flag;

/// A query may be this long.
pub const MAX_QUERY_BYTES: usize = 8 << 10;
/// Terms of one query.
pub const MAX_TERMS: usize = 256;
/// Parentheses and NOTs within each other.
pub const MAX_DEPTH: usize = 32;

/// Which mails are meant. Made by [`str::parse`], or by [`Query::all`], [`Query::any`] and [`Query::not`], which keep
/// its form the one that its text, by `to_string`, is parsed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Each of them; two at least, none of which is an `All`.
    All(Vec<Query>),
    /// One of them; two at least, none of which is an `Any`.
    Any(Vec<Query>),
    Not(Box<Query>),
    Term(Term),
}

/// What is asked of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    Text(TextField, Phrase),
    /// A location lies in a folder of that name or path, or below it.
    Folder(Phrase),
    /// A location lies in the user archive of that name.
    UserArchive(Phrase),
    Date(DateRange),
    Size(SizeRange),
    HasAttachment,
    Flag(Flag),
}

/// A header field whose text is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextField {
    From,
    To,
    Cc,
    Subject,
}

impl Query {
    /// Each of `queries`; one alone is itself.
    pub fn all(queries: Vec<Self>) -> Self {
        let flat = queries.into_iter().flat_map(|query| match query {
            Self::All(inner) => inner,
            other => vec![other],
        });
        one_or(flat.collect(), Self::All)
    }

    /// One of `queries`; one alone is itself.
    pub fn any(queries: Vec<Self>) -> Self {
        let flat = queries.into_iter().flat_map(|query| match query {
            Self::Any(inner) => inner,
            other => vec![other],
        });
        one_or(flat.collect(), Self::Any)
    }

    #[expect(clippy::should_implement_trait, reason = "it stands beside `all` and `any`")]
    pub fn not(query: Self) -> Self {
        Self::Not(Box::new(query))
    }
}

fn one_or(mut queries: Vec<Query>, many: fn(Vec<Query>) -> Query) -> Query {
    match queries.pop() {
        Some(only) if queries.is_empty() => only,
        last => {
            queries.extend(last);
            many(queries)
        }
    }
}

impl TextField {
    pub(crate) const ALL: [Self; 4] = [Self::From, Self::To, Self::Cc, Self::Subject];

    /// As a query names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::To => "to",
            Self::Cc => "cc",
            Self::Subject => "subject",
        }
    }
}

impl std::str::FromStr for Query {
    type Err = QueryError;

    /// Reads a query of at most [`MAX_QUERY_BYTES`], [`MAX_TERMS`] and [`MAX_DEPTH`].
    fn from_str(text: &str) -> Result<Self, QueryError> {
        grammar::parse(text)
    }
}
