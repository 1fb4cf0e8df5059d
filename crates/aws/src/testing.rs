//! What the template makes on AWS, made by hand on an emulator.

mod stack;

use archive::Result;
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};

pub use stack::{Received, Scheduled, Stack};

use crate::{Clients, error::from_sdk};

/// Makes the catalogue's table.
pub async fn create_table(clients: &Clients, name: &str) -> Result<()> {
    let mut request = clients.dynamodb().create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (attribute, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let definition =
            AttributeDefinition::builder().attribute_name(attribute).attribute_type(ScalarAttributeType::S).build();
        let key = KeySchemaElement::builder().attribute_name(attribute).key_type(kind).build();
        let wrong = |e| archive::Error::internal("a table cannot be described").caused_by(e);
        request = request.attribute_definitions(definition.map_err(wrong)?).key_schema(key.map_err(wrong)?);
    }
    request.send().await.map(drop).map_err(|e| from_sdk(format!("table {name}"), &e))
}
