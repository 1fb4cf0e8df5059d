//! References: an entry that says "the same mail as number r".

use std::sync::Arc;

use volume::{Metadata, Volume};

use super::{
    FailedEntry,
    entries::Proven,
    open::Located,
    read::{Entry, OpenedMail, open_one},
};
use crate::{Archive, MailHash, Result};

/// The mail that the entry stands for, or why it cannot stand for it. The reference counts only once this worker has
/// itself proven the mail that it names; never because the archive already holds that hash. `held` says that the mail
/// is part of the step already.
pub(super) async fn resolve(
    archive: &Archive,
    volume: &Volume,
    located: &Arc<Located>,
    proven: &mut Proven,
    held: bool,
    (number, metadata): (u64, Metadata),
) -> Result<Result<OpenedMail, String>> {
    let Some(named) = metadata.reference.filter(|named| *named < number) else {
        return Ok(Err("the mail that it refers to does not come before it".into()));
    };
    let own = (MailHash(metadata.sha256), metadata.size_bytes);
    match proven.get(&named) {
        Some(Err(reason)) => return Ok(Err(reason.clone())),
        // Proven here, and in the archive or in this very step: its bytes are not needed again.
        Some(Ok(target)) if *target == own && (held || is_known(archive, own.0).await?) => {
            let (summary, folders) = (mail::Summary::default(), Vec::new());
            return Ok(Ok(OpenedMail { number, metadata, frame: None, summary, folders }));
        }
        _ => {}
    }
    let found = match open_one(archive, volume, located, named).await? {
        Some(Entry::Mail(target)) => match volume.check_reference(number, &metadata, &target.metadata) {
            Ok(()) => Ok(OpenedMail { number, metadata, ..target }),
            Err(damage) => return Ok(Err(damage.to_string())),
        },
        Some(Entry::Failed(FailedEntry { reason, .. })) => {
            Err(format!("mail {named}, to which it refers, is damaged: {reason}"))
        }
        Some(Entry::Reference { .. }) => Err(format!("mail {named}, to which it refers, is a reference itself")),
        None => Err(format!("mail {named}, to which it refers, is not in this volume")),
    };
    proven.insert(named, found.as_ref().map(|_| own).map_err(Clone::clone));
    Ok(found)
}

async fn is_known(archive: &Archive, hash: MailHash) -> Result<bool> {
    Ok(archive.catalog.known(&[hash]).await?.iter().all(Option::is_some))
}
