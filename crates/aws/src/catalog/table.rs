//! The one table: requests, what they cost, and what DynamoDB leaves to its callers: pages, unprocessed keys, and the
//! answer that got lost.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use archive::{Error, Result, ports::Random};
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::{delete_item::DeleteItemError, put_item::PutItemError, update_item::UpdateItemError},
    types::{
        AttributeValue, DeleteRequest, KeysAndAttributes, PutRequest, ReturnConsumedCapacity, ReturnValue,
        ReturnValuesOnConditionCheckFailure, Select, WriteRequest,
    },
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::item::{Item, Key, MAX_BYTES, bytes, get_bytes, size_bytes};
use crate::{Meter, error::from_sdk};

/// The most that one request takes (API reference, `BatchGetItem` and `BatchWriteItem`).
const KEYS_PER_GET: usize = 100;
const ITEMS_PER_WRITE: usize = 25;
/// Requests side by side: enough to hide the way to the table, few enough for one small function.
const SIDE_BY_SIDE: usize = 32;
/// What a batch leaves unprocessed is asked for again, so often without getting on.
const MAX_IDLE_ROUNDS: u32 = 10;
/// Names the writer of an item's last version, so that a writer whose answer got lost knows its own work.
const WRITER: &str = "w";

pub(super) struct Table {
    client: Client,
    name: String,
    meter: Arc<Meter>,
    /// With the counter: never the same twice.
    instance: [u8; 8],
    given: AtomicU64,
}

/// A condition on the item that is there, and the values that it names.
#[derive(Clone, Default)]
pub(super) struct Condition {
    expression: String,
    values: Vec<(&'static str, AttributeValue)>,
}

impl Condition {
    /// Attributes are written `#name`, for many short names are reserved words; values `:name`.
    pub(super) fn new(expression: &str, values: impl Into<Vec<(&'static str, AttributeValue)>>) -> Self {
        Self { expression: expression.to_owned(), values: values.into() }
    }
    pub(super) fn absent() -> Self {
        Self::new("attribute_not_exists(#pk)", [])
    }
}

/// What to do with the item of a key.
pub(super) struct Update {
    pub(super) key: Key,
    pub(super) expression: String,
    pub(super) condition: Option<Condition>,
    pub(super) values: Vec<(&'static str, AttributeValue)>,
}

/// Sort keys of one partition.
pub(super) enum Range<'a> {
    All,
    After(&'a str),
    From(&'a str),
    Prefix(&'a str),
}

impl Table {
    pub(super) fn new(client: Client, name: &str, meter: Arc<Meter>, random: &dyn Random) -> Self {
        let mut instance = [0; 8];
        random.fill(&mut instance);
        Self { client, name: name.to_owned(), meter, instance, given: AtomicU64::new(0) }
    }

    /// Strongly consistent.
    pub(super) async fn get(&self, key: &Key) -> Result<Option<Item>> {
        let answer = self.client.get_item().table_name(&self.name).set_key(Some(key.item())).consistent_read(true);
        let item = answer.send().await.map_err(|e| refused(&e))?.item;
        self.meter.units(read_units(item.as_ref().map_or(0, size_bytes), true), 0.0);
        Ok(item)
    }

    /// Writes the whole item; false if the condition does not hold. A condition that this writer's own write broke, whose
    /// answer got lost, is one that held.
    pub(super) async fn put(&self, mut item: Item, condition: Option<Condition>) -> Result<bool> {
        let writer = self.unique();
        item.insert(WRITER.into(), bytes(writer));
        let (size, key) = (bounded(&item)?, Key::of(&item)?);
        let mut request = self.client.put_item().table_name(&self.name).set_item(Some(item));
        if let Some(condition) = condition {
            request = request
                .set_expression_attribute_names(names(&condition.expression))
                .condition_expression(condition.expression)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            for (name, value) in condition.values {
                request = request.expression_attribute_values(name, value);
            }
        }
        self.meter.units(0.0, write_units(size));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(e) if e.is_conditional_check_failed_exception() => {
                    // Not every table names the item that was in the way.
                    let there = match conflicting_put(&error) {
                        Some(there) => Some(there.clone()),
                        None => self.get(&key).await?,
                    };
                    Ok(there.is_some_and(|there| get_bytes(&there, WRITER) == Some(&writer)))
                }
                _ => Err(refused(&error)),
            },
        }
    }

    /// Changes the item and answers what it is then; none if the condition does not hold. The expression must be one
    /// that may be applied twice.
    pub(super) async fn update(&self, update: Update) -> Result<Option<Item>> {
        let (condition, values) = update.condition.map_or((None, Vec::new()), |c| (Some(c.expression), c.values));
        let all = format!("{} {}", update.expression, condition.as_deref().unwrap_or_default());
        let mut request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(update.key.item()))
            .set_expression_attribute_names(names(&all))
            .update_expression(update.expression)
            .set_condition_expression(condition)
            .return_values(ReturnValue::AllNew);
        for (name, value) in update.values.into_iter().chain(values) {
            request = request.expression_attribute_values(name, value);
        }
        match request.send().await {
            Ok(answer) => {
                let item = answer.attributes.unwrap_or_default();
                self.meter.units(0.0, write_units(size_bytes(&item)));
                Ok(Some(item))
            }
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                self.meter.units(0.0, 1.0);
                Ok(None)
            }
            Err(error) => Err(refused(&error)),
        }
    }

    /// Deletes the item; answers whether it was there. None if the condition does not hold.
    pub(super) async fn delete(&self, key: &Key, condition: Option<Condition>) -> Result<Option<bool>> {
        let mut request = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(key.item()))
            .return_values(ReturnValue::AllOld);
        if let Some(condition) = condition {
            request = request
                .set_expression_attribute_names(names(&condition.expression))
                .condition_expression(condition.expression);
            for (name, value) in condition.values {
                request = request.expression_attribute_values(name, value);
            }
        }
        match request.send().await {
            Ok(answer) => {
                self.meter.units(0.0, write_units(answer.attributes.as_ref().map_or(0, size_bytes)));
                Ok(Some(answer.attributes.is_some()))
            }
            Err(error)
                if error.as_service_error().is_some_and(DeleteItemError::is_conditional_check_failed_exception) =>
            {
                self.meter.units(0.0, 1.0);
                Ok(None)
            }
            Err(error) => Err(refused(&error)),
        }
    }

    /// Items of one partition in the order of their sort keys, at most `limit`; page after page, for each ends at 1 MB.
    pub(super) async fn query(&self, pk: &str, range: Range<'_>, limit: usize) -> Result<Vec<Item>> {
        let (mut items, mut from) = (Vec::new(), None);
        while items.len() < limit {
            let left = i32::try_from(limit - items.len()).unwrap_or(i32::MAX);
            let mut request = self
                .client
                .query()
                .table_name(&self.name)
                .consistent_read(true)
                .limit(left)
                .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
                .set_exclusive_start_key(from);
            let (condition, bound) = match range {
                Range::All => ("pk = :pk", None),
                Range::After(sk) => ("pk = :pk AND sk > :sk", Some(sk)),
                Range::From(sk) => ("pk = :pk AND sk >= :sk", Some(sk)),
                Range::Prefix(sk) => ("pk = :pk AND begins_with(sk, :sk)", Some(sk)),
            };
            request = request.key_condition_expression(condition);
            if let Some(sk) = bound {
                request = request.expression_attribute_values(":sk", AttributeValue::S(sk.to_owned()));
            }
            let answer = request.send().await.map_err(|e| refused(&e))?;
            let page = answer.items.unwrap_or_default();
            self.meter.units(read_units(page.iter().map(size_bytes).sum(), true), 0.0);
            items.extend(page);
            from = answer.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        Ok(items)
    }

    /// How many items of one partition come after this sort key. That reads all of them, but none is sent.
    pub(super) async fn count_after(&self, pk: &str, sk: &str) -> Result<u64> {
        let (mut count, mut from) = (0, None);
        loop {
            let request = self
                .client
                .query()
                .table_name(&self.name)
                .consistent_read(true)
                .select(Select::Count)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .key_condition_expression("pk = :pk AND sk > :sk")
                .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
                .expression_attribute_values(":sk", AttributeValue::S(sk.to_owned()))
                .set_exclusive_start_key(from);
            let answer = request.send().await.map_err(|e| refused(&e))?;
            // The items' sizes are not known here.
            let units = answer.consumed_capacity.and_then(|consumed| consumed.capacity_units);
            self.meter.units(units.unwrap_or_else(|| read_units(0, true)), 0.0);
            count += u64::try_from(answer.count).unwrap_or_default();
            from = answer.last_evaluated_key;
            if from.is_none() {
                return Ok(count);
            }
        }
    }

    /// The next items of the whole table in no order, and where to go on; some 1 MB a page. For recovery alone: it costs as
    /// much as the table is large.
    pub(super) async fn scan(&self, from: Option<Item>) -> Result<(Vec<Item>, Option<Item>)> {
        let request = self.client.scan().table_name(&self.name).consistent_read(true).set_exclusive_start_key(from);
        let answer = request.send().await.map_err(|e| refused(&e))?;
        let items = answer.items.unwrap_or_default();
        self.meter.units(read_units(items.iter().map(size_bytes).sum(), true), 0.0);
        Ok((items, answer.last_evaluated_key.filter(|key| !key.is_empty())))
    }

    /// The items of these keys that are there. Keys may repeat.
    pub(super) async fn batch_get(&self, keys: &[Key], consistent: bool) -> Result<HashMap<Key, Item>> {
        let mut distinct: Vec<&Key> = keys.iter().collect();
        distinct.sort_by_key(|key| (&key.pk, &key.sk));
        distinct.dedup();
        let batches = distinct.chunks(KEYS_PER_GET).map(|batch| self.get_batch(batch, consistent));
        let batches = side_by_side(batches.collect()).await?;
        batches.into_iter().flatten().map(|item| Ok((Key::of(&item)?, item))).collect()
    }

    async fn get_batch(&self, keys: &[&Key], consistent: bool) -> Result<Vec<Item>> {
        let mut items = Vec::with_capacity(keys.len());
        let mut left: Vec<Item> = keys.iter().map(|key| key.item()).collect();
        let mut idle_rounds = 0;
        while !left.is_empty() {
            back_off(idle_rounds).await?;
            let asked_for = left.len();
            let asked = KeysAndAttributes::builder().set_keys(Some(left)).consistent_read(consistent).build();
            let asked = asked.map_err(|e| Error::internal("a batch cannot be built").caused_by(e))?;
            let answer = self.client.batch_get_item().request_items(&self.name, asked).send().await;
            let answer = answer.map_err(|e| refused(&e))?;
            items.extend(answer.responses.and_then(|mut by_table| by_table.remove(&self.name)).unwrap_or_default());
            let unprocessed = answer.unprocessed_keys.and_then(|mut by_table| by_table.remove(&self.name));
            left = unprocessed.map(|keys| keys.keys).unwrap_or_default();
            idle_rounds = if left.len() < asked_for { 0 } else { idle_rounds + 1 };
        }
        let found: f64 = items.iter().map(|item| read_units(size_bytes(item), consistent)).sum();
        let missing = u32::try_from(keys.len().saturating_sub(items.len())).unwrap_or(u32::MAX);
        self.meter.units(found + f64::from(missing) * read_units(0, consistent), 0.0);
        Ok(items)
    }

    /// Writes items that may be written over, without conditions.
    pub(super) async fn batch_put(&self, items: Vec<Item>) -> Result<()> {
        let mut writes = Vec::with_capacity(items.len());
        for item in items {
            self.meter.units(0.0, write_units(bounded(&item)?));
            let put = PutRequest::builder().set_item(Some(item)).build();
            let put = put.map_err(|e| Error::internal("a batch cannot be built").caused_by(e))?;
            writes.push(WriteRequest::builder().put_request(put).build());
        }
        self.write_batches(writes).await
    }

    /// Deletes items, there or not. `sizes` are what each is charged by.
    pub(super) async fn batch_delete(&self, keys: Vec<(Key, usize)>) -> Result<()> {
        let mut writes = Vec::with_capacity(keys.len());
        for (key, size) in keys {
            self.meter.units(0.0, write_units(size));
            let delete = DeleteRequest::builder().set_key(Some(key.item())).build();
            let delete = delete.map_err(|e| Error::internal("a batch cannot be built").caused_by(e))?;
            writes.push(WriteRequest::builder().delete_request(delete).build());
        }
        self.write_batches(writes).await
    }

    async fn write_batches(&self, writes: Vec<WriteRequest>) -> Result<()> {
        let batches = writes.chunks(ITEMS_PER_WRITE).map(|batch| self.write_batch(batch.to_vec()));
        side_by_side(batches.collect()).await.map(drop)
    }

    async fn write_batch(&self, mut left: Vec<WriteRequest>) -> Result<()> {
        let mut idle_rounds = 0;
        while !left.is_empty() {
            back_off(idle_rounds).await?;
            let asked_for = left.len();
            let answer = self.client.batch_write_item().request_items(&self.name, left).send().await;
            let unprocessed = answer.map_err(|e| refused(&e))?.unprocessed_items;
            left = unprocessed.and_then(|mut by_table| by_table.remove(&self.name)).unwrap_or_default();
            idle_rounds = if left.len() < asked_for { 0 } else { idle_rounds + 1 };
        }
        Ok(())
    }

    /// Never the same twice, whoever asks.
    pub(super) fn unique(&self) -> [u8; 16] {
        let mut unique = [0; 16];
        unique[..8].copy_from_slice(&self.instance);
        unique[8..].copy_from_slice(&self.given.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        unique
    }
}

/// Does all of it, some at a time; in no order.
pub(super) async fn side_by_side<T>(work: Vec<impl Future<Output = Result<T>>>) -> Result<Vec<T>> {
    stream::iter(work).buffer_unordered(SIDE_BY_SIDE).try_collect().await
}

fn refused<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Error {
    from_sdk("the catalogue", error)
}

/// What the expression's `#name`s stand for: the attributes of these names.
fn names(expression: &str) -> Option<HashMap<String, String>> {
    let ends = |c: char| !c.is_ascii_alphanumeric();
    let names = expression.split('#').skip(1).filter_map(|rest| rest.split(ends).next());
    let names: HashMap<_, _> = names.map(|name| (format!("#{name}"), name.to_owned())).collect();
    (!names.is_empty()).then_some(names)
}

/// The item in whose way a put was.
fn conflicting_put(error: &SdkError<PutItemError, HttpResponse>) -> Option<&Item> {
    match error.as_service_error()? {
        PutItemError::ConditionalCheckFailedException(failed) => failed.item(),
        _ => None,
    }
}

/// The item's size, unless DynamoDB would refuse it.
fn bounded(item: &Item) -> Result<usize> {
    let size = size_bytes(item);
    if size > MAX_BYTES {
        let key = Key::of(item)?;
        let text = format!("catalogue item {} {} has {size} bytes, more than {MAX_BYTES}", key.pk, to_short(&key.sk));
        return Err(Error::invalid(text).code("over_limit"));
    }
    Ok(size)
}

fn to_short(sk: &str) -> &str {
    sk.get(..sk.floor_char_boundary(100)).unwrap_or_default()
}

/// Waits longer the more rounds got nowhere; the first begins at once.
async fn back_off(idle_rounds: u32) -> Result<()> {
    if idle_rounds > MAX_IDLE_ROUNDS {
        return Err(Error::unavailable("the catalogue has no capacity for a batch").hint("try again later"));
    }
    if idle_rounds > 0 {
        tokio::time::sleep(Duration::from_millis(25 << idle_rounds.min(6))).await;
    }
    Ok(())
}

/// Read units of one read of so many bytes (Developer Guide, "Read consumption"): 4 KB each, half if eventually consistent.
fn read_units(size: usize, consistent: bool) -> f64 {
    let units = f64::from(u32::try_from(size.div_ceil(4096)).unwrap_or(u32::MAX)).max(1.0);
    if consistent { units } else { units / 2.0 }
}

/// Write units of one write of so many bytes: 1 KB each.
fn write_units(size: usize) -> f64 {
    f64::from(u32::try_from(size.div_ceil(1024)).unwrap_or(u32::MAX)).max(1.0)
}
