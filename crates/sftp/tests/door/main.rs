//! The server from outside: logins, uploads that are cut off and resumed, and the client of OpenSSH.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

mod logins;
mod openssh;
mod server;
mod uploads;
