//! The parts of a running archive: HTTP, SFTP, the work of the queue and what the clock brings.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use archive::{Archive, DoorMode, Error, FrontDoor, Result, StandingDoor, job::Job, ports::Queue as _};
use sftp::HostKey;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{assemble::Place, config::Config, first_password, worker::Workers};

/// Steps that are done side by side.
const WORKERS: u32 = 2;
/// How often the timetable is looked at.
const TICK: Duration = Duration::from_secs(5);
const SWEEP_EVERY: Duration = Duration::from_hours(1);
/// A step in hand at the end has so long; it is safe to cut it off.
const GRACE: Duration = Duration::from_secs(10);

/// A running server. Dropping it ends everything at once, which is safe: the next start goes on.
pub(crate) struct Server {
    pub(crate) http: SocketAddr,
    pub(crate) sftp: SocketAddr,
    /// The SFTP host key's: `SHA256:…`.
    pub(crate) fingerprint: String,
    /// Whether nobody served this folder before.
    pub(crate) is_first_start: bool,
    doors: JoinSet<Result<()>>,
    clock: JoinHandle<()>,
    workers: Option<Workers>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Binds both addresses and starts everything but the work, see [`Self::work`]. `Invalid` for an address that is none, `Unavailable` for one that is
    /// taken.
    pub(crate) async fn start(place: &Place, config: &Config) -> Result<Self> {
        let http = bind(&config.http).await?;
        let sftp = bind(&config.sftp).await?;
        let host_key_file = config.data.join("keys/sftp-host-key");
        let is_first_start = !host_key_file.exists();
        let host_key = HostKey::load_or_create(&host_key_file, &*place.local.random)?;
        let fingerprint = host_key.fingerprint();
        let (http_address, sftp_address) = (address(&http)?, address(&sftp)?);
        place.local.lock.announce(&format!("http://{http_address}"))?;

        let (stop, stopped) = watch::channel(false);
        let mut doors = JoinSet::new();
        let door = StandingDoor::at(&sftp_address.ip().to_string(), sftp_address.port(), &fingerprint);
        let door = FrontDoor { mode: DoorMode::Always, port: Arc::new(door) };
        let archive = Archive { door, ..place.archive.clone() };
        let options =
            api::Options { events: true, metrics_open: http_address.ip().is_loopback(), ..place.api_options(config) };
        let router = api::router(archive, options);
        let router = first_password::watched(router, place.archive.clone(), &config.data);
        doors.spawn(api::serve(http, router, told(stopped.clone())));
        let options = sftp::Options { quota_bytes: config.upload_quota_bytes, ..sftp::Options::default() };
        let landing = place.landings.clone();
        doors.spawn(sftp::serve(sftp, place.archive.clone(), landing, host_key, options, told(stopped)));
        Ok(Self {
            http: http_address,
            sftp: sftp_address,
            fingerprint,
            is_first_start,
            doors,
            clock: tokio::spawn(keep_time(place.clone())),
            workers: None,
            stop,
        })
    }

    /// Starts to do what the queue brings, with so many imports side by side as the configuration says. Nobody but a
    /// server bounds that: a command does its own imports, whatever others were cut off.
    pub(crate) fn work(&mut self, place: &Place, config: &Config) {
        let mut place = place.clone();
        place.archive.sizes.imports = Some(config.imports_at_once);
        self.workers = Some(Workers::start(&place, WORKERS));
    }

    /// Completes when a part ended by itself, which is an error.
    pub(crate) async fn broken(&mut self) -> Error {
        match self.doors.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => Error::internal("a part of the server broke off").caused_by(error),
            Some(Ok(Ok(()))) | None => Error::internal("a part of the server ended"),
        }
    }

    /// Takes no more, and ends what is under way within some seconds.
    pub(crate) async fn stop(mut self) {
        self.clock.abort();
        self.stop.send_replace(true);
        let doors = async { while self.doors.join_next().await.is_some() {} };
        let work = async {
            if let Some(workers) = self.workers {
                workers.stop(GRACE).await;
            }
        };
        let (doors, ()) = tokio::join!(tokio::time::timeout(GRACE, doors), work);
        if doors.is_err() {
            tracing::info!("connections are cut off");
        }
    }
}

async fn bind(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let error_of =
            if error.kind() == std::io::ErrorKind::InvalidInput { Error::invalid } else { Error::unavailable };
        error_of(format!("{address} cannot be served on"))
            .hint("choose other addresses with --http and --sftp, as HOST:PORT")
            .caused_by(error)
    })
}

fn address(listener: &TcpListener) -> Result<SocketAddr> {
    listener.local_addr().map_err(|error| Error::internal("a listener without an address").caused_by(error))
}

async fn told(mut stop: watch::Receiver<bool>) {
    // An error means that the server was dropped, which is the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Sends the jobs whose time has come, and a sweep at the start and every hour.
async fn keep_time(place: Place) {
    let mut next_sweep = Duration::ZERO;
    loop {
        if place.archive.clock.boot() >= next_sweep {
            next_sweep = place.archive.clock.boot() + SWEEP_EVERY;
            log(place.local.queue.send(&Job::Sweep, Duration::ZERO).await);
        }
        log(send_due(&place).await);
        tokio::time::sleep(TICK).await;
    }
}

async fn send_due(place: &Place) -> Result<()> {
    for schedule in place.local.schedules.due(place.archive.clock.now()).await? {
        place.local.queue.send(&schedule.job, Duration::ZERO).await?;
    }
    Ok(())
}

fn log(sent: Result<()>) {
    if let Err(error) = sent {
        tracing::error!("a job could not be sent: {error}");
    }
}
