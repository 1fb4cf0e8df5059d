//! The first part of closing an import: its mails into the target mailbox, batch by batch, over as many turns as it takes.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Import, Mails, Placed, SliceRef};
use crate::{
    Archive, Error, ErrorKind, FolderPath, ImportId, MailboxAddress, Result,
    lease::{Holder, Lease, Leased},
    mailbox::{Mailbox, Origin},
    ports::Scope,
    records::Record,
};

/// An import that is being closed, by one worker at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Closing {
    import: ImportId,
    /// The first entry that was not placed yet.
    next: u64,
    /// When it was last moved forward.
    pub(super) touched: i64,
    pub(super) holder: Option<Holder>,
}

impl Record for Closing {
    const KIND: &'static str = "closing";
    fn id(&self) -> String {
        self.import.to_string()
    }
}

impl Leased for Closing {
    fn holder(&mut self) -> &mut Option<Holder> {
        &mut self.holder
    }
}

impl Archive {
    /// The right to close the import; none while another worker has it.
    pub(super) async fn take_closing(&self, id: &ImportId) -> Result<Option<Lease<Closing>>> {
        let closing = match self.find::<Closing>(&id.0).await? {
            Some(closing) => closing,
            None => match self.add(&self.new_closing(id)).await {
                Err(e) if e.kind() == ErrorKind::Conflict => return Ok(None),
                added => added?,
            },
        };
        Lease::take(self, closing).await
    }

    fn new_closing(&self, id: &ImportId) -> Closing {
        Closing { import: id.clone(), next: 0, touched: self.clock.now(), holder: None }
    }

    /// One flat folder per export, a mail once; the mails of a foreign file lie in its folders. And the lists of the whole
    /// mailbox and of the whole archive. False if the time was up before all was placed; one batch at least is placed in any
    /// case.
    pub(super) async fn place_in_target(
        &self,
        import: &Import,
        slices: &[SliceRef],
        lease: &mut Lease<Closing>,
        stop: Duration,
    ) -> Result<bool> {
        loop {
            let mut gathered = Gathered::of(import);
            let take = |placed| gathered.add(placed);
            let Some(entries) = self.take_batch(slices, lease.value().next, stop, take).await? else {
                return Ok(true);
            };
            let run = format!("import {} {}-{}", import.id, entries.start, entries.end);
            self.place_in_folders(&import.mailbox, &run, gathered, lease).await?;
            let now = self.clock.now();
            lease.save(self, |closing| (closing.next, closing.touched) = (entries.end, now)).await?;
            let is_last = slices.last().is_none_or(|slice| slice.end() <= entries.end);
            if !is_last && self.clock.boot() >= stop {
                return Ok(false);
            }
        }
    }

    async fn place_in_folders(
        &self,
        mailbox: &MailboxAddress,
        run: &str,
        gathered: Gathered,
        lease: &mut Lease<Closing>,
    ) -> Result<()> {
        let Gathered { export, all, folders } = gathered;
        let paths: Vec<_> = export.iter().chain(folders.keys()).cloned().collect();
        self.catalog.create_folders(mailbox, &paths).await?;
        let export = export.map(|folder| Scope::Folder(mailbox.clone(), folder));
        let keys = all.into_keys();
        for scope in [Scope::All, Scope::Mailbox(mailbox.clone())].into_iter().chain(export) {
            lease.renew(self).await?;
            self.catalog.place(run, &scope, &keys).await?;
        }
        for (folder, mails) in folders {
            lease.renew(self).await?;
            self.catalog.place(run, &Scope::Folder(mailbox.clone(), folder), &mails.into_keys()).await?;
        }
        Ok(())
    }
}

/// The mails of some slices, all of them and by folder.
struct Gathered {
    /// The one folder that all mails of a volume lie in; it is there even if there are none.
    export: Option<FolderPath>,
    all: Mails,
    /// Those of a foreign file.
    folders: BTreeMap<FolderPath, Mails>,
}

impl Gathered {
    fn of(import: &Import) -> Self {
        let export = (!import.is_foreign()).then(|| FolderPath(vec![import.export_name.clone()]));
        Self { export, all: Mails::default(), folders: BTreeMap::new() }
    }

    /// Answers how many placements that makes.
    fn add(&mut self, placed: Placed) -> usize {
        let Placed { hash, message_date, flags, folders, .. } = placed;
        self.all.add(hash, message_date, flags);
        let count = folders.len().max(1);
        for folder in folders {
            self.folders.entry(folder).or_default().add(hash, message_date, flags);
        }
        count
    }
}

/// A volume holds the mails of many people, in one folder of its target. In the mailbox of one of them all would see them
/// who see that one's, and nothing takes them out again.
pub(super) fn takes_volumes(mailbox: &Mailbox) -> Result<()> {
    let Some(archive) = mailbox.user_archive.as_ref().filter(|_| mailbox.origin == Origin::Restructure) else {
        return Ok(());
    };
    let text = format!("mailbox {} recreates user archive {archive:?}, and takes in no volume", mailbox.address);
    let hint = "choose another mailbox, or a new one: restructure brings each mail to where it belongs";
    Err(Error::conflict(text).code("mailbox_recreated").hint(hint))
}
