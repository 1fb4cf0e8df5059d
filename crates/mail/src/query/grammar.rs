//! The grammar: text to a [`Query`], or to the place where it is wrong.
//!
//! ```text
//! any   = all *("OR" all)
//! all   = part *(["AND"] part)
//! part  = "NOT" part | "(" any ")" | field ":" value
//! value = word | DQUOTE *(character | "\" character) DQUOTE
//! ```

use std::borrow::Cow;

use winnow::combinator::{opt, peek, separated};
use winnow::error::{ErrMode, ParserError};
use winnow::stream::{Stateful, Stream as _};
use winnow::token::{any, take_while};
use winnow::{ModalResult, Parser as _};

use super::print::is_word_char;
use super::{DateRange, MAX_DEPTH, MAX_QUERY_BYTES, MAX_TERMS, Phrase, Query, QueryError, SizeRange, Term, TextField};
use crate::source::Flag;

type Input<'a> = Stateful<&'a str, Counts>;

/// What has been met so far, against the bounds.
#[derive(Clone, Debug, Default)]
struct Counts {
    terms: usize,
    depth: usize,
}

/// Where the text is wrong, by how much of it was left there.
#[derive(Debug)]
struct Wrong {
    left_bytes: usize,
    expected: Cow<'static, str>,
}

type Parsed<T> = ModalResult<T, Wrong>;

const FIELDS: &str = "expected a field and its value, such as from:anna; there are from, to, cc, subject, folder, user-archive, date, size, has \
     and flag";
const SIZE: &str = "a size, such as >10MiB, <=500KiB or 1MiB..2MiB: bytes, or a whole number right before KiB, MiB or \
                    GiB, the smaller one first";
const DATE: &str =
    "a year, a month or a day, such as 2019, 2019-03 or 2019-03-31, or two of them, the earlier one first: 2019..2021";

pub(super) fn parse(text: &str) -> Result<Query, QueryError> {
    let wrong = |at: usize, expected: Cow<'static, str>| QueryError {
        query: text.to_owned(),
        at: text.get(..at).unwrap_or(text).chars().count(),
        expected: expected.into_owned(),
    };
    if text.len() > MAX_QUERY_BYTES {
        let start = text.get(..text.floor_char_boundary(80)).unwrap_or_default();
        let expected = format!("it is longer than {MAX_QUERY_BYTES} bytes");
        return Err(QueryError { query: format!("{start}…"), at: 0, expected });
    }
    let mut input = Input { input: text, state: Counts::default() };
    whole(&mut input).map_err(|error| match error {
        ErrMode::Cut(error) | ErrMode::Backtrack(error) => {
            wrong(text.len().saturating_sub(error.left_bytes), error.expected)
        }
        ErrMode::Incomplete(_) => wrong(text.len(), FIELDS.into()),
    })
}

fn whole(input: &mut Input<'_>) -> Parsed<Query> {
    let query = alternatives(input)?;
    match opt(any).parse_next(&mut input.clone())? {
        None => Ok(query),
        Some(_) => Err(wrong(input, "no parenthesis is open here that this one could close")),
    }
}

fn alternatives(input: &mut Input<'_>) -> Parsed<Query> {
    separated(1.., conjunction, keyword("OR")).map(Query::any).parse_next(input)
}

fn conjunction(input: &mut Input<'_>) -> Parsed<Query> {
    let mut parts = vec![part(input)?];
    while opt(keyword("AND")).parse_next(input)?.is_some() || goes_on(input)? {
        parts.push(part(input)?);
    }
    Ok(Query::all(parts))
}

/// Whether another part follows that no word joins.
fn goes_on(input: &mut Input<'_>) -> Parsed<bool> {
    blanks(input)?;
    let ends = opt(peek(keyword("OR"))).parse_next(input)?.is_some();
    Ok(!ends && peek(opt(any)).parse_next(input)?.is_some_and(|next| next != ')'))
}

fn part(input: &mut Input<'_>) -> Parsed<Query> {
    blanks(input)?;
    let start = input.clone();
    if opt(keyword("NOT")).parse_next(input)?.is_some() {
        return deeper(input, &start, part).map(Query::not);
    }
    if opt('(').parse_next(input)?.is_some() {
        let query = deeper(input, &start, alternatives)?;
        blanks(input)?;
        return match opt(')').parse_next(input)? {
            Some(_) => Ok(query),
            None => Err(wrong(input, "expected a closing parenthesis")),
        };
    }
    input.state.terms = input.state.terms.saturating_add(1);
    if input.state.terms > MAX_TERMS {
        return Err(wrong(input, format!("there are more than {MAX_TERMS} terms")));
    }
    term(input).map(Query::Term)
}

fn deeper<'a>(
    input: &mut Input<'a>,
    start: &Input<'a>,
    mut inner: impl FnMut(&mut Input<'a>) -> Parsed<Query>,
) -> Parsed<Query> {
    if input.state.depth >= MAX_DEPTH {
        return Err(wrong(start, format!("more than {MAX_DEPTH} parentheses and NOTs within each other")));
    }
    input.state.depth += 1;
    let query = inner(input)?;
    input.state.depth -= 1;
    Ok(query)
}

fn term(input: &mut Input<'_>) -> Parsed<Term> {
    let start = input.clone();
    let name = take_while(0.., |char: char| is_word_char(char) && char != ':').parse_next(input)?;
    if opt(':').parse_next(input)?.is_none() {
        return Err(wrong(
            &start,
            match name {
                "AND" | "OR" => "expected a term, such as from:anna: AND and OR stand between two of them",
                "and" | "or" | "not" => "AND, OR and NOT are written in capitals",
                _ => FIELDS,
            },
        ));
    }
    match name.to_ascii_lowercase().as_str() {
        "folder" => phrase(input).map(Term::Folder),
        "user-archive" => phrase(input).map(Term::UserArchive),
        "date" => read(input, DateRange::parse, DATE).map(Term::Date),
        "size" => read(input, SizeRange::parse, SIZE).map(Term::Size),
        "has" => read(input, |text| text.eq_ignore_ascii_case("attachment").then_some(()), "attachment")
            .map(|()| Term::HasAttachment),
        "flag" => read(input, flag, "seen, answered, flagged, forwarded or draft").map(Term::Flag),
        name => match TextField::ALL.into_iter().find(|field| field.as_str() == name) {
            Some(field) => phrase(input).map(|phrase| Term::Text(field, phrase)),
            None => Err(wrong(&start, FIELDS)),
        },
    }
}

fn flag(word: &str) -> Option<Flag> {
    Flag::ALL.into_iter().find(|flag| flag.as_str().eq_ignore_ascii_case(word))
}

fn phrase(input: &mut Input<'_>) -> Parsed<Phrase> {
    read(input, Phrase::new, "a word, or a phrase in quotes, right after the colon")
}

/// A value that `read` understands.
fn read<T>(input: &mut Input<'_>, read: impl Fn(&str) -> Option<T>, expected: &'static str) -> Parsed<T> {
    let start = input.clone();
    let value = value(input)?;
    read(&value).ok_or_else(|| wrong(&start, format!("expected {expected}")))
}

fn value<'a>(input: &mut Input<'a>) -> Parsed<Cow<'a, str>> {
    let start = input.clone();
    if opt('"').parse_next(input)?.is_none() {
        return take_while(0.., is_word_char).map(Cow::Borrowed).parse_next(input);
    }
    let mut phrase = String::new();
    loop {
        match input.next_token() {
            Some('"') => return Ok(phrase.into()),
            Some('\\') => phrase.extend(input.next_token()),
            Some(char) => phrase.push(char),
            None => return Err(wrong(&start, "the phrase that begins here has no closing quote")),
        }
    }
}

/// `AND`, `OR`, `NOT`: a whole word.
fn keyword<'a>(word: &'static str) -> impl FnMut(&mut Input<'a>) -> Parsed<()> {
    move |input| {
        blanks(input)?;
        let end = |char: char| char.is_whitespace() || matches!(char, '(' | ')' | '"');
        (word, peek(opt(any)).verify(move |next: &Option<char>| next.is_none_or(end))).void().parse_next(input)
    }
}

fn blanks(input: &mut Input<'_>) -> Parsed<()> {
    take_while(0.., char::is_whitespace).void().parse_next(input)
}

fn wrong(at: &Input<'_>, expected: impl Into<Cow<'static, str>>) -> ErrMode<Wrong> {
    ErrMode::Cut(Wrong { left_bytes: at.eof_offset(), expected: expected.into() })
}

impl<'a> ParserError<Input<'a>> for Wrong {
    type Inner = Self;

    fn from_input(input: &Input<'a>) -> Self {
        Self { left_bytes: input.eof_offset(), expected: FIELDS.into() }
    }

    fn into_inner(self) -> Result<Self::Inner, Self> {
        Ok(self)
    }
}
