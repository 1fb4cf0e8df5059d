//! A query put to a mail of which not everything may be known yet.

use super::{Facts, Query, Term};

impl Query {
    /// Whether the mail is meant; none if that depends on what is not known of it yet.
    ///
    /// A mail without a field, a date or a flag is one that no term about it matches, so `NOT` of that term does.
    pub fn answer(&self, facts: &Facts<'_>) -> Option<bool> {
        Some(match self {
            Self::All(parts) => !decided_by(parts, facts, false)?,
            Self::Any(parts) => decided_by(parts, facts, true)?,
            Self::Not(inner) => !inner.answer(facts)?,
            Self::Term(term) => term.answer(facts)?,
        })
    }
}

/// Whether one of `parts` has the answer that decides for all of them; none if it may yet have.
fn decided_by(parts: &[Query], facts: &Facts<'_>, deciding: bool) -> Option<bool> {
    let mut is_open = false;
    for part in parts {
        match part.answer(facts) {
            Some(answer) if answer == deciding => return Some(true),
            Some(_) => {}
            None => is_open = true,
        }
    }
    (!is_open).then_some(false)
}

impl Term {
    fn answer(&self, facts: &Facts<'_>) -> Option<bool> {
        Some(match self {
            Self::Text(field, phrase) => facts.header.as_ref()?.texts(*field).iter().any(|text| phrase.is_in(text)),
            Self::Folder(phrase) => facts.places().iter().any(|place| phrase.is_part_of_path(&place.path)),
            Self::UserArchive(phrase) => facts.places().iter().any(|place| phrase.is(&place.user_archive)),
            Self::Date(range) => facts.header.as_ref()?.message_date.is_some_and(|date| range.contains(date)),
            Self::Size(range) => range.contains(facts.size_bytes?),
            Self::HasAttachment => facts.has_attachment?,
            Self::Flag(flag) => facts.flags?.contains(flag),
        })
    }
}
