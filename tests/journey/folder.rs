//! An archive in a folder of this machine.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    program::{Place, command},
    source::{MAILBOX, Story},
};

/// An archive's folder, and commands on it.
pub(crate) struct Data<'a>(pub(crate) &'a Path);

impl Place for Data<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        command(&self.arguments(arguments))
    }
}

impl Data<'_> {
    pub(crate) fn arguments(&self, arguments: &[&str]) -> Vec<String> {
        let own = ["--data", self.0.to_str().unwrap(), "--domain", "example.org"];
        arguments.iter().copied().chain(own).map(str::to_owned).collect()
    }

    /// Starts a command and lets it run.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

impl Story {
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Imports volumes with the certificate.
    pub(crate) fn import(&self, volumes: &[String], more: &[&str], exit: i32) -> Vec<Value> {
        let certificate = self.certificate();
        let mut arguments = vec!["import"];
        arguments.extend(volumes.iter().map(String::as_str));
        arguments.extend(["--mailbox", MAILBOX, "--certificate", &certificate]);
        arguments.extend(more);
        Data(&self.data()).json(&arguments, exit)["imports"].as_array().unwrap().clone()
    }

    /// Compares the archive's folder beside the source with it.
    pub(crate) fn assert_recreated(&self) {
        self.assert_recreated_in(&Data(&self.data()));
    }
}
