//! The volumes of an export, as imports know them: each names the seal of the one before it.

use volume::{Certificate, Volume};

use super::{Import, ImportState, VOLUME_CONFLICT};
use crate::{Error, Result, hash::to_hex};

/// A volume by what its header and seal say of its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    export_id: String,
    /// DER in hex.
    certificate: String,
    number: u64,
    seal: String,
    previous: Option<String>,
}

/// Every volume that was imported, is being imported, or comes before in the same start.
pub(super) struct Chain(Vec<Link>);

impl Chain {
    pub(super) fn of(imports: &[Import]) -> Self {
        let counts = |import: &&Import| {
            !import.is_foreign() && !matches!(import.state, ImportState::Failed | ImportState::Cancelled)
        };
        let link = |import: &Import| Link {
            export_id: import.export_id.clone(),
            certificate: import.certificate.clone(),
            number: import.volume,
            seal: import.seal.clone(),
            previous: import.previous_seal.clone(),
        };
        Self(imports.iter().filter(counts).map(link).collect())
    }

    /// Adds a volume. `Conflict` if another one of its number is there, unless the volume after it names this one by its seal.
    /// The text is an alarm: a second certificate for the same export.
    pub(super) fn add(&mut self, volume: &Volume, certificate: Option<&Certificate>) -> Result<Option<String>> {
        let verified = volume.verified();
        let new = Link {
            export_id: verified.header().export_id.clone(),
            certificate: certificate.map(|c| to_hex(c.der())).unwrap_or_default(),
            number: verified.header().volume,
            seal: to_hex(verified.seal_sha256()),
            previous: verified.seal().previous_seal_hex(),
        };
        self.admit(&new)?;
        let stranger = self.0.iter().find(|it| it.export_id == new.export_id && it.certificate != new.certificate);
        let alarm = stranger.map(|it| {
            format!(
                "export {} has come in under another certificate before (volume {}): one of the two is not what it says",
                it.export_id, it.number
            )
        });
        self.0.push(new);
        Ok(alarm)
    }

    fn admit(&self, new: &Link) -> Result<()> {
        let own = || self.0.iter().filter(|it| it.export_id == new.export_id && it.certificate == new.certificate);
        let is_named = own().any(|it| it.number == new.number + 1 && it.previous.as_ref() == Some(&new.seal));
        match own().find(|it| it.number == new.number && it.seal != new.seal) {
            Some(_) if !is_named => Err(Error::conflict(format!(
                "another volume {} of this export was imported before: one of the two is stale",
                new.number
            ))
            .code(VOLUME_CONFLICT)
            .hint(format!(
                "`postkahn verify` of all volumes says which one belongs to the export; if it is this one, import volume {}, \
                 which names it, before it",
                new.number + 1
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Chain, Link};

    fn link(number: u64, seal: &str, previous: Option<&str>) -> Link {
        let (export_id, certificate) = ("e".to_owned(), "c".to_owned());
        Link { export_id, certificate, number, seal: seal.into(), previous: previous.map(str::to_owned) }
    }

    #[test]
    fn of_two_volumes_of_a_number_the_one_that_the_next_names_is_admitted() {
        let mut chain = Chain(vec![link(1, "a", None)]);
        assert!(chain.admit(&link(1, "a", None)).is_ok(), "the same again");
        assert_eq!(chain.admit(&link(1, "b", None)).unwrap_err().machine_code(), "volume_conflict");
        assert!(chain.admit(&Link { certificate: "d".into(), ..link(1, "b", None) }).is_ok());
        assert!(chain.admit(&link(2, "x", Some("b"))).is_ok());
        chain.0.push(link(2, "x", Some("b")));
        assert!(chain.admit(&link(1, "b", None)).is_ok());
        assert!(chain.admit(&link(1, "c", None)).is_err());
    }
}
