//! The table.

use archive::Result;
use aws_sdk_dynamodb::{
    Client,
    types::{PointInTimeRecoveryStatus, TableStatus, TimeToLiveStatus},
};

use super::{Finding, Stack, Trouble, settle};
use crate::{Clients, error::from_sdk};

/// What the catalogue writes into rows that may go.
const TTL: &str = "ttl";

pub(super) async fn examine(clients: &Clients, stack: &Stack) -> Vec<Finding> {
    let dynamodb = clients.dynamodb();
    vec![
        settle("table", table(&dynamodb, stack).await),
        settle("table-recovery", recovery(&dynamodb, stack).await),
        settle("table-ttl", ttl(&dynamodb, stack).await),
    ]
}

async fn table(dynamodb: &Client, stack: &Stack) -> Result<Finding, Trouble> {
    const CHECK: &str = "table";
    let name = stack.need("Table")?;
    let described = dynamodb.describe_table().table_name(name).send().await;
    let described = described.map_err(|e| from_sdk(format_args!("table {name}"), &e))?.table;
    let status = described.as_ref().and_then(|table| table.table_status());
    if status != Some(&TableStatus::Active) {
        let word = status.map_or("unknown", TableStatus::as_str);
        return Ok(Finding::warning(CHECK, format!("table {name} is {word}")).fix("wait, then look again"));
    }
    if described.and_then(|table| table.deletion_protection_enabled) == Some(true) {
        return Ok(Finding::ok(CHECK, format!("table {name} is active and protected from deletion")));
    }
    let says = format!("table {name} can be deleted by one call");
    let fix = format!("aws dynamodb update-table --table-name {name} --deletion-protection-enabled");
    Ok(match stack.parameter("DeletionProtection") {
        Some("false") => Finding::warning(CHECK, says + ", as it was set").fix(fix),
        _ => Finding::wrong(CHECK, says).fix(fix),
    })
}

async fn recovery(dynamodb: &Client, stack: &Stack) -> Result<Finding, Trouble> {
    let name = stack.need("Table")?;
    let set = dynamodb.describe_continuous_backups().table_name(name).send().await;
    let set = set.map_err(|e| from_sdk(format_args!("backups of table {name}"), &e))?.continuous_backups_description;
    let status = set.and_then(|set| set.point_in_time_recovery_description?.point_in_time_recovery_status);
    Ok(Finding::of(
        "table-recovery",
        status == Some(PointInTimeRecoveryStatus::Enabled),
        "the table can be brought back to any second of the last weeks",
        "the table cannot be brought back to an earlier time",
        format!(
            "aws dynamodb update-continuous-backups --table-name {name} \
             --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
        ),
    ))
}

async fn ttl(dynamodb: &Client, stack: &Stack) -> Result<Finding, Trouble> {
    let name = stack.need("Table")?;
    let set = dynamodb.describe_time_to_live().table_name(name).send().await;
    let set = set.map_err(|e| from_sdk(format_args!("expiry of table {name}"), &e))?.time_to_live_description;
    let is_right = set.is_some_and(|set| {
        let on = matches!(set.time_to_live_status(), Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling));
        on && set.attribute_name() == Some(TTL)
    });
    Ok(Finding::of(
        "table-ttl",
        is_right,
        "rows that have expired are removed",
        "rows that have expired stay: sessions and uploads pile up",
        format!(
            "aws dynamodb update-time-to-live --table-name {name} \
             --time-to-live-specification Enabled=true,AttributeName={TTL}"
        ),
    ))
}
