//! A schedule: deletes what has expired, finds what nobody told of, closes the door in time.

use functions::start;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    start::work("sweep", None).await
}
