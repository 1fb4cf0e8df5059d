//! An object came into the bucket of uploads: looks at what it is.

use aws::QueueName;
use functions::start;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    start::work("intake", Some(QueueName::Uploads)).await
}
