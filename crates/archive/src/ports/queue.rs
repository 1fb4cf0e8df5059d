//! Work to be done later. Receiving is no port: whoever receives calls [`crate::job::run`].

use std::time::Duration;

use async_trait::async_trait;

use crate::{Result, job::Job};

#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends the job; it is delivered at least once, perhaps late, in no order, not before `delay` (at most 15 minutes,
    /// the limit of SQS) has passed.
    async fn send(&self, job: &Job, delay: Duration) -> Result<()>;
}
