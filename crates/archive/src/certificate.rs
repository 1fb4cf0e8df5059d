//! The archive's own certificate: exports sealed to it open here without a password.

use serde::{Deserialize, Serialize};
use volume::Certificate;

use crate::{
    Archive, Error, ErrorKind, Result,
    hash::to_hex,
    ports::{ObjectKey, PutMode},
    rng::Rng,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientCertificate {
    pub pem: String,
    /// Hex, of the DER.
    pub sha256: String,
}

const KEY: &str = "certificate/recipient.der";

impl Archive {
    /// The certificate for `export --recipient`, made at the first call: the `Keys` port's agreement key, signed by a
    /// key that is thrown away, because a key that agrees never signs.
    pub async fn recipient_certificate(&self) -> Result<RecipientCertificate> {
        let certificate = match self.own_certificate().await? {
            Some(certificate) => certificate,
            None => self.make_certificate().await?,
        };
        Ok(RecipientCertificate { pem: certificate.pem(), sha256: to_hex(certificate.sha256()) })
    }

    pub(crate) async fn own_certificate(&self) -> Result<Option<Certificate>> {
        let key = ObjectKey::parse(KEY)?;
        let Some(meta) = self.objects.head(&key).await? else { return Ok(None) };
        let der = self.objects.get(&key, 0..meta.size_bytes.min(volume::MAX_CERTIFICATE_BYTES), None).await?;
        let wrong = |e| Error::corrupt("the archive's own certificate cannot be read").caused_by(e);
        Certificate::parse(&der).map(Some).map_err(wrong)
    }

    async fn make_certificate(&self) -> Result<Certificate> {
        let public = self.keys.public().await?.agreement;
        let public = p256::PublicKey::from_sec1_bytes(&public)
            .map_err(|e| Error::internal("the agreement key is no point of P-256").caused_by(e))?;
        let certificate = Certificate::issue_for_agreement(&public, "postkahn archive", &mut Rng(&*self.random))
            .map_err(|e| Error::internal("the archive's own certificate cannot be made").caused_by(e))?;
        let der = certificate.der().to_vec();
        match self.objects.put(&ObjectKey::parse(KEY)?, der.into(), PutMode::IfAbsent).await {
            Ok(_) => Ok(certificate),
            // Somebody else was first: theirs counts.
            Err(e) if e.kind() == ErrorKind::Conflict => self
                .own_certificate()
                .await?
                .ok_or_else(|| Error::unavailable("the archive's own certificate is missing")),
            Err(e) => Err(e),
        }
    }
}
