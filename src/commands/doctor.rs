//! `doctor`: is a deployment on AWS as it should be?

use std::fmt::Write as _;

use aws::{
    Clients,
    doctor::{self, Finding, Health},
};
use serde_json::json;

use crate::{commands::Outcome, config::Config, failure::Result, text};

#[derive(clap::Args, Debug)]
pub(crate) struct Doctor {
    /// The name of the stack; region and credentials as for the aws command
    #[arg(long, value_name = "STACK")]
    aws: String,
}

pub(crate) async fn run(args: &Doctor, config: &Config) -> Result<Outcome> {
    let clients = Clients::load(config.aws_endpoint).await;
    let findings = doctor::doctor(&clients, &args.aws).await?;
    let is = |health: Health| findings.iter().any(|finding| finding.state == health);
    let exit = match (is(Health::Wrong), is(Health::Unknown)) {
        (true, _) => 7,
        (false, true) => 6,
        (false, false) => 0,
    };
    let document = json!({ "stack": args.aws, "findings": findings, "healthy": exit == 0 });
    Ok(Outcome { exit, ..Outcome::done(document, told(&findings)) })
}

fn told(findings: &[Finding]) -> String {
    let listed = json!(findings);
    let mut text = text::list(&["check", "state", "says"], &listed);
    for finding in findings.iter().filter(|finding| finding.state != Health::Ok) {
        let fix = finding.fix.as_deref().unwrap_or("no fix is known");
        let _ = writeln!(text, "\n{}: {}\n  {}", finding.check, text::shown(&finding.says), text::shown(fix));
    }
    text
}
