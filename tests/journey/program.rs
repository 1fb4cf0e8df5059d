//! The built program, run as anybody runs it.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Child, Command, Stdio},
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
    let mut command = Command::new(env!("CARGO_BIN_EXE_postkahn"));
    command.args(arguments).stdin(Stdio::null());
    for name in ["DATA", "PASSWORD", "TOKEN", "DOMAIN", "SERVER", "HTTP", "SFTP", "LOG"] {
        command.env_remove(format!("POSTKAHN_{name}"));
    }
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

/// An archive's folder, and commands on it.
pub(crate) struct Data<'a>(pub(crate) &'a Path);

impl Data<'_> {
    pub(crate) fn arguments(&self, arguments: &[&str]) -> Vec<String> {
        let own = ["--data", self.0.to_str().unwrap(), "--domain", "example.org"];
        arguments.iter().copied().chain(own).map(str::to_owned).collect()
    }

    pub(crate) fn json(&self, arguments: &[&str], exit: i32) -> Value {
        json(&self.arguments(arguments), exit)
    }

    /// Starts a command and lets it run.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = command(&self.arguments(arguments));
        command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The original bytes of a mail.
    pub(crate) fn raw(&self, id: &str) -> Vec<u8> {
        let ended = end(command(&self.arguments(&["show", id, "--raw"])));
        assert_eq!(ended.exit, 0, "{}", ended.stderr);
        ended.stdout
    }

    /// Every mail of a folder of a mailbox, or of the whole mailbox.
    pub(crate) fn mails(&self, mailbox: &str, folder: Option<&[String]>) -> Vec<Value> {
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
