//! The archive's adapters on AWS; the only crate that knows its SDK.
//!
//! | here | port | service |
//! |---|---|---|
//! | [`Bucket`], [`Uploads`] with [`Markers`], [`Nothing`] | `Objects` | S3 |
//! | [`Queues`] | `Queue` | SQS |
//! | [`Scheduler`] | `Schedules` | EventBridge Scheduler |
//! | [`KmsKeys`] | `Keys` | KMS |
//! | [`Door`] | `Door` | Transfer Family, Secrets Manager |
//!
//! [`archive()`] puts them together, for the functions and for commands that work on a stack beside them. [`doctor`] looks
//! at a whole deployment.
//!
//! [`Clients`] holds what they share: region and credentials by the SDK's own chain, time limits, retries, and the
//! [`Meter`] that counts what each call costs. Nothing here reads a variable of ours: [`Settings`] come in as values.

mod absent;
mod assemble;
mod catalog;
mod clients;
mod connections;
pub mod doctor;
mod door;
mod error;
mod keys;
mod machine;
mod meter;
mod objects;
mod queue;
mod schedules;
mod settings;
#[cfg(feature = "testing")]
pub mod testing;
mod uploads;

pub use assemble::{archive, catalog, markers};
pub use catalog::{DynamoCatalog, Rows};
pub use clients::Clients;
pub use door::Door;
pub use keys::{KeyArns, KmsKeys};
pub use machine::{SystemClock, SystemRandom};
pub use meter::{Calls, Meter, Usage};
pub use objects::{Bucket, Nothing};
pub use queue::{QueueName, Queues, Redriven};
pub use schedules::Scheduler;
pub use settings::{DoorSettings, QueueUrls, ScheduleSettings, Settings};
pub use uploads::{Markers, Uploads};
