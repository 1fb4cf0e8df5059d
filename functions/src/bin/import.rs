//! An import goes on: one shard of a volume, until the time is up.

use functions::start;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    start::work("import", |queues| Some(&queues.imports)).await
}
