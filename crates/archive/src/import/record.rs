//! What a step does to the archive: new mails into a pack, every mail into a row.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::{
    FailedEntry, Import,
    read::OpenedMail,
    slice::{Outcome, Placed, SliceEntry},
};
use crate::{
    Archive, EntryRef, Error, Flags, FolderPath, MailHash, MessageRow, PackId, Place, Result,
    hash::to_hex,
    ports::{MAX_ROWS_PER_CALL, Recorded},
    records::Stored,
    store::{Pack, PackState, PackWriter},
};

/// Texts of a row are cut so that it stays near 1 KiB, the unit that DynamoDB charges by.
const TEXT_BYTES: usize = 400;
/// A source of a date is the name of a field or of such a thing; a volume may hold any text there.
const SOURCE_BYTES: usize = 64;

/// A step's effects, gathered until the pack is durable.
pub(super) struct Recording<'a> {
    archive: &'a Archive,
    import: &'a Import,
    shard: u32,
    fence: u64,
    pack: Option<(Stored<Pack>, PackWriter)>,
    places: HashMap<MailHash, Place>,
    /// For each row its entry.
    listed: Vec<Listed>,
    rows: Vec<MessageRow>,
    locations: usize,
    failed: Vec<SliceEntry>,
    /// Of frames that went into the pack.
    stored_bytes: u64,
}

/// An entry that is a mail, beside its row.
struct Listed {
    number: u64,
    folders: Vec<FolderPath>,
}

impl<'a> Recording<'a> {
    pub(super) fn new(archive: &'a Archive, import: &'a Import, shard: u32, fence: u64) -> Self {
        Self {
            archive,
            import,
            shard,
            fence,
            pack: None,
            places: HashMap::new(),
            listed: Vec::new(),
            rows: Vec::new(),
            locations: 0,
            failed: Vec::new(),
            stored_bytes: 0,
        }
    }

    /// Whether the mail is part of this step already.
    pub(super) fn holds(&self, hash: &MailHash) -> bool {
        self.places.contains_key(hash)
    }

    /// Rows that wait for the end of the step.
    pub(super) fn rows(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn locations(&self) -> usize {
        self.locations
    }

    /// Entries that have their outcome.
    pub(super) fn entries(&self) -> u64 {
        (self.rows.len() + self.failed.len()) as u64
    }

    pub(super) fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    pub(super) fn fail(&mut self, failed: FailedEntry) {
        let locator = Some(failed.locator).filter(|locator| *locator != FailedEntry::member_of(failed.number));
        let outcome = Outcome::Failed { code: failed.code, reason: failed.reason, locator };
        self.failed.push(SliceEntry { number: failed.number, outcome });
    }

    /// Takes verified mails: those whose bytes the archive does not hold yet go into the pack.
    pub(super) async fn add(&mut self, mails: Vec<OpenedMail>) -> Result<()> {
        let hashes: Vec<_> = mails.iter().map(|mail| MailHash(mail.metadata.sha256)).collect();
        let known = self.archive.catalog.known(&hashes).await?;
        for (mail, known) in mails.into_iter().zip(known) {
            let hash = MailHash(mail.metadata.sha256);
            if let Some(place) = known {
                self.places.entry(hash).or_insert(place);
            }
            self.add_one(hash, mail).await?;
        }
        Ok(())
    }

    async fn add_one(&mut self, hash: MailHash, mut mail: OpenedMail) -> Result<()> {
        let place = match (self.places.get(&hash).cloned(), mail.frame.take()) {
            (Some(place), _) => place,
            (None, Some(frame)) => {
                let stored_bytes = frame.len();
                self.stored_bytes += stored_bytes;
                let (pack, writer) = self.open_pack().await?;
                let offset = writer.append(hash, mail.metadata.size_bytes, frame).await?;
                let place = Place { pack, offset, stored_bytes };
                self.places.insert(hash, place.clone());
                place
            }
            (None, None) => return Err(Error::internal(format!("mail {} came without its bytes", mail.number))),
        };
        let row = self.row(hash, place, &mail);
        self.locations += row.locations.len();
        self.rows.push(row);
        self.listed.push(Listed { number: mail.number, folders: mail.folders });
        Ok(())
    }

    /// The step's pack; its row is there before its object.
    async fn open_pack(&mut self) -> Result<(PackId, &mut PackWriter)> {
        if self.pack.is_none() {
            let pack = Pack {
                id: PackId(self.archive.random_id()),
                state: PackState::Open,
                import: self.import.id.clone(),
                shard: self.shard,
                fence: self.fence,
                size_bytes: 0,
                mails: 0,
                sha256: None,
            };
            let row = self.archive.add(&pack).await?;
            let writer = PackWriter::create(self.archive, &row.value.id).await?;
            self.pack = Some((row, writer));
        }
        let (row, writer) = self.pack.as_mut().ok_or_else(|| Error::internal("a pack is missing"))?;
        Ok((row.value.id.clone(), writer))
    }

    fn row(&self, hash: MailHash, place: Place, mail: &OpenedMail) -> MessageRow {
        let (metadata, texts) = (&mail.metadata, Texts::of(&mail.summary));
        MessageRow {
            hash,
            size_bytes: metadata.size_bytes,
            pack: place.pack,
            offset: place.offset,
            stored_bytes: place.stored_bytes,
            message_date: metadata.message_date,
            message_date_source: date_source(metadata.message_date, metadata.message_date_source.as_deref()),
            archive_date: metadata.archive_date,
            import_date: self.import.id.begun().unwrap_or(self.import.started),
            first: EntryRef { import: self.import.id.clone(), entry: mail.number },
            defects: mail.summary.defects.to_bits(),
            subject: texts.subject,
            from: texts.from,
            message_id: texts.message_id,
            locations: metadata.locations.iter().cloned().collect::<BTreeSet<_>>(),
            flags: Flags::parse(&metadata.flags),
        }
    }

    /// Makes the pack durable and kept, then writes the rows; answers the outcome of every entry, in order.
    pub(super) async fn finish(self) -> Result<Vec<SliceEntry>> {
        if let Some((mut row, writer)) = self.pack {
            let written = writer.finish().await?;
            row.value.state = PackState::Kept;
            row.value.size_bytes = written.size_bytes;
            row.value.mails = written.mails;
            row.value.sha256 = Some(to_hex(&written.sha256));
            self.archive.save(row).await?;
        }
        let mut entries = self.failed;
        // By hash: each call then changes a part of an index of its own, instead of a bit of every part.
        let mut listed: Vec<_> = self.listed.into_iter().zip(self.rows).collect();
        listed.sort_unstable_by_key(|(listed, row)| (row.hash, listed.number));
        let (listed, rows): (Vec<_>, Vec<_>) = listed.into_iter().unzip();
        let mut recorded = Vec::with_capacity(rows.len());
        for rows in rows.chunks(MAX_ROWS_PER_CALL) {
            recorded.extend(self.archive.catalog.record(rows).await?);
        }
        let rows = listed.into_iter().zip(rows).zip(recorded);
        entries.extend(rows.map(|((listed, row), recorded)| outcome(self.import, listed, row, &recorded)));
        entries.sort_by_key(|entry| entry.number);
        Ok(entries)
    }
}

/// Imported is what this very entry brought; a retry finds itself named as the first and says so again.
fn outcome(import: &Import, listed: Listed, row: MessageRow, recorded: &Recorded) -> SliceEntry {
    let Listed { number, folders } = listed;
    let mine = recorded.first.import == import.id && recorded.first.entry == number;
    let first = (!mine).then(|| recorded.first.clone());
    let placed = Placed {
        hash: row.hash,
        size_bytes: row.size_bytes,
        message_date: recorded.message_date,
        message_date_source: row.message_date_source,
        archive_date: row.archive_date,
        locations: row.locations.into_iter().collect(),
        flags: row.flags,
        pack: Some(recorded.pack.clone()),
        first,
        folders,
    };
    SliceEntry { number, outcome: if mine { Outcome::Imported(placed) } else { Outcome::AlreadyThere(placed) } }
}

/// What a row keeps of a mail's header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Texts {
    pub(crate) subject: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) message_id: Option<String>,
}

impl Texts {
    pub(crate) fn of(summary: &mail::Summary) -> Self {
        let [subject, from, message_id] =
            [&summary.subject, &summary.from, &summary.message_id].map(|text| text.as_deref().map(cut));
        Self { subject, from, message_id }
    }
}

/// Where a date came from, as a volume says it: kept only beside a date, and if it is a name.
fn date_source(date: Option<i64>, said: Option<&str>) -> Option<String> {
    let is_name = |said: &&str| {
        (1..=SOURCE_BYTES).contains(&said.len())
            && said.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    date.and(said).filter(is_name).map(str::to_owned)
}

fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(TEXT_BYTES)).unwrap_or_default().to_owned()
}
