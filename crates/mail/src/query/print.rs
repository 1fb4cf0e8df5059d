//! A query as text, in one way: what is equal is printed alike.

use std::fmt;

use super::{Phrase, Query, Term};

impl fmt::Display for Query {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => joined(out, parts, " ", Self::fmt_part),
            // AND binds tighter than OR.
            Self::Any(parts) => joined(out, parts, " OR ", Self::fmt),
            Self::Not(inner) => {
                out.write_str("NOT ")?;
                inner.fmt_part(out)
            }
            Self::Term(term) => term.fmt(out),
        }
    }
}

impl Query {
    /// As a part of another one. No parentheses but those that are needed: what was parsed is never printed deeper than it
    /// was written.
    fn fmt_part(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(_) | Self::Any(_) => write!(out, "({self})"),
            Self::Not(_) | Self::Term(_) => write!(out, "{self}"),
        }
    }
}

fn joined(
    out: &mut fmt::Formatter<'_>,
    parts: &[Query],
    separator: &str,
    print: fn(&Query, &mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            out.write_str(separator)?;
        }
        print(part, out)?;
    }
    Ok(())
}

impl fmt::Display for Term {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(field, phrase) => write!(out, "{}:{phrase}", field.as_str()),
            Self::Folder(phrase) => write!(out, "folder:{phrase}"),
            Self::UserArchive(phrase) => write!(out, "user-archive:{phrase}"),
            Self::Date(range) => write!(out, "date:{range}"),
            Self::Size(range) => write!(out, "size:{range}"),
            Self::HasAttachment => out.write_str("has:attachment"),
            Self::Flag(flag) => write!(out, "flag:{}", flag.as_str()),
        }
    }
}

impl fmt::Display for Phrase {
    /// Quoted if it is not a word.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = self.as_str();
        if written.chars().all(is_word_char) {
            return out.write_str(written);
        }
        write!(out, "\"{}\"", written.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// What a word may hold; a phrase with anything else stands in quotes.
pub(super) fn is_word_char(char: char) -> bool {
    !char.is_whitespace() && !matches!(char, '"' | '(' | ')')
}
