//! Lists: which there are, and in which of them a mail lies.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::Ended;
use crate::{FolderPath, MailboxAddress, import::Placed, ports::Scope, restructure::folder_path};

/// Every list that the objects tell of, with a number.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    numbers: BTreeMap<Scope, u32>,
    all: Vec<Scope>,
}

impl Scopes {
    pub(crate) fn get(&self, number: u32) -> Option<&Scope> {
        self.all.get(usize::try_from(number).ok()?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Scope)> {
        (0..).zip(&self.all)
    }

    /// The folders of each mailbox that mails may lie in, without their parents.
    pub(crate) fn folders(&self) -> BTreeMap<&MailboxAddress, BTreeSet<FolderPath>> {
        let mut folders: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for scope in &self.all {
            if let Scope::Folder(mailbox, path) = scope {
                folders.entry(mailbox).or_default().insert(path.clone());
            }
        }
        folders
    }

    /// The list of all mails.
    pub(crate) fn whole(&mut self) -> u32 {
        self.number(Scope::All)
    }

    /// The lists of an import's target are there even if none of its mails is.
    pub(super) fn add_target(&mut self, ended: &Ended) {
        self.target(ended, &[]);
    }

    /// Where a mail of this import lies, as far as this import is the reason.
    pub(super) fn of(&mut self, ended: &Ended, placed: &Placed) -> Vec<u32> {
        let mut lists = self.target(ended, &placed.folders);
        if ended.is_emptied {
            // The folders stay.
            lists = [self.whole()].into();
        }
        for location in &placed.locations {
            let Some((archive, path)) = location.split_first() else { continue };
            for address in ended.addresses.get(archive).into_iter().flatten() {
                lists.insert(self.number(Scope::Mailbox(address.clone())));
                lists.insert(self.number(Scope::Folder(address.clone(), folder_path(path))));
            }
        }
        lists.into_iter().collect()
    }

    /// A volume's mails lie in the folder of their export, those of a foreign file in its folders.
    fn target(&mut self, ended: &Ended, folders: &[FolderPath]) -> BTreeSet<u32> {
        let mailbox = &ended.mailbox;
        let export = (!ended.is_foreign()).then(|| FolderPath(vec![ended.export_name.clone()]));
        let folders = folders.iter().cloned().chain(export);
        let folders = folders.map(|folder| Scope::Folder(mailbox.clone(), folder));
        let scopes: Vec<_> = [Scope::All, Scope::Mailbox(mailbox.clone())].into_iter().chain(folders).collect();
        scopes.into_iter().map(|scope| self.number(scope)).collect()
    }

    fn number(&mut self, scope: Scope) -> u32 {
        if let Some(number) = self.numbers.get(&scope) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(scope.clone());
        self.numbers.insert(scope, number);
        number
    }
}
