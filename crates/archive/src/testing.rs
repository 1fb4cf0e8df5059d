//! In-memory twins of the ports and their conformance suites.
//!
//! A twin behaves like the best adapter; it is no mock. A suite states the contract of its port as the port's comments
//! do, and every adapter, the twin included, passes it.

pub mod faulty;
#[cfg(test)]
mod killed;
pub mod landing;
pub mod memory;
pub mod suites;
pub mod volumes;

/// An archive over fresh twins, for tests that need no look at them.
#[cfg(test)]
pub(crate) fn archive() -> crate::Archive {
    Memory::new(1).archive()
}

pub use memory::{
    Memory, MemoryCatalog, MemoryDoor, MemoryKeys, MemoryObjects, MemoryQueue, MemorySchedules, SeededRandom,
    SteppedClock,
};
