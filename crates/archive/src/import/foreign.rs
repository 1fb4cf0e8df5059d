//! A file that is no volume: a ZIP, an mbox, or one mail, read where it lies.

use std::{path::Path, sync::Arc};

use mail::source::{Container, ContainerError, ContainerKind, ZipEncoding, ZipError};

use super::{Source, open::file_name, ranged::RangedContent};
use crate::{
    Archive, Error, Result,
    ports::{ETag, ObjectMeta, Objects},
    uploads::Kind,
};

/// A foreign file, pinned to the version that was looked at.
#[derive(Clone)]
pub(crate) struct Foreign {
    store: Arc<dyn Objects>,
    pub(crate) meta: ObjectMeta,
    pub(crate) kind: Kind,
    /// Whether the time of the file is one of its own, and not that of its upload.
    pub(super) has_own_time: bool,
}

impl Foreign {
    /// Tells what the file is; with `pinned`, of that version only. `not_a_volume` if it is nothing that holds mails.
    pub(crate) async fn find(archive: &Archive, source: &Source, pinned: Option<&ETag>) -> Result<Self> {
        let found = Self::known(archive, source, pinned, Kind::Unknown).await?;
        if is_named_volume(found.name()) {
            return Err(no_mails("by its name it is a volume"));
        }
        let (content, name, scratch) = (found.content(), found.name().to_owned(), archive.scratch.clone());
        let opened = tokio::task::spawn_blocking(move || open(&content, &name, &scratch).map(|file| file.kind()));
        let kind = opened.await.map_err(|e| Error::internal("a task ended early").caused_by(e))??;
        Ok(Self { kind: kind.into(), ..found })
    }

    /// A file of which was told before what it is.
    pub(super) async fn known(archive: &Archive, source: &Source, pinned: Option<&ETag>, kind: Kind) -> Result<Self> {
        let meta = archive.version_of(source, pinned).await?;
        let store = Arc::clone(archive.store_of(source).0);
        Ok(Self { store, meta, kind, has_own_time: matches!(source, Source::File(_)) })
    }

    pub(super) fn content(&self) -> Arc<RangedContent> {
        Arc::new(RangedContent::new(Arc::clone(&self.store), self.meta.clone()))
    }

    pub(super) fn name(&self) -> &str {
        file_name(&self.meta.key)
    }
}

/// Opens the container. What the store says comes before what a container looks like without it.
pub(super) fn open(content: &Arc<RangedContent>, name: &str, scratch: &Path) -> Result<Container> {
    let opened = Container::open(Arc::<RangedContent>::clone(content), name, ZipEncoding::default(), scratch);
    content.check()?;
    opened.map_err(refused)
}

/// A file of this name is a volume or nothing: what is wrong with it is said, and it is not taken for another ZIP.
fn is_named_volume(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("mszip"))
}

fn no_mails(what: &str) -> Error {
    Error::invalid(format!("neither an export volume nor a ZIP archive, an mbox or a mail: {what}"))
        .code("not_a_volume")
        .hint("export volumes, ZIP archives, mboxes and single mails can be imported")
}

fn refused(error: ContainerError) -> Error {
    let code = match &error {
        ContainerError::NotMail(what) => return no_mails(what),
        ContainerError::Zip(ZipError::NotZip) => return no_mails("it is named like a ZIP archive"),
        ContainerError::Zip(ZipError::Io(_)) | ContainerError::Io(_) => {
            return Error::unavailable("the file cannot be read").caused_by(error);
        }
        ContainerError::Zip(ZipError::Ambiguous) => "zip_eocd",
        ContainerError::Zip(ZipError::Scattered) => "zip_scattered",
        ContainerError::Zip(ZipError::NoEnd | ZipError::Directory { .. }) => "zip_trunc",
    };
    Error::invalid(error.to_string()).code(code).hint("upload the file again, or pack its mails anew")
}

impl From<ContainerKind> for Kind {
    fn from(kind: ContainerKind) -> Self {
        match kind {
            ContainerKind::Zip => Self::Zip,
            ContainerKind::Mbox => Self::Mbox,
            ContainerKind::Mail => Self::Eml,
        }
    }
}
