//! The mapping: which address a user archive gets.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    Archive, Error, MailboxAddress, Result,
    import::Report,
    mailbox::{Mailbox, Origin},
    records::Record,
};

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
        // Names of user archives may hold anything and be long; ids of documents may not.
        crate::MailHash::of(self.archive.as_bytes()).to_string()
    }
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
    /// Another archive has the same address, or a mailbox that is no recreated one.
    pub conflict: bool,
}

/// Archives that cannot be told apart by address: none of them is placed until the mapping says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    pub address: MailboxAddress,
    pub archives: Vec<String>,
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
        let rows = self.mapping().await?;
        let set = rows.into_iter().find(|row| row.archive == archive);
        set.ok_or_else(|| Error::internal("the mapping that was just set is not there"))
    }

    /// Every user archive that a report has named or somebody has set, with its address: a preview of restructure.
    pub async fn mapping(&self) -> Result<Vec<MappingRow>> {
        let set = self.set_addresses().await?;
        let mut archives: BTreeSet<String> = set.keys().cloned().collect();
        for report in self.all::<Report>(None).await? {
            archives.extend(self.report_contents(&report).await?.user_archives);
        }
        let mut rows = Vec::new();
        for archive in archives {
            let (address, source) = self.address_of(&archive, &set)?;
            rows.push(MappingRow { archive, address, source, conflict: false });
        }
        let known = rows.iter().filter_map(|row| Some((row.archive.clone(), row.address.clone()?))).collect();
        let conflicts = self.conflicts(&known).await?;
        for row in &mut rows {
            row.conflict = conflicts.iter().any(|conflict| conflict.archives.contains(&row.archive));
        }
        Ok(rows)
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
        let conflicts = self.conflicts(&addresses).await?;
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

    /// Archives with one address, or with that of a mailbox which is not theirs. Nothing is merged by itself.
    async fn conflicts(&self, addresses: &BTreeMap<String, MailboxAddress>) -> Result<Vec<Conflict>> {
        let mut by_address: BTreeMap<&MailboxAddress, Vec<String>> = BTreeMap::new();
        for (archive, address) in addresses {
            by_address.entry(address).or_default().push(archive.clone());
        }
        let mut conflicts = Vec::new();
        for (address, archives) in by_address {
            let mailbox = self.find::<Mailbox>(address.folded()).await?.map(|stored| stored.value);
            let taken = mailbox.as_ref().is_some_and(|mailbox| !is_recreated_from(mailbox, &archives));
            let mut archives = archives;
            if taken {
                archives.extend(mailbox.and_then(|mailbox| mailbox.user_archive));
            }
            if taken || archives.len() > 1 {
                conflicts.push(Conflict { address: address.clone(), archives });
            }
        }
        Ok(conflicts)
    }
}

fn is_recreated_from(mailbox: &Mailbox, archives: &[String]) -> bool {
    mailbox.origin == Origin::Restructure && mailbox.user_archive.as_ref().is_some_and(|own| archives.contains(own))
}
