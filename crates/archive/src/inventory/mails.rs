//! All that is said of one mail, joined to what its row and its places must be.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Inventory,
    facts::{Claim, Copy, Fact},
};
use crate::{EntryRef, Flags, ImportId, MailHash, MessageRow, Result};

/// A mail that entries of imports name.
pub(crate) struct Mail {
    pub(crate) hash: MailHash,
    pub(crate) known: Known,
    /// By list, with the flags of the placement there.
    pub(crate) places: BTreeMap<u32, Flags>,
    pub(crate) date: Option<i64>,
}

pub(crate) enum Known {
    /// What the row must be. `exact` if nothing of it was guessed.
    Row { row: Box<MessageRow>, exact: bool },
    /// No pack has its bytes; why.
    Lost(String),
}

/// All that is said of one mail.
type Said = (Vec<Claim>, Vec<Copy>);

impl Inventory {
    /// The mails of one part of the scratch files that slices speak of, in the order of their hashes.
    pub(crate) fn mails(&mut self, part: usize) -> Result<Vec<Mail>> {
        self.split(part).map(|(named, _)| named)
    }

    /// The mails of a part that slices speak of, and the others whose bytes are sound, in rows that say no more than these
    /// do: where slices are damaged, they would be lost from sight.
    pub(crate) fn split(&mut self, part: usize) -> Result<(Vec<Mail>, Vec<Mail>)> {
        let whole = self.scopes.whole();
        let (mut named, mut foundlings) = (Vec::new(), Vec::new());
        for (hash, (claims, copies)) in self.by_hash(part)? {
            if !claims.is_empty() {
                named.push(join(hash, claims, copies));
            } else if let Some(copy) = copies.into_iter().find(|copy| copy.header.is_some()) {
                let seen = self.packs.get(&copy.pack).map_or(0, |pack| pack.modified);
                let known = Known::Row { row: Box::new(foundling(copy, seen)), exact: false };
                foundlings.push(Mail { hash, known, places: [(whole, Flags::default())].into(), date: None });
            }
        }
        Ok((named, foundlings))
    }

    fn by_hash(&mut self, part: usize) -> Result<BTreeMap<MailHash, Said>> {
        let mut by_hash: BTreeMap<MailHash, Said> = BTreeMap::new();
        for fact in self.facts.read(part)? {
            match fact {
                Fact::Claim(claim) => by_hash.entry(claim.placed.hash).or_default().0.push(claim),
                Fact::Copy(copy) => by_hash.entry(copy.hash).or_default().1.push(copy),
            }
        }
        Ok(by_hash)
    }
}

fn foundling(copy: Copy, import_date: i64) -> MessageRow {
    let (defects, texts) = copy.header.map_or_else(Default::default, |header| (header.defects, header.texts));
    MessageRow {
        hash: copy.hash,
        size_bytes: copy.size_bytes,
        pack: copy.pack,
        offset: copy.offset,
        stored_bytes: copy.stored_bytes,
        message_date: None,
        message_date_source: None,
        archive_date: None,
        import_date,
        first: EntryRef { import: ImportId("unknown".into()), entry: 0 },
        defects,
        subject: texts.subject,
        from: texts.from,
        message_id: texts.message_id,
        locations: BTreeSet::new(),
        flags: Flags::default(),
    }
}

fn join(hash: MailHash, mut claims: Vec<Claim>, mut copies: Vec<Copy>) -> Mail {
    claims.sort_by(|a, b| a.import.cmp(&b.import).then(a.entry.cmp(&b.entry)));
    copies.sort_by(|a, b| a.pack.cmp(&b.pack).then(a.offset.cmp(&b.offset)));
    let mut places: BTreeMap<u32, Flags> = BTreeMap::new();
    for claim in &claims {
        for place in &claim.lists {
            let flags = places.entry(*place).or_default();
            *flags = flags.union(claim.placed.flags);
        }
    }
    let known = match chosen(&claims, &copies) {
        Some((claim, copy, exact)) => {
            let row = Box::new(row(claim, copy, &claims));
            Known::Row { row, exact }
        }
        None => Known::Lost(why(&claims, &copies)),
    };
    let date = match &known {
        Known::Row { row, .. } => row.message_date,
        Known::Lost(_) => claims.first().and_then(|claim| claim.placed.message_date),
    };
    Mail { hash, known, places, date }
}

fn row(claim: &Claim, copy: &Copy, all: &[Claim]) -> MessageRow {
    let placed = &claim.placed;
    let header = copy.header.clone();
    let (defects, texts) = header.map_or_else(Default::default, |header| (header.defects, header.texts));
    let own = EntryRef { import: claim.import.clone(), entry: claim.entry };
    let first = placed.first.clone().filter(|_| !claim.imported).unwrap_or(own);
    MessageRow {
        hash: placed.hash,
        size_bytes: placed.size_bytes,
        pack: copy.pack.clone(),
        offset: copy.offset,
        stored_bytes: copy.stored_bytes,
        message_date: placed.message_date,
        message_date_source: placed.message_date_source.clone(),
        archive_date: placed.archive_date,
        import_date: first.import.begun().unwrap_or_default(),
        first,
        defects,
        subject: texts.subject,
        from: texts.from,
        message_id: texts.message_id,
        locations: all.iter().flat_map(|claim| claim.placed.locations.iter().cloned()).collect(),
        flags: all.iter().fold(Flags::default(), |flags, claim| flags.union(claim.placed.flags)),
    }
}
/// The claim that counts and the copy of its bytes: the first entry that has brought it, whose pack holds it soundly.
/// Where no entry has, because an import was given up after it had brought it, the first that found it there.
fn chosen<'a>(claims: &'a [Claim], copies: &'a [Copy]) -> Option<(&'a Claim, &'a Copy, bool)> {
    let sound = |claim: &Claim| {
        let is_it = |copy: &&Copy| {
            let named = claim.placed.pack.as_ref().is_none_or(|pack| *pack == copy.pack);
            copy.header.is_some() && copy.size_bytes == claim.placed.size_bytes && named
        };
        copies.iter().find(is_it)
    };
    let brought = |claim: &&Claim| claim.imported;
    let brought_by = |claim: &'a Claim| Some((claim, sound(claim)?));
    if let Some((claim, copy)) = claims.iter().filter(brought).find_map(brought_by) {
        return Some((claim, copy, claim.placed.pack.is_some()));
    }
    if let Some((claim, copy)) = claims.iter().find_map(brought_by) {
        return Some((claim, copy, false));
    }
    // The pack that should have it is gone or damaged, another one has a copy.
    let claim = claims.iter().find(brought).or_else(|| claims.first())?;
    let copy = copies.iter().find(|copy| copy.header.is_some() && copy.size_bytes == claim.placed.size_bytes)?;
    Some((claim, copy, true))
}

fn why(claims: &[Claim], copies: &[Copy]) -> String {
    let named = claims.iter().find_map(|claim| claim.placed.pack.as_ref());
    match (copies.first(), named) {
        (Some(copy), _) => format!("its bytes are damaged in pack {}", copy.pack),
        (None, Some(pack)) => format!("pack {pack} does not hold it"),
        (None, None) => "no pack holds it".into(),
    }
}
