//! Intake: a look at what came in, by its tail and its header; no key is needed for that.

use bytes::Bytes;
use volume::Certificate;

use super::{Kind, Upload, UploadState};
use crate::{
    Archive, Error, ErrorKind, Result,
    hash::to_hex,
    import::{Foreign, Located, Source},
    ports::{ETag, ObjectKey, ObjectMeta},
};

/// So much of a file is read to see what it is, if it is no volume.
const SNIFFED_BYTES: u64 = 64 << 10;
/// An export state is far smaller.
const STATE_BYTES: u64 = 256 << 10;

impl Archive {
    /// Makes a pending upload ready or rejected, and starts its import if that was chosen for its export. Safe to deliver twice, late, or after the file is gone.
    pub(crate) async fn look_at_upload(&self, key: &ObjectKey) -> Result<()> {
        let Some(record) = self.find::<Upload>(key.as_str()).await? else {
            return self.upload_landed(key).await;
        };
        let Some(meta) = self.uploads.head(key).await? else {
            return self.forget_upload(key, &record.value.etag).await;
        };
        if record.value.etag == meta.etag && record.value.state != UploadState::Pending {
            return self.start_by_itself(record).await;
        }
        if self.is_export_state(key, &meta.etag, meta.size_bytes).await? {
            return self.refuse_state(key, &meta.etag).await;
        }
        let looked = self.recognise(key, &meta).await;
        let mut record = record;
        let upload = &mut record.value;
        upload.etag = meta.etag.clone();
        upload.size_bytes = meta.size_bytes;
        match looked {
            Ok(Looked::Volume(volume)) => ready(upload, &volume),
            Ok(Looked::Foreign(kind)) => {
                upload.state = UploadState::Ready;
                upload.kind = kind;
                (upload.code, upload.reason) = (None, None);
            }
            Err(error) if is_final(&error) => {
                let (kind, code, reason) = self.explain(key, &meta, &error).await?;
                upload.state = UploadState::Rejected;
                upload.kind = kind;
                upload.code = Some(code.into());
                upload.reason = Some(reason);
            }
            Err(error) => return Err(error),
        }
        tracing::info!(upload = key.as_str(), state = ?upload.state, reason = upload.reason, "upload checked");
        match self.save(record).await {
            // Replaced or renamed meanwhile: that brought a look of its own.
            Err(e) if e.kind() == ErrorKind::Conflict => Ok(()),
            Err(e) => Err(e),
            Ok(looked_at) => self.start_by_itself(looked_at).await,
        }
    }

    /// By name, in any case, or by content: its first member is the id of the export.
    async fn is_export_state(&self, key: &ObjectKey, etag: &ETag, size_bytes: u64) -> Result<bool> {
        if key.as_str().to_lowercase().ends_with(".export-state") {
            return Ok(true);
        }
        if size_bytes > STATE_BYTES {
            return Ok(false);
        }
        let bytes = self.uploads.get(key, 0..size_bytes, Some(etag)).await?;
        Ok(volume::ExportState::needs_password(&bytes).is_ok())
    }

    /// An export's private key has no business here: it goes at once, and the log says what that means.
    async fn refuse_state(&self, key: &ObjectKey, etag: &ETag) -> Result<()> {
        self.uploads.delete(key, Some(etag)).await?;
        self.forget_upload(key, etag).await?;
        tracing::error!(
            upload = key.as_str(),
            "an export state file was uploaded and deleted: it holds the private key, so that this export's signature \
             can no longer be trusted; export again"
        );
        Ok(())
    }

    /// A volume, or a foreign file that holds mails.
    async fn recognise(&self, key: &ObjectKey, meta: &ObjectMeta) -> Result<Looked> {
        let source = Source::Upload(key.clone());
        let error = match Located::find(self, &source, Some(&meta.etag)).await {
            Ok(located) => return located.peek().await.map(|volume| Looked::Volume(Box::new(volume))),
            Err(error) => error,
        };
        if meta.size_bytes == 0 {
            return Err(Error::invalid("the file is empty").code("empty"));
        }
        if error.machine_code() != "not_a_volume" {
            return Err(error);
        }
        if Certificate::parse(&self.start_of(key, meta).await?).is_ok() {
            let text = "this is a certificate: it is not uploaded but chosen in the start panel of an import";
            return Err(Error::invalid(text).code("certificate"));
        }
        Foreign::find(self, &source, Some(&meta.etag)).await.map(|foreign| Looked::Foreign(foreign.kind))
    }

    async fn start_of(&self, key: &ObjectKey, meta: &ObjectMeta) -> Result<Bytes> {
        self.uploads.get(key, 0..meta.size_bytes.min(SNIFFED_BYTES), Some(&meta.etag)).await
    }

    /// What the file that cannot be imported is, and why not, for people.
    async fn explain(&self, key: &ObjectKey, meta: &ObjectMeta, error: &Error) -> Result<(Kind, &'static str, String)> {
        let code = error.machine_code();
        let kind = match code {
            "empty" | "certificate" => Kind::Unknown,
            "not_a_volume" | "zip_trunc" | "zip_eocd" | "zip_scattered" => kind_of(&self.start_of(key, meta).await?),
            _ => Kind::Volume,
        };
        Ok((kind, code, error.to_string()))
    }
}

/// What an upload was found to be.
enum Looked {
    Volume(Box<volume::Unverified>),
    Foreign(Kind),
}

fn ready(upload: &mut Upload, volume: &volume::Unverified) {
    upload.state = UploadState::Ready;
    upload.kind = Kind::Volume;
    upload.export_id = Some(volume.header.export_id.clone());
    upload.export_name = Some(volume.header.name.clone());
    upload.volume = Some(volume.header.volume);
    upload.seal = Some(to_hex(&volume.seal_sha256));
    upload.mails = Some(volume.seal.mails);
    upload.encrypted = Some(volume.header.is_encrypted());
    upload.code = None;
    upload.reason = None;
}

/// Errors that say something about the file; the others say that it could not be looked at.
fn is_final(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Corrupt | ErrorKind::Denied)
}

fn kind_of(start: &[u8]) -> Kind {
    if matches!(start, [b'P', b'K', 3 | 5, 4 | 6, ..]) { Kind::Zip } else { Kind::Unknown }
}
