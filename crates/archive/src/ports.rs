//! What the product needs from its surroundings. Each port has an in-memory twin and one conformance suite
//! (`testing`); every adapter passes that suite. Ports carry no decisions: those are made here, once.

mod catalog;
mod clock;
mod door;
mod keys;
mod landing;
mod objects;
mod queue;
mod random;
mod schedules;

pub use catalog::{Catalog, Document, Expect, FolderCount, MAX_ROWS_PER_CALL, Recorded, Scope};
pub use clock::Clock;
pub use door::{Door, DoorServer, DoorState};
pub use keys::{Keys, PublicKeys};
pub use landing::{Landing, LandingEntry, LandingFile, LandingSpace, OpenMode};
pub use objects::{ByteStream, ETag, ObjectKey, ObjectMeta, ObjectWriter, Objects, PutMode};
pub use queue::Queue;
pub use random::Random;
pub use schedules::{Schedule, Schedules};
