//! The archive of a stack, put together from the adapters: for a function, or for a command that is run beside them.

use std::{path::PathBuf, sync::Arc};

use archive::{
    Archive, Domain, DoorMode, Error, FrontDoor, Result, Sizes, ViewRoom, VolumesInHand, Worker,
    hash::to_hex,
    ports::{Objects, Queue, Random, Schedules},
};

use crate::{
    Bucket, Clients, Door, DynamoCatalog, KeyArns, KmsKeys, Markers, Nothing, Queues, Scheduler, Settings, SystemClock,
    SystemRandom, Uploads, absent::Absent,
};

/// The archive as far as the settings go. It works as a process that was never there before, and shares the stack with
/// others; `scratch` is a folder that it may write to.
pub fn archive(clients: &Clients, settings: &Settings, scratch: PathBuf) -> Result<Archive> {
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let objects: Arc<dyn Objects> = match &settings.archive_bucket {
        Some(name) => Arc::new(bucket(clients, settings, name)),
        None => Arc::new(Nothing),
    };
    let queue: Arc<dyn Queue> = match &settings.queues {
        Some(urls) => Arc::new(Queues::new(clients, urls.clone())),
        None => Arc::new(Absent),
    };
    let schedules: Arc<dyn Schedules> = match &settings.schedules {
        Some(schedules) => Arc::new(Scheduler::new(clients, schedules.clone(), Arc::new(SystemClock))),
        None => Arc::new(Absent),
    };
    let keys = KeyArns {
        wrap: settings.wrap_key.clone(),
        agreement: settings.agreement_key.clone(),
        signing: settings.signing_key.clone(),
    };
    Ok(Archive {
        objects,
        uploads: Arc::new(Uploads::new(Arc::new(bucket(clients, settings, &settings.uploads_bucket)))),
        files: Arc::new(Nothing),
        catalog: Arc::new(catalog(clients, settings)),
        queue,
        schedules,
        keys: Arc::new(KmsKeys::new(clients, keys)),
        clock: Arc::new(SystemClock),
        door: door(clients, settings, &random)?,
        scratch,
        worker: Worker { process: process_id(&*random), number: 0, alone: false, lease: Worker::LEASE },
        domain: settings.domain.as_deref().map(Domain::parse).transpose()?,
        sizes: Sizes::default(),
        in_hand: VolumesInHand::default(),
        view_room: ViewRoom::default(),
        random,
    })
}

/// The catalogue alone.
pub fn catalog(clients: &Clients, settings: &Settings) -> DynamoCatalog {
    DynamoCatalog::new(clients, &settings.table, Arc::new(SystemClock), &SystemRandom)
}

/// The markers beside the uploads.
pub fn markers(clients: &Clients, settings: &Settings) -> Markers {
    Markers::new(Arc::new(bucket(clients, settings, &settings.uploads_bucket)))
}

fn bucket(clients: &Clients, settings: &Settings, name: &str) -> Bucket {
    Bucket::new(clients, name, settings.wrap_key.as_deref(), Arc::new(SystemRandom))
}

fn door(clients: &Clients, settings: &Settings, random: &Arc<dyn Random>) -> Result<FrontDoor> {
    // Without a door too: a server that stands from an earlier setting must be found and closed.
    match &settings.door {
        Some(door) if door.login_function.is_some() => {
            let port = Arc::new(Door::new(clients, door.clone(), random.clone())?);
            Ok(FrontDoor { mode: door.mode, port })
        }
        Some(door) if door.mode != DoorMode::None => {
            Err(Error::invalid("the SFTP door cannot be made: the login function is not set"))
        }
        _ => Ok(FrontDoor::none()),
    }
}

/// Never used before.
fn process_id(random: &dyn Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    to_hex(&bytes)
}
