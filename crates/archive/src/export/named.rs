//! What the report names: files of the source, and what is to be said of each.

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A file of the source and what is to be said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Path below the source.
    pub source: String,
    pub reason: String,
}

/// Any number of them in their order; a list in JSON. Files of one folder begin alike and reasons repeat, so that each
/// is held as what differs from the one before: some ten bytes for a file among many.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NamedList {
    len: usize,
    packed: Vec<u8>,
    last: Named,
}

impl NamedList {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn push(&mut self, named: Named) {
        self.len += 1;
        put_text(&mut self.packed, &self.last.source, &named.source);
        put_text(&mut self.packed, &self.last.reason, &named.reason);
        self.last = named;
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Named> {
        let (mut left, mut last) = (self.packed.as_slice(), Named::default());
        std::iter::from_fn(move || {
            last.source = take_text(&mut left, &last.source)?;
            last.reason = take_text(&mut left, &last.reason)?;
            Some(last.clone())
        })
    }
}

/// How many bytes the text shares with the one before, how many follow, and these.
fn put_text(packed: &mut Vec<u8>, before: &str, text: &str) {
    let alike = before.bytes().zip(text.bytes()).take_while(|(one, other)| one == other).count();
    let alike = text.floor_char_boundary(alike);
    put_number(packed, alike);
    put_number(packed, text.len() - alike);
    packed.extend(text.bytes().skip(alike));
}

fn take_text(packed: &mut &[u8], before: &str) -> Option<String> {
    let alike = before.get(..take_number(packed)?)?;
    let len = take_number(packed)?;
    let (rest, left) = packed.split_at_checked(len)?;
    *packed = left;
    Some(format!("{alike}{}", std::str::from_utf8(rest).ok()?))
}

/// Seven bits a byte, the lowest first (LEB128).
fn put_number(packed: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        packed.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    packed.push(number.to_le_bytes()[0]);
}

fn take_number(packed: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, left) = packed.split_first()?;
        *packed = left;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

impl fmt::Debug for NamedList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Extend<Named> for NamedList {
    fn extend<I: IntoIterator<Item = Named>>(&mut self, all: I) {
        all.into_iter().for_each(|named| self.push(named));
    }
}

impl FromIterator<Named> for NamedList {
    fn from_iter<I: IntoIterator<Item = Named>>(all: I) -> Self {
        let mut list = Self::default();
        list.extend(all);
        list
    }
}

impl Serialize for NamedList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for NamedList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(OneByOne)
    }
}

/// Takes them as they come, so that they are never held but as differences.
struct OneByOne;

impl<'de> Visitor<'de> for OneByOne {
    type Value = NamedList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of sources and reasons")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<NamedList, A::Error> {
        let mut list = NamedList::default();
        while let Some(named) = all.next_element()? {
            list.push(named);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Named, NamedList};

    #[test]
    fn a_million_files_of_one_folder_take_few_bytes() {
        let name = |n| Named { source: format!("jane/Inbox/Attachments/{n:07}.pdf"), reason: "no header".to_owned() };
        let list: NamedList = (0..1_000_000).map(name).collect();
        assert!(list.packed.len() < 12 << 20, "{} bytes", list.packed.len());
        assert_eq!((list.len(), list.iter().nth(999_999)), (1_000_000, Some(name(999_999))));
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(all in prop::collection::vec(("[aä/€𝄞]{0,300}", "(|empty|no [a-c]*)"), 0..20)) {
            let all: Vec<Named> = all.into_iter().map(|(source, reason)| Named { source, reason }).collect();
            let list: NamedList = all.iter().cloned().collect();
            prop_assert_eq!(list.iter().collect::<Vec<_>>(), all.clone());
            let text = serde_json::to_string(&list).unwrap();
            prop_assert_eq!(&text, &serde_json::to_string(&all).unwrap());
            prop_assert_eq!(serde_json::from_str::<NamedList>(&text).unwrap(), list);
        }
    }
}
