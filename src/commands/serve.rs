//! `serve`: until it is told to stop.

use archive::Error;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    assemble::Place, commands::Outcome, config::Config, failure::Result, first_password, print, server::Server,
};

#[derive(clap::Args, Debug)]
pub(crate) struct Serve {
    /// Where HTTP is served [default: 127.0.0.1:8080, or POSTKAHN_HTTP, or `http` in DIR/postkahn.toml]
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Where SFTP is served [default: 127.0.0.1:2022, or POSTKAHN_SFTP, or `sftp` in DIR/postkahn.toml]
    #[arg(long, value_name = "ADDR")]
    sftp: Option<String>,
}

pub(crate) async fn run(args: &Serve, config: &Config) -> Result<Outcome> {
    let mut config = config.clone();
    if let Some(http) = &args.http {
        config.http.clone_from(http);
    }
    if let Some(sftp) = &args.sftp {
        config.sftp.clone_from(sftp);
    }
    let mut signals = Signals::new()?;
    let place = Place::open(&config).await?;
    let mut server = Server::start(&place, &config).await?;
    server.work(&place, &config);
    announce(&server, &config)?;
    tokio::select! {
        () = signals.next() => {}
        error = server.broken() => return Err(error.into()),
    }
    stop(server, &mut signals).await;
    // What there was to say was said at the start.
    Ok(Outcome::done(Value::Null, String::new()))
}

/// Ends gracefully, or at once when told a second time.
pub(crate) async fn stop(server: Server, signals: &mut Signals) {
    tracing::info!("stopping; a second signal ends at once");
    tokio::select! {
        () = server.stop() => {}
        () = signals.next() => {}
    }
}

/// The addresses, for people and scripts, and the admin's password at the first start.
fn announce(server: &Server, config: &Config) -> Result<()> {
    let Server { http, sftp, fingerprint, is_first_start, .. } = server;
    let password = if *is_first_start { first_password::kept(&config.data)? } else { None };
    let text = if config.json {
        let (http, sftp) = (http.to_string(), sftp.to_string());
        format!("{:#}\n", json!({ "http": http, "sftp": sftp, "fingerprint": fingerprint, "admin_password": password }))
    } else {
        let password = password.map(|password| format!("admin password: {password}\n"));
        format!("http: {http}\nsftp: {sftp} {fingerprint}\n{}", password.unwrap_or_default())
    };
    Ok(print::to_stdout(&text).map_err(|error| Error::unavailable("stdout was closed").caused_by(error))?)
}

/// SIGINT and SIGTERM.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From here on the two do not end the process by themselves.
    pub(crate) fn new() -> Result<Self> {
        let watch = |kind| signal(kind).map_err(|error| Error::internal("signals cannot be watched").caused_by(error));
        Ok(Self { interrupt: watch(SignalKind::interrupt())?, terminate: watch(SignalKind::terminate())? })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
