//! Clients of the services, all made alike.

use std::{fmt, sync::Arc, time::Duration};

use aws_config::{AppName, BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};

use crate::{Meter, connections::Connections};

const CONNECT_TIME: Duration = Duration::from_secs(3);
/// Of one attempt, up to its answer's head. Streamed bodies have the SDK's own guard against stalls.
const ATTEMPT_TIME: Duration = Duration::from_secs(30);
const MAX_ATTEMPTS: u32 = 5;

/// Makes the clients of the services. Cheap to clone; clones share connections and the meter.
#[derive(Clone)]
pub struct Clients {
    config: SdkConfig,
    path_style: bool,
    meter: Arc<Meter>,
}

impl Clients {
    /// Region, credentials and endpoints are found by the SDK's own chain. `path_style` addresses buckets as
    /// `ENDPOINT/BUCKET/KEY`, which is how emulators are reached.
    pub async fn load(path_style: bool) -> Self {
        let mut config = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(Connections::new());
        if let Ok(name) = AppName::new("postkahn") {
            config = config.app_name(name);
        }
        Self::with_config(config.load().await, path_style)
    }

    /// The same with region, credentials and endpoints at hand. Time limits and retries are set here all the same.
    pub fn with_config(config: SdkConfig, path_style: bool) -> Self {
        let times =
            TimeoutConfig::builder().connect_timeout(CONNECT_TIME).operation_attempt_timeout(ATTEMPT_TIME).build();
        let retries = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS);
        let config = config.into_builder().timeout_config(times).retry_config(retries).build();
        Self { config, path_style, meter: Arc::default() }
    }

    /// Counts every request of these clients.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    // One word for each service. Making a client is cheap; what is not called for is not linked.

    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(self.path_style);
        aws_sdk_s3::Client::from_conf(config.interceptor(self.meter.counter()).build())
    }
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        let config = aws_sdk_sqs::config::Builder::from(&self.config).interceptor(self.meter.counter());
        aws_sdk_sqs::Client::from_conf(config.build())
    }
    pub fn scheduler(&self) -> aws_sdk_scheduler::Client {
        let config = aws_sdk_scheduler::config::Builder::from(&self.config).interceptor(self.meter.counter());
        aws_sdk_scheduler::Client::from_conf(config.build())
    }
    pub fn kms(&self) -> aws_sdk_kms::Client {
        let config = aws_sdk_kms::config::Builder::from(&self.config).interceptor(self.meter.counter());
        aws_sdk_kms::Client::from_conf(config.build())
    }
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::config::Builder::from(&self.config).interceptor(self.meter.counter());
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }
    pub fn transfer(&self) -> aws_sdk_transfer::Client {
        let config = aws_sdk_transfer::config::Builder::from(&self.config).interceptor(self.meter.counter());
        aws_sdk_transfer::Client::from_conf(config.build())
    }
    pub fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        let config = aws_sdk_secretsmanager::config::Builder::from(&self.config).interceptor(self.meter.counter());
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }
    pub fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        let config = aws_sdk_cloudformation::config::Builder::from(&self.config).interceptor(self.meter.counter());
        aws_sdk_cloudformation::Client::from_conf(config.build())
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").field("path_style", &self.path_style).finish_non_exhaustive()
    }
}
