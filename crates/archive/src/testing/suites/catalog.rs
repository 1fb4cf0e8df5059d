//! The contract of a catalogue, in three parts. They do not meet: each may have a catalogue of its own.

use super::{documents::documents, messages::messages, placements::placements};
use crate::ports::Catalog;

/// Everything that [`Catalog`] promises.
pub async fn catalog(catalog: &dyn Catalog) {
    documents(catalog).await;
    messages(catalog).await;
    placements(catalog).await;
}
