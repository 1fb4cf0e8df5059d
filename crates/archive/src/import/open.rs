//! Opening a volume where it lies, by ranged reads.

use std::sync::Arc;

use bytes::Bytes;

use super::Source;
use crate::{
    Archive, Error, ErrorKind, Result,
    ports::{ETag, ObjectKey, ObjectMeta, Objects},
};

/// A file that looks like a volume, pinned to the version that was looked at.
pub(crate) struct Located {
    store: Arc<dyn Objects>,
    pub(crate) meta: ObjectMeta,
    head: Bytes,
    plan: volume::Plan,
}

impl Archive {
    /// The store and the key of a source.
    pub(crate) fn store_of<'a>(&'a self, source: &'a Source) -> (&'a Arc<dyn Objects>, &'a ObjectKey) {
        match source {
            Source::Upload(key) => (&self.uploads, key),
            Source::File(key) => (&self.files, key),
        }
    }

    /// The source as it lies there; with `pinned`, in that version only.
    pub(super) async fn version_of(&self, source: &Source, pinned: Option<&ETag>) -> Result<ObjectMeta> {
        let (store, key) = self.store_of(source);
        let gone = || Error::not_found(format!("{} is not there", file_name(key)));
        let meta = store.head(key).await?.ok_or_else(gone)?;
        if pinned.is_some_and(|etag| *etag != meta.etag) {
            let text = format!("{} was changed after its import was started", file_name(key));
            return Err(Error::conflict(text).code(super::SOURCE_CHANGED).hint("start the import again"));
        }
        Ok(meta)
    }
}

impl Located {
    /// Reads head and tail; with `pinned`, of that version only.
    pub(crate) async fn find(archive: &Archive, source: &Source, pinned: Option<&ETag>) -> Result<Self> {
        let (store, key) = archive.store_of(source);
        let meta = archive.version_of(source, pinned).await?;
        let head = store.get(key, 0..meta.size_bytes.min(volume::HEAD_BYTES), Some(&meta.etag)).await?;
        let tail_start = meta.size_bytes.saturating_sub(volume::TAIL_BYTES);
        let tail = store.get(key, tail_start..meta.size_bytes, Some(&meta.etag)).await?;
        let plan = volume::locate(&head, &tail, meta.size_bytes).map_err(refused)?;
        Ok(Self { store: Arc::clone(store), meta, head, plan })
    }

    /// What header and seal say, unverified.
    pub(crate) async fn peek(&self) -> Result<volume::Unverified> {
        let (header, seal) = (self.header().await?, self.read(self.plan.seal.clone()).await?);
        self.plan.peek(&header, &seal).map_err(refused)
    }

    /// Verifies the signature and everything that hangs on it.
    pub(crate) async fn verify(&self, certificate: Option<&volume::Certificate>) -> Result<volume::Verified> {
        let (header, seal) = (self.header().await?, self.read(self.plan.seal.clone()).await?);
        let signature = self.read(self.plan.signature.clone()).await?;
        let catalogue = self.read(self.plan.catalogue.clone()).await?.into();
        let parts = volume::Parts { header: &header, catalogue, seal: &seal, signature: &signature };
        self.plan.verify(parts, certificate).map_err(refused)
    }

    pub(super) fn store(&self) -> &Arc<dyn Objects> {
        &self.store
    }

    async fn header(&self) -> Result<Bytes> {
        let range = self.plan.header.clone();
        let inside = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        match inside.filter(|(start, end)| start <= end && *end <= self.head.len()) {
            Some((start, end)) => Ok(self.head.slice(start..end)),
            None => self.read(range).await,
        }
    }

    async fn read(&self, range: std::ops::Range<u64>) -> Result<Bytes> {
        self.store.get(&self.meta.key, range, Some(&self.meta.etag)).await
    }
}

/// A volume's error as the product's: the code stays, the kind says what to do.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
pub(crate) fn refused(error: volume::Error) -> Error {
    use volume::Error as E;
    let (kind, hint) = match &error {
        E::BadSignature(_) => (ErrorKind::Corrupt, "export or upload this volume again"),
        E::Malformed(_) => (ErrorKind::Corrupt, "the program that wrote it does not keep to the format"),
        E::WrongPassword | E::PasswordNeeded => (ErrorKind::Denied, "give the password that was set at the export"),
        E::RecipientKeyNeeded | E::WrongRecipientKey => {
            (ErrorKind::Denied, "the volume was sealed to another archive's certificate")
        }
        E::WrongCertificate | E::CertificateNeeded | E::NotACertificate => {
            (ErrorKind::Denied, "give the .cer file that the export wrote beside its volumes")
        }
        E::Truncated => (ErrorKind::Invalid, "upload the file again, or resume the upload"),
        E::NewerVersion(_) => (ErrorKind::Invalid, "update Postkahn"),
        E::NotAVolume(_) | E::OverLimit(_) => {
            (ErrorKind::Invalid, "export volumes, ZIP archives, mboxes and single mails can be imported")
        }
    };
    Error::new(kind, error.to_string()).code(error.code()).hint(hint)
}

/// The last part of a key, for people.
pub(crate) fn file_name(key: &ObjectKey) -> &str {
    key.as_str().rsplit('/').next().unwrap_or_default()
}
