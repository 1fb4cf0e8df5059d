//! `demo`: the whole journey on the sample mails, with the proof that all of them arrived.

mod folder;
mod journey;
mod proof;
mod source;
mod upload;

use archive::{Error, ErrorKind};

use self::{folder::DataFolder, journey::Journey};
use super::serve::{self, Signals};
use crate::{assemble::Place, commands::Outcome, config::Config, failure::Result, server::Server};

#[derive(clap::Args, Debug)]
pub(crate) struct Demo {
    /// End after the journey instead of serving its result
    #[arg(long)]
    exit: bool,
}

/// The whole journey. The exit code is 0 only if every number closes.
pub(crate) async fn run(args: &Demo, config: &Config) -> Result<Outcome> {
    let samples = source::find()?;
    let folder = DataFolder::prepare(args.exit, config)?;
    let mut config = Config { data: folder.path().to_owned(), ..config.clone() };
    config.domain = Some(archive::Domain::parse("example.org")?);
    if args.exit {
        any_port(&mut config);
    }
    let mut signals = Signals::new()?;
    let place = Place::open(&config).await?;
    let server = start(&place, &mut config).await?;
    let mut journey = Journey::begin(&place, server, &config, samples).await?;
    let document = tokio::select! {
        ended = journey.go() => ended?,
        () = signals.next() => return Err(Error::unavailable("the demo was interrupted").into()),
    };
    let exit = u8::from(document["balanced"] != true);
    if !args.exit {
        journey.invite();
        signals.next().await;
    }
    serve::stop(journey.into_server(), &mut signals).await;
    Ok(Outcome { exit, ..Outcome::done(document, String::new()) })
}

fn any_port(config: &mut Config) {
    for address in [&mut config.http, &mut config.sftp] {
        "127.0.0.1:0".clone_into(address);
    }
}

/// Serves on the usual addresses, or on others if those are taken.
async fn start(place: &Place, config: &mut Config) -> Result<Server> {
    match Server::start(place, config).await {
        Err(error) if error.kind() == ErrorKind::Unavailable => {
            any_port(config);
            Ok(Server::start(place, config).await?)
        }
        started => Ok(started?),
    }
}
