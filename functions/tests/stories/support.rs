//! What AWS does around the functions, played for the real binaries: the Lambda runtime API, event source mappings,
//! Scheduler, API Gateway, Transfer Family's question, and faults on the way to the emulators.

mod faults;
mod function;
mod gateway;
mod mapping;
mod runtime;
mod stack;

pub(crate) use faults::Faults;
pub(crate) use function::{Function, Outcome};
pub(crate) use mapping::Manner;
pub(crate) use stack::{Plan, Stack};
