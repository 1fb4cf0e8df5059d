use std::fmt;

/// Why a text is no query, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    pub query: String,
    /// How many characters stand before the place.
    pub at: usize,
    /// What should stand there (`expected …`), or what must not.
    pub expected: String,
}

impl std::error::Error for QueryError {}

impl fmt::Display for QueryError {
    /// What is wrong; below it the query, and a caret under the place.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |char: char| if char.is_control() { ' ' } else { char };
        let query: String = self.query.chars().map(shown).collect();
        writeln!(out, "the query is wrong at character {}: {}", self.at.saturating_add(1), self.expected)?;
        writeln!(out, "  {query}")?;
        write!(out, "  {}^", " ".repeat(self.at))
    }
}
