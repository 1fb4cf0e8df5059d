//! The interface from outside: every route, every role, every refusal, and the whole journey of a volume.
#![expect(clippy::unwrap_used, reason = "tests")]

mod document;
mod door;
mod journey;
mod lists;
mod logins;
mod logs;
mod operator;
mod problems;
mod reports;
mod roles;
mod schema;
mod served;
mod structure;
mod world;
