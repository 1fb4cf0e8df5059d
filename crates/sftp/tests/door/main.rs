//! The server from outside: logins, uploads that are cut off and resumed, and the clients of OpenSSH and curl.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

mod curl;
mod logins;
mod openssh;
mod remote;
mod server;
mod sshd;
mod uploads;
