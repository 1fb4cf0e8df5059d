//! An object came into the bucket of uploads: looks at what it is.

use functions::start;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    start::work("intake", |queues| Some(&queues.uploads)).await
}
