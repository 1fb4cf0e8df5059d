//! The archive's adapters on AWS; the only crate that knows its SDK.
//!
//! [`Clients`] holds what they share: region and credentials by the SDK's own chain, time limits, retries, and the
//! [`Meter`] that counts what each call costs. Nothing here reads a variable of ours: [`Settings`] come in as values.

mod clients;
pub mod doctor;
mod door;
mod error;
mod meter;
mod settings;

pub use clients::Clients;
pub use door::Door;
pub use meter::{Calls, Meter, Usage};
pub use settings::{DoorSettings, DoorVpc, QueueUrls, ScheduleSettings, Settings};
