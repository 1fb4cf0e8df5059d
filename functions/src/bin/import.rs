//! An import goes on: one shard of a volume, until the time is up.

use aws::QueueName;
use functions::start;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    start::work("import", Some(QueueName::Imports)).await
}
