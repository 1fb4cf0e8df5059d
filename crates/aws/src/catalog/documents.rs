//! Documents: one item each, their partition `D#<partition>`, their version a condition.

use archive::{
    Error, Result,
    ports::{Document, Expect},
};
use serde_json::Value;

use super::{
    item::{Item, Key, SK, damaged, need_number, need_text, number, text},
    table::{Condition, Range, Table, Update, side_by_side},
};

const BODY: &str = "b";
const VERSION: &str = "v";
/// The attribute that the table's time to live is set to.
const EXPIRES: &str = "ttl";

pub(super) const PREFIX: &str = "D#";

fn key(partition: &str, id: &str) -> Key {
    Key::new(format!("{PREFIX}{partition}"), id)
}

pub(super) async fn load(table: &Table, partition: &str, id: &str) -> Result<Option<Document>> {
    table.get(&key(partition, id)).await?.as_ref().map(document).transpose()
}

pub(super) async fn save(
    table: &Table,
    (partition, id): (&str, &str),
    body: &Value,
    expect: Expect,
    expires: Option<i64>,
) -> Result<u64> {
    let key = key(partition, id);
    let (version, condition) = match expect {
        Expect::Anything => return save_whatever_is_there(table, key, body, expires).await,
        Expect::Absent => (1, Condition::absent()),
        Expect::Version(version) => {
            (version.saturating_add(1), Condition::new("#v = :there", [(":there", number(version))]))
        }
    };
    let mut item = key.item();
    item.insert(BODY.into(), text(body.to_string()));
    item.insert(VERSION.into(), number(version));
    if let Some(expires) = expires {
        item.insert(EXPIRES.into(), number(expires));
    }
    if table.put(item, Some(condition)).await? { Ok(version) } else { Err(changed(partition, id)) }
}

/// Whatever is there.
pub(super) async fn save_all(table: &Table, partition: &str, documents: &[(String, Value)]) -> Result<()> {
    let saves = documents.iter().map(|(id, body)| save_whatever_is_there(table, key(partition, id), body, None));
    side_by_side(saves.collect()).await.map(drop)
}

async fn save_whatever_is_there(table: &Table, key: Key, body: &Value, expires: Option<i64>) -> Result<u64> {
    let mut values = vec![(":body", text(body.to_string())), (":none", number(0)), (":one", number(1))];
    let set = "SET #b = :body, #v = if_not_exists(#v, :none) + :one";
    let expression = match expires {
        Some(expires) => {
            values.push((":ttl", number(expires)));
            format!("{set}, #ttl = :ttl")
        }
        None => format!("{set} REMOVE #ttl"),
    };
    let update = Update { key, expression, condition: None, values };
    let item = table.update(update).await?.ok_or_else(|| Error::internal("an update without condition was refused"))?;
    need_number(&item, VERSION)
}

pub(super) async fn list(table: &Table, partition: &str, after: Option<&str>, limit: usize) -> Result<Vec<Document>> {
    // No sort key is empty, so that nothing but everything comes after the empty text.
    let range = after.filter(|after| !after.is_empty()).map_or(Range::All, Range::After);
    table.query(&format!("{PREFIX}{partition}"), range, limit).await?.iter().map(document).collect()
}

pub(super) async fn remove(table: &Table, partition: &str, id: &str, expect: Expect) -> Result<bool> {
    let condition = match expect {
        Expect::Anything => None,
        Expect::Absent => return Err(Error::invalid("nothing can be removed that must be absent")),
        Expect::Version(version) => {
            let values = [(":there", number(version))];
            Some(Condition::new("attribute_not_exists(#pk) OR #v = :there", values))
        }
    };
    table.delete(&key(partition, id), condition).await?.ok_or_else(|| changed(partition, id))
}

fn document(item: &Item) -> Result<Document> {
    let body = serde_json::from_str(need_text(item, BODY)?).map_err(|e| damaged(item, BODY).caused_by(e))?;
    Ok(Document { id: need_text(item, SK)?.to_owned(), version: need_number(item, VERSION)?, body })
}

fn changed(partition: &str, id: &str) -> Error {
    Error::conflict(format!("{partition} {id} was changed meanwhile"))
}
