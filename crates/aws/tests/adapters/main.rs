//! The adapters against stand-ins for AWS, and against small fakes where those lack something.
//!
//! `eval "$(scripts/emulators start)"` starts the stand-ins. `AWS_ENDPOINT_URL` then leads to LocalStack, where that
//! starts, and `POSTKAHN_EMULATOR_MOTO` to moto. Each test makes what it needs under a random name.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod keys;
mod objects;
mod queue;
mod schedules;
mod support;
