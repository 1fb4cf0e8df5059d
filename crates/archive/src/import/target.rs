//! The first part of closing an import: its mails into the target mailbox, batch by batch, over as many turns as it takes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Import, Mails, SliceRef};
use crate::{
    Archive, ErrorKind, FolderPath, ImportId, Result,
    lease::{Holder, Lease, Leased},
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

    /// One flat folder per export, a mail once; and the lists of the whole mailbox and of the whole archive. False if the
    /// time was up before all was placed; one batch at least is placed in any case.
    pub(super) async fn place_in_target(
        &self,
        import: &Import,
        slices: &[SliceRef],
        lease: &mut Lease<Closing>,
        stop: Duration,
    ) -> Result<bool> {
        let folder = FolderPath(vec![import.export_name.clone()]);
        loop {
            let mut mails = Mails::default();
            let take = |placed: super::Placed| {
                mails.add(placed.hash, placed.message_date, placed.flags);
                1
            };
            let Some(entries) = self.take_batch(slices, lease.value().next, stop, take).await? else {
                return Ok(true);
            };
            self.catalog.create_folders(&import.mailbox, std::slice::from_ref(&folder)).await?;
            let (run, keys) = (format!("import {} {}-{}", import.id, entries.start, entries.end), mails.into_keys());
            let (mailbox, all) = (import.mailbox.clone(), Scope::All);
            for scope in [all, Scope::Mailbox(mailbox.clone()), Scope::Folder(mailbox, folder.clone())] {
                lease.renew(self).await?;
                self.catalog.place(&run, &scope, &keys).await?;
            }
            let now = self.clock.now();
            lease.save(self, |closing| (closing.next, closing.touched) = (entries.end, now)).await?;
            let is_last = slices.last().is_none_or(|slice| slice.end() <= entries.end);
            if !is_last && self.clock.boot() >= stop {
                return Ok(false);
            }
        }
    }
}
