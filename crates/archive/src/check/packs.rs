//! Packs against their rows, and every byte of them.

use super::{Comparison, Findings, PackUse};
use crate::{
    Archive, ErrorKind, PackId, Result,
    hash::to_hex,
    import::REPORTS,
    inventory::SLICES,
    kept,
    ports::ObjectKey,
    process::OUTCOMES,
    restructure::PLACEMENTS,
    store::{FOOTER_BYTES, INDEX_ENTRY_BYTES, MAGIC, PACKS, Pack, PackState, RECORD_BYTES, Trailer, pack_key},
};

impl Archive {
    /// Every kept pack is there in its full size, with the footer that its row knows.
    pub(super) async fn check_packs(&self, findings: &mut Findings) -> Result<()> {
        for pack in self.all::<Pack>(None).await? {
            self.check_kept(&pack, findings).await?;
        }
        Ok(())
    }

    pub(super) async fn check_pack(&self, id: &PackId, findings: &mut Findings) -> Result<()> {
        match self.find::<Pack>(&id.0).await? {
            Some(pack) => self.check_kept(&pack.value, findings).await,
            None => Ok(()),
        }
    }

    async fn check_kept(&self, pack: &Pack, findings: &mut Findings) -> Result<()> {
        if pack.state == PackState::Kept {
            let key = pack_key(&pack.id)?;
            findings.report.packs += 1;
            findings.expected.insert(key.to_string());
            let overhead_bytes = MAGIC.len() as u64 + FOOTER_BYTES + pack.mails * (RECORD_BYTES + INDEX_ENTRY_BYTES);
            let usage = PackUse { size: pack.size_bytes, overhead: overhead_bytes, used: 0 };
            findings.packs.insert(pack.id.clone(), usage);
            match self.objects.head(&key).await? {
                None => findings.error(format!("pack {}: the object is missing", pack.id)),
                Some(meta) if meta.size_bytes != pack.size_bytes => {
                    findings.error(format!("pack {}: {} bytes, not {}", pack.id, meta.size_bytes, pack.size_bytes));
                }
                Some(_) => self.check_footer(pack, findings).await?,
            }
        }
        Ok(())
    }

    async fn check_footer(&self, pack: &Pack, findings: &mut Findings) -> Result<()> {
        let start = pack.size_bytes.saturating_sub(FOOTER_BYTES);
        let footer = match self.objects.get(&pack_key(&pack.id)?, start..pack.size_bytes, None).await {
            Err(e) if e.kind() == ErrorKind::Corrupt => {
                findings.error(format!("pack {}: {e}", pack.id));
                return Ok(());
            }
            footer => footer?,
        };
        let agrees = Trailer::parse(&footer)
            .is_some_and(|footer| Some(to_hex(&footer.sha256)) == pack.sha256 && footer.count == pack.mails);
        if !agrees {
            findings.error(format!("pack {}: its footer is not the one that was written", pack.id));
        }
        Ok(())
    }

    /// Objects that nothing points to. Where no pack has a row but steps were done, it is the catalogue that is gone.
    pub(super) async fn find_orphans(&self, findings: &mut Findings, comparison: Option<&Comparison>) -> Result<()> {
        let is_used = |key: &ObjectKey| comparison.is_some_and(|comparison| comparison.inventory.used.contains(key));
        for prefix in [PACKS, SLICES, REPORTS, OUTCOMES, PLACEMENTS, kept::PREFIX] {
            for key in self.keys_below(prefix).await? {
                // Without a look into them nobody knows what these belong to.
                let is_said = comparison.is_some() || ![PLACEMENTS, kept::PREFIX].contains(&prefix);
                if is_said && !findings.expected.contains(key.as_str()) && !is_used(&key) {
                    findings.report.orphans.push(key.to_string());
                }
            }
        }
        let lost = findings.report.orphans.iter().any(|key| key.starts_with(SLICES));
        if lost && self.page_of::<Pack>(None, None, 1).await?.is_empty() {
            let text = "the catalogue knows no pack, but the store has some; to put it right: `postkahn rebuild`";
            findings.error(text.into());
        }
        Ok(())
    }
}
