//! A schedule, or somebody who asks for it: works through the queue of reports, and does other tasks.

use aws::QueueName;
use functions::start;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    start::work("restructure", Some(QueueName::Tasks)).await
}
