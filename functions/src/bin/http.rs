//! API Gateway asks: the same HTTP interface as the single binary's.

use std::time::Duration;

use functions::{
    first_password,
    gateway::{self, GatewayRequest, GatewayResponse, LARGEST_MAIL_BYTES},
    start::Started,
};
use lambda_runtime::{Error, LambdaEvent, service_fn};

/// The gateway waits 30 seconds for an answer.
const TIMEOUT: Duration = Duration::from_secs(25);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let started = Started::begin("http").await?;
    first_password::make_first_user(&started.archive).await?;
    let options =
        api::Options { timeout: TIMEOUT, largest_mail_bytes: Some(LARGEST_MAIL_BYTES), ..api::Options::default() };
    let router = first_password::watched(api::router(started.archive.clone(), options), started.archive.clone());
    let (started, router) = (&started, &router);
    let invoked = |event: LambdaEvent<GatewayRequest>| async move {
        let (request, context) = event.into_parts();
        let answer = async |_| gateway::answer(router.clone(), request).await;
        Ok::<GatewayResponse, Error>(started.metered(&context, 1, answer).await)
    };
    lambda_runtime::run(service_fn(invoked)).await
}
