//! What AWS does around the functions, played for the real binaries: the Lambda runtime API, event source mappings,
//! Scheduler, API Gateway, Transfer Family's question, the rights of roles, and faults on the way to the emulators.

mod faults;
mod function;
mod gateway;
mod mapping;
mod rights;
mod runtime;
mod stack;
#[path = "../../../crates/aws/tests/door/fake.rs"]
#[expect(dead_code, reason = "the tests of the door itself use all of it")]
mod transfer;
mod way;

pub(crate) use faults::Faults;
pub(crate) use function::{Function, Outcome};
pub(crate) use mapping::Manner;
pub(crate) use rights::{Rights, rights};
pub(crate) use stack::{LOGIN, Plan, Stack};
pub(crate) use way::Way;
