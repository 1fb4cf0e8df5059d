/// What an export is about to make durable. File names are those below the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The state file is linked into place.
    Begin,
    /// A part file is made.
    Part(String),
    /// A file is renamed into place.
    Rename(String),
    /// A file is deleted.
    Delete(String),
}
