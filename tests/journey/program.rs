//! The built program, run as anybody runs it.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
};

use serde_json::Value;

/// What a run ended with.
pub(crate) struct Ended {
    pub(crate) exit: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    /// The one document on stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}\n{}", String::from_utf8_lossy(&self.stdout), self.stderr))
    }
}

/// The program with nothing of our surroundings, but with a server's token if there is one.
pub(crate) fn command<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(crate::postkahn());
    command.args(arguments).stdin(Stdio::null());
    for name in ["DATA", "PASSWORD", "TOKEN", "DOMAIN", "SERVER", "HTTP", "SFTP", "SFTP_PASSWORD", "LOG"] {
        command.env_remove(format!("POSTKAHN_{name}"));
    }
    command.env_remove("SSH_AUTH_SOCK");
    command
}

/// Runs it to its end.
pub(crate) fn end(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        exit: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs it with `--json`; the exit code must be the one given.
pub(crate) fn json<S: AsRef<OsStr>>(arguments: &[S], exit: i32) -> Value {
    let mut command = command(arguments);
    let ended = end({
        command.arg("--json");
        command
    });
    let line = arguments.iter().map(|argument| argument.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ");
    assert_eq!(ended.exit, exit, "{line}\n{}\n{}", String::from_utf8_lossy(&ended.stdout), ended.stderr);
    ended.json()
}

/// Where an archive is reached: in a folder, or through a server.
pub(crate) trait Place {
    /// The program with these arguments, and what leads it to the archive.
    fn command(&self, arguments: &[&str]) -> Command;

    fn json(&self, arguments: &[&str], exit: i32) -> Value {
        let mut command = self.command(arguments);
        command.arg("--json");
        let ended = end(command);
        assert_eq!(ended.exit, exit, "{arguments:?}\n{}\n{}", String::from_utf8_lossy(&ended.stdout), ended.stderr);
        ended.json()
    }

    /// The original bytes of a mail.
    fn raw(&self, id: &str) -> Vec<u8> {
        let ended = end(self.command(&["show", id, "--raw"]));
        assert_eq!(ended.exit, 0, "{}", ended.stderr);
        ended.stdout
    }

    /// Every mail of a folder of a mailbox, or of the whole mailbox.
    fn mails(&self, mailbox: &str, folder: Option<&[String]>) -> Vec<Value> {
        let folder = folder.map(|folder| serde_json::json!(folder).to_string());
        let (mut mails, mut after) = (Vec::new(), None::<String>);
        loop {
            let mut arguments = vec!["mails", "--mailbox", mailbox, "--limit", "1000"];
            arguments.extend(folder.as_deref().into_iter().flat_map(|folder| ["--folder", folder]));
            arguments.extend(after.as_deref().into_iter().flat_map(|cursor| ["--after", cursor]));
            let page = self.json(&arguments, 0);
            mails.extend(page["mails"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str() else { return mails };
            after = Some(next.to_owned());
        }
    }
}

/// A server and somebody's token there.
pub(crate) struct Served {
    /// `http://host:port`
    pub(crate) url: String,
    pub(crate) token: String,
}

impl Place for Served {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command.args(["--server", &self.url]).env("POSTKAHN_TOKEN", &self.token);
        command
    }
}
