//! References: an entry that says "the same mail as number r".

use volume::{Metadata, Volume};

use super::{
    open::Located,
    read::{Entry, OpenedMail, open_one},
    step::Proven,
};
use crate::{Archive, MailHash, Result};

/// The mail that the entry stands for, or why it cannot stand for it. The reference counts only once this worker has
/// itself proven the mail that it names; never because the archive already holds that hash. `held` says that the mail
/// is part of the step already.
pub(super) async fn resolve(
    archive: &Archive,
    volume: &Volume,
    located: &Located,
    proven: &mut Proven,
    held: bool,
    (number, metadata): (u64, Metadata),
) -> Result<Result<OpenedMail, String>> {
    let Some(named) = metadata.reference.filter(|named| *named < number) else {
        return Ok(Err("the mail that it refers to does not come before it".into()));
    };
    let own = (MailHash(metadata.sha256), metadata.size_bytes);
    // A mail that this worker has proven, and that is in the archive or in this very step, need not be read again.
    let proven_here = proven.get(&named) == Some(&own);
    if proven_here && (held || archive.catalog.locate(&[own.0]).await?.iter().all(Option::is_some)) {
        return Ok(Ok(OpenedMail { number, metadata, frame: None, summary: mail::Summary::default() }));
    }
    match open_one(archive, volume, located, named).await? {
        Some(Entry::Mail(target)) => match volume.check_reference(number, &metadata, &target.metadata) {
            Ok(()) => {
                proven.insert(named, own);
                Ok(Ok(OpenedMail { number, metadata, ..target }))
            }
            Err(damage) => Ok(Err(damage.to_string())),
        },
        Some(Entry::Damaged { reason, .. }) => {
            Ok(Err(format!("mail {named}, to which it refers, is damaged: {reason}")))
        }
        Some(Entry::Reference { .. }) => Ok(Err(format!("mail {named}, to which it refers, is a reference itself"))),
        None => Ok(Err(format!("mail {named}, to which it refers, is not in this volume"))),
    }
}
