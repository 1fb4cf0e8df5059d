//! Restructure over the in-memory twins: what it would do, what it does, and that nothing of it is done twice.

mod killed;
mod places;
mod preview;

use crate::{FolderPath, MailboxAddress, import::tests::World, testing::volumes::Sample};

fn address(text: &str) -> MailboxAddress {
    MailboxAddress::parse(text).unwrap()
}

/// A mail in a place that is given name by name.
fn at(number: u64, names: &[&str]) -> Sample {
    Sample { location: names.iter().map(|name| (*name).to_owned()).collect(), ..Sample::new(number, "") }
}

/// Path and mails of each folder.
async fn folders(world: &World, mailbox: &str) -> Vec<(FolderPath, u64)> {
    let folders = world.archive.catalog.folders(&address(mailbox)).await.unwrap();
    folders.into_iter().map(|folder| (folder.path, folder.mails)).collect()
}
