//! Repair: what the objects say is written into the catalogue where it can only gain by it, and what is left over of
//! workers that died is removed where nothing is lost by it.

use std::collections::BTreeSet;

use super::{Comparison, Findings, Remedy};
use crate::{
    Archive, ErrorKind, MailHash, PackId, Result,
    import::{Import, Report, user_archives},
    inventory::{SLICES, counted_slices, scan_pack},
    kept::Kept,
    ports::{Expect, MAX_ROWS_PER_CALL, ObjectKey, Scope},
    records::Stored,
    store::{PACKS, Pack, PackState, pack_key},
};

impl Archive {
    /// Applies the remedies; answers in words what was done.
    pub(super) async fn apply_all(&self, comparison: &Comparison, findings: &mut Findings) -> Result<Vec<String>> {
        let mut done = Vec::new();
        for (text, remedy) in std::mem::take(&mut findings.remedies) {
            if self.apply(remedy).await? {
                done.push(text);
            }
        }
        if comparison.settled {
            self.clear_open_packs(&mut done).await?;
            for orphan in findings.report.orphans.clone() {
                self.clear_orphan(comparison, &ObjectKey::parse(orphan)?, &mut done).await?;
            }
        }
        Ok(done)
    }

    /// False if the remedy is not one of this command.
    async fn apply(&self, remedy: Remedy) -> Result<bool> {
        match remedy {
            Remedy::Import | Remedy::Rebuild => return Ok(false),
            Remedy::Keep { kind, id } => {
                let Some(row) = self.catalog.load(kind, &id).await? else { return Ok(false) };
                self.keep_as(kind, &id, row.body).await?;
            }
            Remedy::Told { kind, id } => {
                // Read at this moment, and on condition: somebody may be changing the record meanwhile.
                let row = self.catalog.load(&kind, &id).await?;
                let Some(body) = self.kept(&Kept::key(&kind, &id)?).await?.body else { return Ok(false) };
                let expect = row.map_or(Expect::Absent, |row| Expect::Version(row.version));
                match self.catalog.save(&kind, &id, &body, expect, None).await {
                    Err(e) if e.kind() == ErrorKind::Conflict => return Ok(false),
                    saved => drop(saved?),
                }
            }
            Remedy::Row { partition, id, body } => {
                self.catalog.save(&partition, &id, &body, Expect::Anything, None).await?;
            }
            Remedy::Queue(report) => self.queue_as(report).await?,
            Remedy::File(report) => return self.file_again(report).await,
            Remedy::Record(row) => drop(self.catalog.record(&[*row]).await?),
            Remedy::Folder(mailbox, path) => drop(self.catalog.create_folders(&mailbox, &[path]).await?),
            Remedy::Place(scope, key) => {
                if let Scope::Folder(mailbox, path) = &scope {
                    self.catalog.create_folders(mailbox, std::slice::from_ref(path)).await?;
                }
                let run = format!("repair {} {}", key.hash, self.sortable_id());
                self.catalog.place(&run, &scope, &[key]).await?;
            }
        }
        Ok(true)
    }

    /// False if the import's slices do not say what its row says.
    async fn file_again(&self, lost: Report) -> Result<bool> {
        let import = self.find::<Import>(&lost.import.0).await?.map(|stored| stored.value);
        let Some(import) = import.filter(|import| import.finished.is_some()) else { return Ok(false) };
        let Some(slices) = counted_slices(self, &import).await? else { return Ok(false) };
        let mut archives = BTreeSet::new();
        for slice in &slices {
            archives.extend(user_archives(&self.slice(slice).await?));
        }
        let written = self.write_report(&import, slices, archives).await?;
        self.put(Report { done: lost.done, ..written }).await.map(|_| true)
    }

    /// Packs of workers that died before they were kept: given up first, so that nobody can keep them any more.
    async fn clear_open_packs(&self, done: &mut Vec<String>) -> Result<()> {
        for pack in self.all::<Pack>(None).await?.into_iter().filter(|pack| pack.state != PackState::Kept) {
            if self.find::<Import>(&pack.import.0).await?.is_some_and(|import| import.value.finished.is_none()) {
                continue;
            }
            let Some(row) = self.find::<Pack>(&pack.id.0).await?.filter(|row| row.value.state != PackState::Kept)
            else {
                continue;
            };
            let condemned = Pack { state: PackState::Condemned, ..row.value };
            self.save(Stored { value: condemned, version: row.version }).await?;
            let key = pack_key(&pack.id)?;
            if self.objects.head(&key).await?.is_some() {
                if !self.all_elsewhere(&pack.id).await? {
                    continue;
                }
                self.objects.delete(&key, None).await?;
            }
            self.drop_record::<Pack>(None, &pack.id.0).await?;
            done.push(format!("pack {}: it was never finished, and is removed", pack.id));
        }
        Ok(())
    }

    /// Removes an object that nothing points to, if what it holds is elsewhere.
    async fn clear_orphan(&self, comparison: &Comparison, key: &ObjectKey, done: &mut Vec<String>) -> Result<()> {
        let is_spare = if key.as_str().starts_with(PACKS) {
            let id = key.as_str().rsplit('/').next().and_then(|name| name.strip_suffix(".pack"));
            match id {
                Some(id) => self.all_elsewhere(&PackId(id.to_owned())).await?,
                None => false,
            }
        } else {
            key.as_str().starts_with(SLICES) && self.is_overtaken(comparison, key).await
        };
        if is_spare && self.objects.delete(key, None).await? {
            done.push(format!("{key}: nothing points to it, and it is removed"));
        }
        Ok(())
    }

    /// A slice of an import whose report counts others.
    async fn is_overtaken(&self, comparison: &Comparison, key: &ObjectKey) -> bool {
        let slice = self.lone_slice(key).await;
        slice.is_ok_and(|(_, file)| comparison.inventory.imports.contains_key(&file.import.id))
    }

    /// Whether every mail of the pack has a row that points into another one which holds it soundly.
    async fn all_elsewhere(&self, id: &PackId) -> Result<bool> {
        if self.objects.head(&pack_key(id)?).await?.is_none() {
            return Ok(false);
        }
        let (found, scan) = scan_pack(self, id).await?;
        if !found.is_sound {
            return Ok(false);
        }
        let hashes: Vec<MailHash> = scan.hashes().collect();
        for some in hashes.chunks(MAX_ROWS_PER_CALL) {
            for row in self.catalog.locate(some).await? {
                let Some(row) = row.filter(|row| row.pack != *id) else { return Ok(false) };
                if self.drain(&row).await.is_err() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
