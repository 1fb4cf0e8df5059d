//! The archive's own certificate: exports sealed to it open here without a password.

use serde::{Deserialize, Serialize};
use volume::Certificate;

use crate::{
    Archive, Error, ErrorKind, Result,
    hash::to_hex,
    ports::{ObjectKey, PutMode},
    records::Record,
    rng::Rng,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientCertificate {
    pub pem: String,
    /// Hex, of the DER.
    pub sha256: String,
}

/// What the certificate must be, so that a changed one is noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Issued {
    /// Hex, of the DER.
    sha256: String,
}

impl Record for Issued {
    const KIND: &'static str = "certificate";
    fn id(&self) -> String {
        "recipient".into()
    }
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

    /// The certificate as it was made; none if it never was. `Corrupt` if it was changed or is gone.
    pub(crate) async fn own_certificate(&self) -> Result<Option<Certificate>> {
        let issued = self.find::<Issued>("recipient").await?.map(|stored| stored.value.sha256);
        let key = ObjectKey::parse(KEY)?;
        let Some(meta) = self.objects.head(&key).await? else {
            let gone = || Err(Error::corrupt("the archive's own certificate is gone"));
            return issued.map_or(Ok(None), |_| gone());
        };
        let wrong = || Error::corrupt("the archive's own certificate has changed");
        let der = self.objects.get(&key, 0..meta.size_bytes.min(volume::MAX_CERTIFICATE_BYTES), None).await?;
        if issued.as_ref().is_some_and(|issued| crate::MailHash::of(&der).to_string() != *issued) {
            return Err(wrong());
        }
        let certificate = Certificate::parse(&der).map_err(|e| wrong().caused_by(e))?;
        if issued.is_none() {
            // A crash came between the object and its row.
            self.put(Issued { sha256: to_hex(certificate.sha256()) }).await?;
        }
        Ok(Some(certificate))
    }

    async fn make_certificate(&self) -> Result<Certificate> {
        let public = self.keys.public().await?.agreement;
        let public = p256::PublicKey::from_sec1_bytes(&public)
            .map_err(|e| Error::internal("the agreement key is no point of P-256").caused_by(e))?;
        let certificate = Certificate::issue_for_agreement(&public, "postkahn archive", &mut Rng(&*self.random))
            .map_err(|e| Error::internal("the archive's own certificate cannot be made").caused_by(e))?;
        match self.objects.put(&ObjectKey::parse(KEY)?, certificate.der().to_vec().into(), PutMode::IfAbsent).await {
            // Somebody else was first: theirs counts.
            Err(e) if e.kind() != ErrorKind::Conflict => return Err(e),
            _ => {}
        }
        self.own_certificate().await?.ok_or_else(|| Error::unavailable("the archive's own certificate is missing"))
    }
}
