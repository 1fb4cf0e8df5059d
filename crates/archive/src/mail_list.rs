//! Lists of mails, page by page.

use std::{collections::BTreeSet, slice::from_ref};

use serde::{Deserialize, Serialize};

use crate::{
    Archive, Error, Flags, FolderPath, Location, MailHash, MailboxAddress, MessageRow, PlacementKey, Result,
    access::Visible,
    mailbox::Mailbox,
    ports::{FolderCount, Scope},
    time::rfc3339,
};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;

/// What to list: a folder, a mailbox, or all that the caller may see.
#[derive(Clone, Debug, Default)]
pub struct MailQuery {
    pub mailbox: Option<MailboxAddress>,
    pub folder: Option<FolderPath>,
    /// 50 by default, at most 1,000.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailPage {
    pub mails: Vec<MailView>,
    /// None on the last page.
    pub next: Option<String>,
}

/// A mail in a list. Dates are RFC 3339 UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailView {
    pub id: MailHash,
    pub sha256: MailHash,
    pub size_bytes: u64,
    pub subject: Option<String>,
    pub from: Option<String>,
    pub message_id: Option<String>,
    pub message_date: Option<String>,
    pub message_date_source: Option<String>,
    pub archive_date: Option<String>,
    pub import_date: Option<String>,
    /// The placement's in a mailbox or folder, otherwise the union over all that the caller may see.
    pub flags: Flags,
    /// Source paths with the user archive, those that the caller may see.
    pub locations: BTreeSet<Location>,
    /// Those that its header has; of its content, the mail itself tells.
    pub defects: Vec<String>,
    /// Some of the content cannot be seen and searched as it was meant, as far as the header tells.
    pub partially_indexed: bool,
}

impl Archive {
    /// A page of mails: message date descending, unknown dates last, then by hash.
    pub async fn mails(&self, visible: &Visible, query: MailQuery) -> Result<MailPage> {
        let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Error::invalid(format!("limit {limit} is not between 1 and {MAX_LIMIT}")));
        }
        let after = query.after.as_deref().map(PlacementKey::from_cursor).transpose()?;
        let scopes = self.scopes(visible, &query).await?;
        let mut keys = self.merged(&scopes, after.as_ref(), limit + 1).await?;
        let next = (keys.len() > limit).then(|| keys.get(limit - 1).map(PlacementKey::cursor)).flatten();
        keys.truncate(limit);
        let own = self.visible_archives(visible).await?;
        let hashes: Vec<_> = keys.iter().map(|key| key.hash).collect();
        let rows = self.catalog.locate(&hashes).await?;
        let placed_in_mailbox = query.mailbox.is_some();
        let view = |(key, row): (PlacementKey, Option<MessageRow>)| {
            let row = row.ok_or_else(|| Error::corrupt(format!("mail {} is listed but not known", key.hash)))?;
            let flags = if placed_in_mailbox || own.is_some() { key.flags } else { row.flags };
            Ok(view_mail(row, flags, own.as_ref()))
        };
        Ok(MailPage { mails: keys.into_iter().zip(rows).map(view).collect::<Result<_>>()?, next })
    }

    /// The folders of a mailbox, parents included, with the mails placed in each alone.
    pub async fn folders(&self, visible: &Visible, mailbox: &MailboxAddress) -> Result<Vec<FolderCount>> {
        self.check_visible(visible, mailbox).await?;
        self.catalog.folders(mailbox).await
    }

    /// The row of a mail that the caller may see; `NotFound` otherwise, whether it exists or not.
    pub(crate) async fn find_mail(&self, visible: &Visible, id: &MailHash) -> Result<MessageRow> {
        let missing = || Error::not_found(format!("mail {id} does not exist"));
        let row = self.catalog.locate(&[*id]).await?.pop().flatten().ok_or_else(missing)?;
        let Visible::Mailboxes(granted) = visible else { return Ok(row) };
        for mailbox in granted {
            let placed = self.catalog.placed(&Scope::Mailbox(mailbox.clone()), &[row.key()]).await?;
            if placed.iter().any(Option::is_some) {
                return Ok(row);
            }
        }
        Err(missing())
    }

    async fn check_visible(&self, visible: &Visible, mailbox: &MailboxAddress) -> Result<()> {
        let missing = || Error::not_found(format!("mailbox {mailbox} does not exist"));
        if !visible.includes(mailbox) {
            return Err(missing());
        }
        self.find::<Mailbox>(mailbox.folded()).await?.map(drop).ok_or_else(missing)
    }

    async fn scopes(&self, visible: &Visible, query: &MailQuery) -> Result<Vec<Scope>> {
        match (&query.mailbox, &query.folder, visible) {
            (Some(mailbox), folder, _) => {
                self.check_visible(visible, mailbox).await?;
                match folder {
                    None => Ok(vec![Scope::Mailbox(mailbox.clone())]),
                    Some(path) => self.folder_scope(mailbox, path).await.map(|scope| vec![scope]),
                }
            }
            (None, Some(_), _) => Err(Error::invalid("a folder is one of a mailbox").hint("name the mailbox too")),
            (None, None, Visible::All) => Ok(vec![Scope::All]),
            (None, None, Visible::Mailboxes(granted)) => Ok(granted.iter().cloned().map(Scope::Mailbox).collect()),
        }
    }

    async fn folder_scope(&self, mailbox: &MailboxAddress, path: &FolderPath) -> Result<Scope> {
        // Mails may lie in the mailbox itself, which is no folder that anybody made.
        let known = path.0.is_empty() || self.catalog.has_folders(mailbox, from_ref(path)).await? == [true];
        if !known {
            return Err(Error::not_found(format!("mailbox {mailbox} has no folder {:?}", path.0)));
        }
        Ok(Scope::Folder(mailbox.clone(), path.clone()))
    }

    /// The next keys over several scopes, each mail once.
    async fn merged(&self, scopes: &[Scope], after: Option<&PlacementKey>, limit: usize) -> Result<Vec<PlacementKey>> {
        if let [scope] = scopes {
            return self.catalog.page(scope, after, limit).await;
        }
        let mut keys = Vec::new();
        for scope in scopes {
            keys.extend(self.catalog.page(scope, after, limit).await?);
        }
        keys.sort();
        keys.dedup_by(|later, kept| {
            let same = later == kept;
            if same {
                kept.flags = kept.flags.union(later.flags);
            }
            same
        });
        keys.truncate(limit);
        Ok(keys)
    }

    /// The user archives whose locations the caller may see; none for all of them.
    async fn visible_archives(&self, visible: &Visible) -> Result<Option<BTreeSet<String>>> {
        let Visible::Mailboxes(granted) = visible else { return Ok(None) };
        let mut archives = BTreeSet::new();
        for mailbox in granted {
            archives.extend(self.find::<Mailbox>(mailbox.folded()).await?.and_then(|stored| stored.value.user_archive));
        }
        Ok(Some(archives))
    }
}

fn view_mail(row: MessageRow, flags: Flags, own: Option<&BTreeSet<String>>) -> MailView {
    let defects = mail::Defects::from_bits(row.defects);
    let may_see = |location: &Location| own.is_none_or(|own| location.first().is_some_and(|name| own.contains(name)));
    MailView {
        id: row.hash,
        sha256: row.hash,
        size_bytes: row.size_bytes,
        subject: row.subject,
        from: row.from,
        message_id: row.message_id,
        message_date: row.message_date.and_then(rfc3339),
        message_date_source: row.message_date_source,
        archive_date: row.archive_date.and_then(rfc3339),
        import_date: rfc3339(row.import_date),
        flags,
        locations: row.locations.into_iter().filter(may_see).collect(),
        defects: defects.iter().map(str::to_owned).collect(),
        partially_indexed: defects.partially_indexed(),
    }
}
