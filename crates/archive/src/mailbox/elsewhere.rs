//! Whether mails lie in other mailboxes too.

use std::collections::{BTreeMap, BTreeSet};

use super::Mailbox;
use crate::{Archive, MailHash, MailboxAddress, PlacementKey, Result, ports::Scope};

impl Archive {
    /// Those of these mails (at most so many as `locate` takes) that lie in none of these mailboxes.
    ///
    /// Each mail is looked for first where its user archives were recreated, which is where nearly all are found.
    pub(super) async fn in_none_of(&self, mailboxes: &[Mailbox], keys: &[PlacementKey]) -> Result<Vec<PlacementKey>> {
        let hashes: Vec<MailHash> = keys.iter().map(|key| key.hash).collect();
        let mut by_archive: BTreeMap<&str, Vec<&MailboxAddress>> = BTreeMap::new();
        for mailbox in mailboxes {
            if let Some(archive) = &mailbox.user_archive {
                by_archive.entry(archive).or_default().push(&mailbox.address);
            }
        }
        let mut likely: BTreeMap<&MailboxAddress, Vec<PlacementKey>> = BTreeMap::new();
        for (key, row) in keys.iter().zip(self.catalog.locate(&hashes).await?) {
            let locations = row.map(|row| row.locations).unwrap_or_default();
            let archives: BTreeSet<_> = locations.iter().filter_map(|location| location.first()).collect();
            for address in archives.into_iter().filter_map(|archive| by_archive.get(archive.as_str())).flatten() {
                likely.entry(address).or_default().push(*key);
            }
        }
        let mut left = keys.to_vec();
        for (address, keys) in likely {
            self.leave_out_placed(address, &keys, &mut left).await?;
        }
        for mailbox in mailboxes {
            if left.is_empty() {
                break;
            }
            let keys = left.clone();
            self.leave_out_placed(&mailbox.address, &keys, &mut left).await?;
        }
        Ok(left)
    }

    /// Strikes out those of the keys that lie in the mailbox.
    async fn leave_out_placed(
        &self,
        mailbox: &MailboxAddress,
        keys: &[PlacementKey],
        left: &mut Vec<PlacementKey>,
    ) -> Result<()> {
        let placed = self.catalog.placed(&Scope::Mailbox(mailbox.clone()), keys).await?;
        let placed: BTreeSet<PlacementKey> = placed.into_iter().flatten().collect();
        left.retain(|key| !placed.contains(key));
        Ok(())
    }
}
