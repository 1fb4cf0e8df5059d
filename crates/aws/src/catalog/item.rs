//! Items as DynamoDB has them: attributes taken out and put in, and their size.

use std::{collections::HashMap, fmt::Display};

use archive::{Error, Result};
use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};

pub(super) type Item = HashMap<String, AttributeValue>;

/// Partition key and sort key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

impl Key {
    pub(super) fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    /// An item that has nothing but its key yet.
    pub(super) fn item(&self) -> Item {
        Item::from([(PK.into(), text(&self.pk)), (SK.into(), text(&self.sk))])
    }

    pub(super) fn of(item: &Item) -> Result<Self> {
        Ok(Self::new(need_text(item, PK)?, need_text(item, SK)?))
    }
}

pub(super) const PK: &str = "pk";
pub(super) const SK: &str = "sk";

/// No item is larger (Amazon DynamoDB, "Quotas").
pub(super) const MAX_BYTES: usize = 400 * 1024;

/// The size that DynamoDB bounds and charges by (Developer Guide, "DynamoDB item sizes and formats"): names and values;
/// a number takes a byte for each two digits and one more, a list or map three bytes and one for each element.
pub(super) fn size_bytes(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => number_bytes(digits),
        AttributeValue::B(blob) => blob.as_ref().len(),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Ns(numbers) => numbers.iter().map(|digits| number_bytes(digits)).sum(),
        AttributeValue::Bs(blobs) => blobs.iter().map(|blob| blob.as_ref().len()).sum(),
        AttributeValue::L(values) => 3 + values.iter().map(|value| 1 + value_bytes(value)).sum::<usize>(),
        AttributeValue::M(values) => 3 + size_bytes(values) + values.len(),
        _ => 1,
    }
}

fn number_bytes(digits: &str) -> usize {
    digits.len().div_ceil(2) + 1
}

pub(super) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn number(number: impl Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(super) fn bytes(bytes: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// A set of the numbers of the bits that are set; none if there is none, for no set is empty.
pub(super) fn bits(bits: u64) -> Option<AttributeValue> {
    let set: Vec<_> = (0..64).filter(|at| bits & (1 << at) != 0).map(|at: u32| at.to_string()).collect();
    (!set.is_empty()).then_some(AttributeValue::Ns(set))
}

pub(super) fn get_text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(super) fn get_number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(super) fn get_bytes<'a>(item: &'a Item, name: &str) -> Option<&'a [u8]> {
    item.get(name)?.as_b().ok().map(Blob::as_ref)
}

pub(super) fn get_blobs<'a>(item: &'a Item, name: &str) -> &'a [Blob] {
    item.get(name).and_then(|value| value.as_bs().ok()).map_or(&[], Vec::as_slice)
}

pub(super) fn get_bits(item: &Item, name: &str) -> u64 {
    let set = item.get(name).and_then(|value| value.as_ns().ok()).map_or(&[][..], Vec::as_slice);
    set.iter().filter_map(|at| at.parse().ok()).fold(0, |bits, at: u32| bits | 1_u64.checked_shl(at).unwrap_or(0))
}

pub(super) fn need_text<'a>(item: &'a Item, name: &'static str) -> Result<&'a str> {
    get_text(item, name).ok_or_else(|| damaged(item, name))
}

pub(super) fn need_number(item: &Item, name: &'static str) -> Result<u64> {
    get_number(item, name).ok_or_else(|| damaged(item, name))
}

pub(super) fn need_bytes<'a>(item: &'a Item, name: &'static str) -> Result<&'a [u8]> {
    get_bytes(item, name).ok_or_else(|| damaged(item, name))
}

/// An item that is not as we write it.
pub(super) fn damaged(item: &Item, what: &str) -> Error {
    let (pk, sk) = (get_text(item, PK).unwrap_or("?"), get_text(item, SK).unwrap_or("?"));
    Error::corrupt(format!("catalogue item {pk} {sk} cannot be read: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_guide() {
        let item = Item::from([
            ("pk".into(), text("M#ab")),
            ("n".into(), number(12345)),
            ("k".into(), bytes([0; 100])),
            ("f".into(), AttributeValue::Ns(vec!["1".into(), "30".into()])),
            ("yes".into(), AttributeValue::Bool(true)),
            ("l".into(), AttributeValue::L(vec![text("ab"), text("c")])),
        ]);
        assert_eq!(size_bytes(&item), (2 + 4) + (1 + 4) + (1 + 100) + (1 + 2 + 2) + (3 + 1) + (1 + 3 + 3 + 2));
    }

    #[test]
    fn bits_become_sets_and_come_back() {
        for all in [0, 1, 0b1010, u64::MAX, 1 << 63] {
            let item: Item = bits(all).map(|set| ("x".to_owned(), set)).into_iter().collect();
            assert_eq!(get_bits(&item, "x"), all);
        }
    }
}
