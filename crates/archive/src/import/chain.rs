//! The volumes of an export, as imports know them: each names the seal of the one before it.

use std::cmp::Reverse;

use volume::{Certificate, Volume};

use super::{Import, ImportState, VOLUME_CONFLICT, start::Looked};
use crate::{Archive, Error, Result, hash::to_hex};

/// A volume by what its header and seal say of its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    export_id: String,
    /// DER in hex.
    certificate: String,
    number: u64,
    seal: String,
    previous: Option<String>,
    last: bool,
}

/// Every volume that was imported, is being imported, or comes before in the same start.
pub(super) struct Chain(Vec<Link>);

impl Archive {
    /// Refuses volumes in whose place another one is.
    pub(super) async fn look_at_chain(
        &self,
        looked: &mut [Looked],
        certificate: Option<&Certificate>,
        each_alone: bool,
    ) -> Result<()> {
        let mut volumes: Vec<_> = looked.iter_mut().filter(|it| it.volume().is_some()).collect();
        if volumes.is_empty() {
            return Ok(());
        }
        let opened: Vec<_> = volumes.iter().filter_map(|it| it.volume()).cloned().collect();
        let mut chain = Chain::of(&self.all::<Import>(None).await?);
        for (looked, answer) in volumes.iter_mut().zip(chain.add(&opened.iter().collect::<Vec<_>>(), certificate)) {
            match answer {
                Ok(alarm) => looked.alarm = alarm,
                Err(error) if !each_alone => return Err(error),
                Err(error) => looked.outcome = Err(error),
            }
        }
        Ok(())
    }
}

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
            last: import.last,
        };
        Self(imports.iter().filter(counts).map(link).collect())
    }

    /// Adds the volumes of one start; the answers are in their order. `Conflict` if another volume of that number is there,
    /// unless the volume after it names this one by its seal, or all of its set come together. The text is an alarm: a second
    /// certificate for the same export.
    pub(super) fn add(
        &mut self,
        volumes: &[&Volume],
        certificate: Option<&Certificate>,
    ) -> Vec<Result<Option<String>>> {
        let certificate = certificate.map(|c| to_hex(c.der())).unwrap_or_default();
        self.add_links(&volumes.iter().map(|volume| Link::of(volume, &certificate)).collect::<Vec<_>>())
    }

    fn add_links(&mut self, new: &[Link]) -> Vec<Result<Option<String>>> {
        let mut order: Vec<_> = new.iter().enumerate().collect();
        // Each after the one that names it.
        order.sort_by_key(|(_, link)| Reverse(link.number));
        let mut answers: Vec<_> = order
            .into_iter()
            .map(|(at, link)| {
                let answer = self.admit(link, new).map(|()| self.alarm(link));
                if answer.is_ok() {
                    self.0.push(link.clone());
                }
                (at, answer)
            })
            .collect();
        answers.sort_by_key(|(at, _)| *at);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    fn admit(&self, new: &Link, beside: &[Link]) -> Result<()> {
        let own = || self.0.iter().filter(|it| it.is_of_the_export_of(new));
        let is_named = own().any(|it| it.number == new.number + 1 && it.previous.as_ref() == Some(&new.seal));
        let is_rivalled = own().any(|it| it.number == new.number && it.seal != new.seal);
        if !is_rivalled || is_named || new.ends_a_whole_set(beside) {
            return Ok(());
        }
        let text = format!("another volume {} of this export was imported before: one of the two is stale", new.number);
        Err(Error::conflict(text).code(VOLUME_CONFLICT).hint(
            "`postkahn verify` of all volumes says which one belongs to the export; if it is this one, import all volumes of its \
             set in one call",
        ))
    }

    fn alarm(&self, new: &Link) -> Option<String> {
        let stranger = |it: &&Link| it.export_id == new.export_id && it.certificate != new.certificate;
        let it = self.0.iter().find(stranger)?;
        Some(format!(
            "export {} has come in under another certificate before (volume {}): one of the two is not what it says",
            it.export_id, it.number
        ))
    }
}

impl Link {
    fn of(volume: &Volume, certificate: &str) -> Self {
        let verified = volume.verified();
        Self {
            export_id: verified.header().export_id.clone(),
            certificate: certificate.to_owned(),
            number: verified.header().volume,
            seal: to_hex(verified.seal_sha256()),
            previous: verified.seal().previous_seal_hex(),
            last: verified.seal().last,
        }
    }

    fn is_of_the_export_of(&self, other: &Self) -> bool {
        (&self.export_id, &self.certificate) == (&other.export_id, &other.certificate)
    }

    /// Whether every volume before this last one is there, each named by the next. One alone names nothing.
    fn ends_a_whole_set(&self, links: &[Self]) -> bool {
        if !self.last || self.number == 1 {
            return false;
        }
        let mut at = self;
        while at.number > 1 {
            let is_before = |it: &&Self| {
                it.is_of_the_export_of(at) && it.number + 1 == at.number && at.previous.as_ref() == Some(&it.seal)
            };
            let Some(before) = links.iter().find(is_before) else { return false };
            at = before;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Chain, Link};

    fn link(number: u64, seal: &str, previous: Option<&str>) -> Link {
        let (export_id, certificate) = ("e".to_owned(), "c".to_owned());
        Link {
            export_id,
            certificate,
            number,
            seal: seal.into(),
            previous: previous.map(str::to_owned),
            last: number == 3,
        }
    }

    /// Which of them are taken.
    fn added(chain: &mut Chain, links: &[Link]) -> Vec<bool> {
        chain.add_links(links).iter().map(Result::is_ok).collect()
    }

    #[test]
    fn of_two_volumes_of_a_number_the_one_that_the_next_names_is_taken() {
        let mut chain = Chain(vec![link(1, "a", None)]);
        assert_eq!(added(&mut chain, &[link(1, "a", None)]), [true], "the same again");
        let refused = chain.add_links(&[link(1, "b", None)]).remove(0).unwrap_err();
        assert_eq!(refused.machine_code(), "volume_conflict");
        assert_eq!(added(&mut chain, &[link(1, "b", None), link(2, "x", Some("b"))]), [true, true], "in one start");
        assert_eq!(added(&mut chain, &[link(1, "c", None)]), [false]);
        let stranger = Link { certificate: "d".into(), ..link(1, "c", None) };
        assert!(chain.add_links(&[stranger]).remove(0).unwrap().unwrap().contains("another certificate"));
    }

    #[test]
    fn a_whole_set_is_taken_beside_another_one() {
        let set = |seals: [&str; 3]| {
            [link(1, seals[0], None), link(2, seals[1], Some(seals[0])), link(3, seals[2], Some(seals[1]))]
        };
        let mut chain = Chain(set(["a", "b", "c"]).to_vec());
        let right = set(["d", "e", "f"]);
        assert_eq!(added(&mut chain, &right[1..]), [false, false]);
        assert_eq!(added(&mut chain, &right), [true, true, true]);
    }
}
