//! The mapping: which address a user archive gets.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    Archive, Error, MailHash, MailboxAddress, Result,
    import::{Contents, Import, Mails, Report},
    mailbox::{Mailbox, Origin},
    ports::Scope,
    records::Record,
};

/// Waiting mails are counted up to so many entries: the table is asked for often, and each slice must be read for that.
const COUNTED_ENTRIES: u64 = 200_000;

/// An address that somebody set for a user archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mapping {
    pub(crate) archive: String,
    pub(crate) address: MailboxAddress,
}

impl Record for Mapping {
    const KIND: &'static str = "mapping";
    const KEPT: bool = true;
    fn id(&self) -> String {
        id_of(&self.archive)
    }
}

/// Names of user archives may hold anything and be long; ids of documents may not.
fn id_of(archive: &str) -> String {
    MailHash::of(archive.as_bytes()).to_string()
}

/// Where an address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MappingSource {
    /// Somebody set it.
    Mapping,
    /// The user archive is an address itself.
    Address,
    /// Name and default domain.
    Default,
}

/// One user archive and the address that it has or would get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingRow {
    pub archive: String,
    /// None where a domain is needed and none is configured.
    pub address: Option<MailboxAddress>,
    pub source: MappingSource,
    /// Another archive has the same address, or a mailbox that is not this archive's: a run of restructure would place
    /// nothing of it. What has all of its mails in its own mailbox is in conflict with nobody.
    pub conflict: bool,
    /// The other archives that want this address, the one included that its mailbox was recreated from.
    pub conflict_with: Vec<String>,
    /// How the mailbox of this address came to be; none if there is none yet.
    pub mailbox: Option<Origin>,
    /// Mailboxes of other addresses that were recreated from this archive: what was placed there stays there.
    pub elsewhere: Vec<MailboxAddress>,
    /// Distinct mails of this archive that reports name which wait for restructure, and that its mailbox does not hold. None
    /// where so many entries wait that counting them takes its time: a preview of restructure does.
    pub mails_waiting: Option<u64>,
}

/// Archives that cannot be told apart by address: none of them is placed until the mapping says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    pub address: MailboxAddress,
    pub archives: Vec<String>,
    /// How the mailbox came to be that is in the way; none if the archives are in each other's.
    #[serde(default)]
    pub mailbox: Option<Origin>,
}

/// The addresses of some user archives, conflicts set apart.
pub(crate) struct Plan {
    pub(crate) addresses: BTreeMap<String, MailboxAddress>,
    pub(crate) conflicts: Vec<Conflict>,
}

impl Archive {
    /// Sets the address of a user archive; what was placed already stays where it is.
    pub async fn set_mapping(&self, archive: &str, address: &MailboxAddress) -> Result<MappingRow> {
        if archive.is_empty() {
            return Err(Error::invalid("a user archive has a name"));
        }
        self.put(Mapping { archive: archive.into(), address: address.clone() }).await?;
        self.mapping_of(archive).await
    }

    /// Takes back an address that somebody set, so that the default holds again; `NotFound` if nobody did.
    pub async fn reset_mapping(&self, archive: &str) -> Result<MappingRow> {
        if !self.drop_record::<Mapping>(None, &id_of(archive)).await? {
            return Err(Error::not_found(format!("nobody has set an address for user archive {archive:?}")));
        }
        self.mapping_of(archive).await
    }

    async fn mapping_of(&self, archive: &str) -> Result<MappingRow> {
        let row = self.mapping_with(Some(archive)).await?.into_iter().find(|row| row.archive == archive);
        row.ok_or_else(|| Error::internal(format!("user archive {archive:?} is missing in the mapping")))
    }

    /// Every user archive that the report of a volume has named or somebody has set, with its address: a preview of
    /// restructure.
    pub async fn mapping(&self) -> Result<Vec<MappingRow>> {
        self.mapping_with(None).await
    }

    /// The rows, with one for this archive in any case.
    async fn mapping_with(&self, archive: Option<&str>) -> Result<Vec<MappingRow>> {
        let set = self.set_addresses().await?;
        let mut archives: BTreeSet<String> = set.keys().cloned().chain(archive.map(str::to_owned)).collect();
        let mut waiting = Vec::new();
        for report in self.all::<Report>(None).await? {
            let contents = self.report_contents(&report).await?;
            // The folders of a foreign file become no mailboxes, whatever they are called.
            if contents.row.as_ref().is_some_and(Import::is_foreign) {
                continue;
            }
            archives.extend(contents.user_archives.iter().cloned());
            waiting.extend((!report.done).then_some(contents));
        }
        let mut addresses = BTreeMap::new();
        for archive in archives {
            let address = self.address_of(&archive, &set)?;
            addresses.insert(archive, address);
        }
        let mailboxes = self.mailbox_rows().await?;
        let clashes = Clashes::of(&addresses, &waiting, &mailboxes);
        let recreated = by_user_archive(&mailboxes);
        let mut waiting = self.mails_of(&waiting).await?;
        let mut rows = Vec::new();
        for (archive, (address, source)) in addresses {
            let mailbox = address.as_ref().and_then(|address| mailboxes.get(address));
            let mails_waiting = match &mut waiting {
                Some(mails) => Some(self.count_missing(&archive, mailbox, mails.remove(&archive)).await?),
                None => None,
            };
            let conflict = clashes.of_archive(&archive, mailbox);
            let others = conflict.map(|conflict| &conflict.archives).into_iter().flatten();
            let placed_in = recreated.get(archive.as_str()).into_iter().flatten().copied();
            rows.push(MappingRow {
                conflict: conflict.is_some(),
                conflict_with: others.filter(|other| **other != archive).cloned().collect(),
                mailbox: mailbox.map(|mailbox| mailbox.origin),
                elsewhere: placed_in.filter(|placed| Some(*placed) != address.as_ref()).cloned().collect(),
                mails_waiting,
                archive,
                address,
                source,
            });
        }
        Ok(rows)
    }

    /// By user archive, the mails that these reports name; none if they are too many to be counted now.
    async fn mails_of(&self, reports: &[Contents]) -> Result<Option<BTreeMap<String, Mails>>> {
        let slices = || reports.iter().flat_map(|report| &report.slices);
        if slices().map(|slice| slice.entries).sum::<u64>() > COUNTED_ENTRIES {
            return Ok(None);
        }
        let mut mails: BTreeMap<String, Mails> = BTreeMap::new();
        for slice in slices() {
            for placed in self.slice(slice).await?.into_iter().filter_map(|entry| entry.outcome.placed()) {
                for archive in placed.locations.into_iter().filter_map(|location| location.into_iter().next()) {
                    mails.entry(archive).or_default().add(placed.hash, placed.message_date, placed.flags);
                }
            }
        }
        Ok(Some(mails))
    }

    /// How many of these mails of a user archive its mailbox does not hold.
    async fn count_missing(&self, archive: &str, mailbox: Option<&Mailbox>, mails: Option<Mails>) -> Result<u64> {
        let keys = mails.unwrap_or_default().into_keys();
        let there = match mailbox.filter(|mailbox| mailbox.user_archive.as_deref() == Some(archive)) {
            Some(own) => self.count_placed(&Scope::Mailbox(own.address.clone()), &keys).await?,
            None => 0,
        };
        Ok(keys.len() as u64 - there)
    }

    /// The addresses of these archives; `Invalid` if one needs a domain and there is none.
    pub(crate) async fn plan_addresses(&self, archives: &BTreeSet<String>) -> Result<Plan> {
        let set = self.set_addresses().await?;
        let mut addresses = BTreeMap::new();
        for archive in archives {
            let (address, _) = self.address_of(archive, &set)?;
            let address = address.ok_or_else(|| {
                Error::invalid(format!("user archive {archive:?} needs a domain to become a mailbox"))
                    .code("domain_needed")
                    .hint("give --domain, or set `domain` in the configuration, or map the archive to an address")
            })?;
            addresses.insert(archive.clone(), address);
        }
        let conflicts = conflicts(&addresses, &self.mailbox_rows().await?);
        addresses.retain(|archive, _| !conflicts.iter().any(|conflict| conflict.archives.contains(archive)));
        Ok(Plan { addresses, conflicts })
    }

    async fn set_addresses(&self) -> Result<BTreeMap<String, MailboxAddress>> {
        Ok(self.all::<Mapping>(None).await?.into_iter().map(|row| (row.archive, row.address)).collect())
    }

    fn address_of(
        &self,
        archive: &str,
        set: &BTreeMap<String, MailboxAddress>,
    ) -> Result<(Option<MailboxAddress>, MappingSource)> {
        if let Some(address) = set.get(archive) {
            return Ok((Some(address.clone()), MappingSource::Mapping));
        }
        let source =
            if MailboxAddress::parse(archive).is_ok() { MappingSource::Address } else { MappingSource::Default };
        Ok((MailboxAddress::recreated(archive, self.domain.as_ref())?, source))
    }

    async fn mailbox_rows(&self) -> Result<BTreeMap<MailboxAddress, Mailbox>> {
        let mailboxes = self.all::<Mailbox>(None).await?;
        Ok(mailboxes.into_iter().map(|mailbox| (mailbox.address.clone(), mailbox)).collect())
    }
}

/// The conflicts of the mapping's rows.
struct Clashes {
    waiting: BTreeSet<String>,
    /// Those that a run would meet now.
    now: Vec<Conflict>,
    /// Those that it would meet if all archives waited.
    later: Vec<Conflict>,
}

impl Clashes {
    fn of(
        addresses: &BTreeMap<String, (Option<MailboxAddress>, MappingSource)>,
        waiting: &[Contents],
        mailboxes: &BTreeMap<MailboxAddress, Mailbox>,
    ) -> Self {
        let waiting: BTreeSet<String> = waiting.iter().flat_map(|report| report.user_archives.clone()).collect();
        let all = addresses.iter().filter_map(|(archive, (address, _))| Some((archive.clone(), address.clone()?)));
        let all: BTreeMap<String, MailboxAddress> = all.collect();
        let later = conflicts(&all, mailboxes);
        let due: BTreeMap<_, _> = all.into_iter().filter(|(archive, _)| waiting.contains(archive)).collect();
        Self { now: conflicts(&due, mailboxes), later, waiting }
    }

    /// What waits is judged as a run does it; what does not may meet anybody once it comes, unless it has its mailbox.
    fn of_archive(&self, archive: &str, mailbox: Option<&Mailbox>) -> Option<&Conflict> {
        let waits = self.waiting.contains(archive);
        if !waits && mailbox.is_some_and(|mailbox| mailbox.user_archive.as_deref() == Some(archive)) {
            return None;
        }
        let conflicts = if waits { &self.now } else { &self.later };
        conflicts.iter().find(|conflict| conflict.archives.iter().any(|name| name == archive))
    }
}

/// Archives with one address, or with that of a mailbox which is not theirs. Nothing is merged by itself.
fn conflicts(
    addresses: &BTreeMap<String, MailboxAddress>,
    mailboxes: &BTreeMap<MailboxAddress, Mailbox>,
) -> Vec<Conflict> {
    let mut by_address: BTreeMap<&MailboxAddress, Vec<String>> = BTreeMap::new();
    for (archive, address) in addresses {
        by_address.entry(address).or_default().push(archive.clone());
    }
    let conflict = |(address, mut archives): (&MailboxAddress, Vec<String>)| {
        let taken = mailboxes.get(address).filter(|mailbox| !is_recreated_from(mailbox, &archives));
        archives.extend(taken.and_then(|mailbox| mailbox.user_archive.clone()));
        let mailbox = taken.map(|mailbox| mailbox.origin);
        let is_one = taken.is_some() || archives.len() > 1;
        is_one.then(|| Conflict { address: address.clone(), archives, mailbox })
    };
    by_address.into_iter().filter_map(conflict).collect()
}

/// The mailboxes that were recreated from each user archive: several, if its address was changed in between.
fn by_user_archive(mailboxes: &BTreeMap<MailboxAddress, Mailbox>) -> BTreeMap<&str, Vec<&MailboxAddress>> {
    let mut recreated: BTreeMap<&str, Vec<&MailboxAddress>> = BTreeMap::new();
    for (address, mailbox) in mailboxes {
        if let Some(archive) = &mailbox.user_archive {
            recreated.entry(archive).or_default().push(address);
        }
    }
    recreated
}

fn is_recreated_from(mailbox: &Mailbox, archives: &[String]) -> bool {
    mailbox.origin == Origin::Restructure && mailbox.user_archive.as_ref().is_some_and(|own| archives.contains(own))
}
