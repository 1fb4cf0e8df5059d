//! The archive of one data folder, put together from the adapters of one machine.

use std::sync::Arc;

use archive::{
    Archive, FrontDoor, Result, Sealed, Sizes, ViewRoom, VolumesInHand, Worker,
    hash::to_hex,
    ports::{Random as _, Scope},
};
use local::{Landings, Local};

use crate::{config::Config, first_password};

/// An open data folder; it is ours until this is dropped.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) archive: Archive,
    pub(crate) local: Arc<Local>,
    pub(crate) landings: Arc<Landings>,
}

impl Place {
    /// Opens the data folder and makes it first if need be. `Unavailable` if another process owns it.
    pub(crate) async fn open(config: &Config) -> Result<Self> {
        Self::of(Local::open_with(&config.data, config.key_passphrase.as_deref())?, config).await
    }

    /// Makes the catalogue anew from the objects and opens the folder with it; the old one stays in force until the new
    /// one is whole. Answers what of the objects cannot be read.
    pub(crate) async fn rebuild(config: &Config) -> Result<(Self, Vec<String>)> {
        let known = keep_what_only_rows_tell(config).await;
        let local = Local::open_anew(&config.data, config.key_passphrase.as_deref())?;
        let archive = archive_of(&local, config);
        let mut faults = archive.rebuild().await?;
        let told = archive.catalog.count(&Scope::All).await?;
        if told < known {
            let kept = local.keep_catalogue()?;
            faults.push(format!(
                "the catalogue before knew {known} mails, and the objects tell of {told}: it is kept as {kept}; put back the \
                 objects that are missing (reports, slices, packs), and run `postkahn rebuild` again"
            ));
        }
        Ok((Self::of(local.replace_catalogue()?, config).await?, faults))
    }

    async fn of(local: Local, config: &Config) -> Result<Self> {
        let local = Arc::new(local);
        let landings = Arc::new(Landings::open(&config.data.join("uploads/partial"), local.uploads.clone())?);
        let archive = archive_of(&local, config);
        archive.keep_older_records().await?;
        first_password::make_first_user(&archive, &config.data).await?;
        Ok(Self { archive, local, landings })
    }

    /// What this machine offers to the HTTP interface beyond the archive itself.
    pub(crate) fn api_options(&self, config: &Config) -> api::Options {
        let jobs = self.local.queue.clone();
        api::Options {
            landing: Some(self.landings.clone()),
            quota_bytes: config.upload_quota_bytes,
            jobs_waiting: Some(Arc::new(move || {
                let jobs = jobs.clone();
                Box::pin(async move { Ok(jobs.counts().await?.waiting) })
            })),
            ..api::Options::default()
        }
    }
}

/// What people have decided, and the old catalogue alone tells, is kept as far as that can be read: in folders of before records
/// were objects too, and where such an object is gone or damaged. Answers how many mails the old catalogue knows.
async fn keep_what_only_rows_tell(config: &Config) -> u64 {
    let Ok(old) = Local::open_with(&config.data, config.key_passphrase.as_deref()) else { return 0 };
    let old = archive_of(&old, config);
    if let Err(error) = old.keep_lone_rows().await {
        tracing::warn!(%error, "records of the old catalogue could not be kept as objects");
    }
    old.catalog.count(&Scope::All).await.unwrap_or(0)
}

fn archive_of(local: &Local, config: &Config) -> Archive {
    Archive {
        // What is kept is sealed; uploads, which are deleted soon, and the scratch folder are not.
        objects: Arc::new(Sealed::new(local.objects.clone(), local.keys.clone(), local.random.clone())),
        uploads: local.uploads.clone(),
        files: local.files.clone(),
        catalog: local.catalog.clone(),
        queue: local.queue.clone(),
        schedules: local.schedules.clone(),
        keys: local.keys.clone(),
        clock: local.clock.clone(),
        random: local.random.clone(),
        door: FrontDoor::none(),
        scratch: local.scratch.clone(),
        // The lock on the folder makes it so.
        worker: Worker { process: worker_id(local), number: 0, alone: true, lease: Worker::LEASE },
        domain: config.domain.clone(),
        sizes: Sizes::default(),
        in_hand: VolumesInHand::default(),
        view_room: ViewRoom::default(),
    }
}

fn worker_id(local: &Local) -> String {
    let mut bytes = [0; 16];
    local.random.fill(&mut bytes);
    to_hex(&bytes)
}
