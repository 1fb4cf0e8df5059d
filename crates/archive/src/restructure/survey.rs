//! What lies where by some reports, beside what the catalogue holds of it already. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};

use super::folder_path;
use crate::{
    Archive, FolderPath, MailboxAddress, PlacementKey, Result,
    import::{Contents, Mails, Placed},
    ports::{MAX_ROWS_PER_CALL, Scope},
};

/// So many entries are held at a time, some 100 MB. Of more, each pass over the slices takes the mails whose hashes
/// begin alike, so that a mail that occurs twice is still counted once.
const PASS_ENTRIES: u64 = 500_000;
const MOST_PASSES: u64 = 256;

/// A report, and where the mails of each user archive of it belong.
pub(super) struct Part {
    pub(super) contents: Contents,
    pub(super) addresses: BTreeMap<String, MailboxAddress>,
}

/// One mailbox as the reports want it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Surveyed {
    /// Those that mails lie in, without their parents.
    pub(super) folders: BTreeSet<FolderPath>,
    /// Distinct ones.
    pub(super) mails: u64,
    pub(super) placements: u64,
    /// Those of the placements that are there.
    pub(super) there: u64,
}

impl Archive {
    /// By mailbox, in a bounded amount of memory however many mails there are.
    pub(super) async fn survey(&self, parts: &[Part]) -> Result<BTreeMap<MailboxAddress, Surveyed>> {
        let entries: u64 = parts.iter().flat_map(|part| &part.contents.slices).map(|slice| slice.entries).sum();
        self.survey_in(parts, (entries / PASS_ENTRIES + 1).min(MOST_PASSES)).await
    }

    pub(super) async fn survey_in(&self, parts: &[Part], passes: u64) -> Result<BTreeMap<MailboxAddress, Surveyed>> {
        let mut mailboxes: BTreeMap<MailboxAddress, Surveyed> = BTreeMap::new();
        for pass in 0..passes {
            let mut gathered = Gathered::default();
            for part in parts {
                for slice in &part.contents.slices {
                    let entries = self.slice(slice).await?.into_iter();
                    let placed = entries.filter_map(|entry| entry.outcome.placed());
                    let own = placed.filter(|placed| u64::from(placed.hash.0[0]) % passes == pass);
                    own.for_each(|placed| gathered.add(&part.addresses, &placed));
                }
            }
            self.count_gathered(gathered, &mut mailboxes).await?;
        }
        Ok(mailboxes)
    }

    async fn count_gathered(
        &self,
        gathered: Gathered<'_>,
        mailboxes: &mut BTreeMap<MailboxAddress, Surveyed>,
    ) -> Result<()> {
        for (address, folders) in gathered.0 {
            let surveyed = mailboxes.entry(address.clone()).or_default();
            let mut whole = Mails::default();
            for (path, mails) in folders {
                whole.add_all(&mails);
                surveyed.folders.insert(path.clone());
                let keys = mails.into_keys();
                surveyed.placements += keys.len() as u64;
                surveyed.there += self.count_placed(&Scope::Folder(address.clone(), path), &keys).await?;
            }
            surveyed.mails += whole.into_keys().len() as u64;
        }
        Ok(())
    }

    /// How many of these mails lie in the list.
    pub(crate) async fn count_placed(&self, scope: &Scope, keys: &[PlacementKey]) -> Result<u64> {
        let mut count = 0;
        for some in keys.chunks(MAX_ROWS_PER_CALL) {
            count += self.catalog.placed(scope, some).await?.iter().flatten().count() as u64;
        }
        Ok(count)
    }
}

/// The placements of some entries, by mailbox and folder.
#[derive(Default)]
struct Gathered<'a>(BTreeMap<&'a MailboxAddress, BTreeMap<FolderPath, Mails>>);

impl<'a> Gathered<'a> {
    fn add(&mut self, addresses: &'a BTreeMap<String, MailboxAddress>, placed: &Placed) {
        for location in &placed.locations {
            let Some((archive, path)) = location.split_first() else { continue };
            let Some(address) = addresses.get(archive) else { continue };
            let mails = self.0.entry(address).or_default().entry(folder_path(path)).or_default();
            mails.add(placed.hash, placed.message_date, placed.flags);
        }
    }
}
