//! Documents of the catalogue as types: load, compare-and-set, list.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Archive, Error, ErrorKind, Result,
    ports::{Document, Expect},
};

/// A small thing that the catalogue keeps as a document.
pub(crate) trait Record: Serialize + DeserializeOwned + Send + Sync {
    /// What it is called in messages, and its partition.
    const KIND: &'static str;
    /// Whether it is kept as an object too, because nothing else in the object store tells of it; see [`crate::kept`].
    const KEPT: bool = false;
    fn id(&self) -> String;
    /// The thing it belongs to, for kinds that are many: their partition is `KIND/parent`.
    fn parent(&self) -> Option<String> {
        None
    }
    /// Unix seconds after which the catalogue may drop it.
    fn expires(&self) -> Option<i64> {
        None
    }
}

/// A record with the version that a change must meet.
#[derive(Clone, Debug)]
pub(crate) struct Stored<T> {
    pub value: T,
    pub version: u64,
}

/// A change by compare-and-set is tried so often before the conflict is handed up.
const MAX_TRIES: usize = 50;
const PAGE: usize = 1000;

fn partition<T: Record>(parent: Option<&str>) -> String {
    parent.map_or_else(|| T::KIND.to_owned(), |parent| format!("{}/{parent}", T::KIND))
}

fn parse<T: Record>(document: &Document) -> Result<Stored<T>> {
    let wrong = |e| Error::corrupt(format!("{} {} in the catalogue cannot be read", T::KIND, document.id)).caused_by(e);
    let value = T::deserialize(&document.body).map_err(wrong)?;
    Ok(Stored { value, version: document.version })
}

fn body_of<T: Record>(value: &T) -> Result<Value> {
    serde_json::to_value(value)
        .map_err(|e| Error::internal(format!("{} {} cannot be written", T::KIND, value.id())).caused_by(e))
}

impl Archive {
    pub(crate) async fn find<T: Record>(&self, id: &str) -> Result<Option<Stored<T>>> {
        self.catalog.load(&partition::<T>(None), id).await?.as_ref().map(parse).transpose()
    }

    pub(crate) async fn find_in<T: Record>(&self, parent: &str, id: &str) -> Result<Option<Stored<T>>> {
        self.catalog.load(&partition::<T>(Some(parent)), id).await?.as_ref().map(parse).transpose()
    }

    /// The record, or `NotFound`.
    pub(crate) async fn need<T: Record>(&self, id: &str) -> Result<Stored<T>> {
        self.find(id).await?.ok_or_else(|| Error::not_found(format!("{} {id:?} does not exist", T::KIND)))
    }

    /// Adds a record; `Conflict` if one of that id exists.
    pub(crate) async fn add<T: Record + Clone>(&self, value: &T) -> Result<Stored<T>> {
        self.write(value.clone(), Expect::Absent).await
    }

    /// Changes a record that is still as it was read; `Conflict` otherwise.
    pub(crate) async fn save<T: Record>(&self, record: Stored<T>) -> Result<Stored<T>> {
        self.write(record.value, Expect::Version(record.version)).await
    }

    /// Writes a record that has one writer, whatever is there.
    pub(crate) async fn put<T: Record>(&self, value: T) -> Result<Stored<T>> {
        self.write(value, Expect::Anything).await
    }

    /// The same for many of one parent, of a kind that is not kept as objects.
    pub(crate) async fn put_all<T: Record>(&self, parent: Option<&str>, values: &[T]) -> Result<()> {
        let partition = partition::<T>(parent);
        for some in values.chunks(PAGE) {
            let documents = some.iter().map(|value| Ok((value.id(), body_of(value)?)));
            self.catalog.save_all(&partition, &documents.collect::<Result<Vec<_>>>()?).await?;
        }
        Ok(())
    }

    async fn write<T: Record>(&self, value: T, expect: Expect) -> Result<Stored<T>> {
        let body = body_of(&value)?;
        let (partition, id) = (partition::<T>(value.parent().as_deref()), value.id());
        let save = self.catalog.save(&partition, &id, &body, expect, value.expires());
        let version = if T::KEPT { self.keep(T::KIND, &id, &body, expect, save).await? } else { save.await? };
        Ok(Stored { value, version })
    }

    /// Reads, changes and writes back until nobody came between; `change` may run several times.
    pub(crate) async fn update<T: Record + Clone>(
        &self,
        id: &str,
        mut change: impl FnMut(&mut T) -> Result<()> + Send,
    ) -> Result<Stored<T>> {
        for _ in 0..MAX_TRIES {
            let mut record: Stored<T> = self.need(id).await?;
            change(&mut record.value)?;
            match self.save(record).await {
                Err(e) if e.kind() == ErrorKind::Conflict => {}
                done => return done,
            }
        }
        Err(Error::conflict(format!("{} {id:?} is being changed by others all the time", T::KIND)))
    }

    pub(crate) async fn page_of<T: Record>(
        &self,
        parent: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Stored<T>>> {
        self.catalog.list(&partition::<T>(parent), after, limit).await?.iter().map(parse).collect()
    }

    /// Every record of a kind, in the order of their ids. For kinds that are few.
    pub(crate) async fn all<T: Record>(&self, parent: Option<&str>) -> Result<Vec<T>> {
        let mut all: Vec<T> = Vec::new();
        loop {
            let after = all.last().map(Record::id);
            let page = self.page_of::<T>(parent, after.as_deref(), PAGE).await?;
            let last = page.len() < PAGE;
            all.extend(page.into_iter().map(|stored| stored.value));
            if last {
                return Ok(all);
            }
        }
    }

    /// Every document of a partition as it is, in the order of their ids. For partitions that are small.
    pub(crate) async fn documents(&self, partition: &str) -> Result<Vec<Document>> {
        let mut documents: Vec<Document> = Vec::new();
        loop {
            let after = documents.last().map(|document| document.id.as_str());
            let page = self.catalog.list(partition, after, PAGE).await?;
            if page.is_empty() {
                return Ok(documents);
            }
            documents.extend(page);
        }
    }

    /// The records of a kind without those that cannot be read.
    pub(crate) async fn all_readable<T: Record>(&self, parent: Option<&str>) -> Result<Vec<T>> {
        let documents = readable(self.documents(&partition::<T>(parent)).await)?.unwrap_or_default();
        Ok(documents.iter().filter_map(|document| parse(document).ok()).map(|stored| stored.value).collect())
    }

    /// Removes a record if it is there.
    pub(crate) async fn drop_record<T: Record>(&self, parent: Option<&str>, id: &str) -> Result<bool> {
        if T::KEPT {
            self.keep_removal(T::KIND, id).await?;
        }
        self.catalog.remove(&partition::<T>(parent), id, Expect::Anything).await
    }

    /// Removes a record that is still as it was read; `Conflict` otherwise.
    pub(crate) async fn drop_unchanged<T: Record>(&self, record: &Stored<T>) -> Result<bool> {
        let (partition, id) = (partition::<T>(record.value.parent().as_deref()), record.value.id());
        if T::KEPT {
            self.keep_removal(T::KIND, &id).await?;
        }
        let removed = self.catalog.remove(&partition, &id, Expect::Version(record.version)).await;
        if T::KEPT && removed.as_ref().is_err_and(|error| error.kind() == ErrorKind::Conflict) {
            self.keep_what_won(T::KIND, &id).await?;
        }
        removed
    }
}

/// None for what cannot be read.
pub(crate) fn readable<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
        read => read.map(Some),
    }
}
