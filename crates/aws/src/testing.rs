//! What the template makes on AWS, made by hand on an emulator.

mod stack;

use std::time::Duration;

use archive::{Error, ErrorKind, Result};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
};

pub use stack::{Received, Scheduled, Stack};

use crate::{Clients, error::from_sdk};

/// A table takes nothing before it is active, which an emulator under load may take a while to say.
const READY_TRIES: u32 = 300;
const READY_PAUSE: Duration = Duration::from_millis(100);

/// Makes the catalogue's table, and waits until it can be used.
pub async fn create_table(clients: &Clients, name: &str) -> Result<()> {
    let mut request = clients.dynamodb().create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (attribute, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let definition =
            AttributeDefinition::builder().attribute_name(attribute).attribute_type(ScalarAttributeType::S).build();
        let key = KeySchemaElement::builder().attribute_name(attribute).key_type(kind).build();
        let wrong = |e| Error::internal("a table cannot be described").caused_by(e);
        request = request.attribute_definitions(definition.map_err(wrong)?).key_schema(key.map_err(wrong)?);
    }
    request.send().await.map_err(|e| from_sdk(format!("table {name}"), &e))?;
    until_active(clients, name).await
}

/// Deletes the table, and waits until it is gone: before that none of its name can be made.
pub async fn delete_table(clients: &Clients, name: &str) -> Result<()> {
    let failed = |e| from_sdk(format!("table {name}"), &e);
    clients.dynamodb().delete_table().table_name(name).send().await.map_err(failed)?;
    for _ in 0..READY_TRIES {
        let asked = clients.dynamodb().describe_table().table_name(name).send().await;
        match asked.map_err(|e| from_sdk(format!("table {name}"), &e)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            asked => drop(asked?),
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
    Err(Error::unavailable(format!("table {name} does not go")))
}

async fn until_active(clients: &Clients, name: &str) -> Result<()> {
    for _ in 0..READY_TRIES {
        let asked = clients.dynamodb().describe_table().table_name(name).send().await;
        let table = asked.map_err(|e| from_sdk(format!("table {name}"), &e))?.table;
        if table.and_then(|table| table.table_status) == Some(TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
    Err(Error::unavailable(format!("table {name} does not become active")))
}
