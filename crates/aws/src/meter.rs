//! What the calls cost: requests by kind, bytes, and DynamoDB's units.

use std::{
    collections::BTreeMap,
    ops::AddAssign,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef},
        },
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
    http::Headers,
};
use aws_smithy_types::{body::SdkBody, config_bag::ConfigBag};
use serde::{Deserialize, Serialize};

/// What was used, as one line of a log or a sum of many.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// By service and operation: `S3.PutObject`. Retries count, as they do on the bill.
    pub calls: BTreeMap<String, Calls>,
    /// DynamoDB read request units, as the catalogue reckons them from the sizes of its items.
    #[serde(default)]
    pub read_units: f64,
    /// DynamoDB write request units, likewise.
    #[serde(default)]
    pub write_units: f64,
}

/// Requests of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    pub requests: u64,
    /// Bytes of request bodies.
    pub sent_bytes: u64,
    /// Bytes of answers' bodies as announced; a body that was left unread counts whole.
    pub received_bytes: u64,
}

impl Usage {
    /// Requests of a service, or of one operation: `SQS`, `S3.PutObject`.
    pub fn requests(&self, of: &str) -> u64 {
        let service = |name: &str| name.split_once('.').is_some_and(|(service, _)| service == of);
        self.calls.iter().filter(|(name, _)| *name == of || service(name)).map(|(_, calls)| calls.requests).sum()
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl AddAssign<&Self> for Usage {
    fn add_assign(&mut self, other: &Self) {
        for (name, more) in &other.calls {
            let calls = self.calls.entry(name.clone()).or_default();
            calls.requests += more.requests;
            calls.sent_bytes += more.sent_bytes;
            calls.received_bytes += more.received_bytes;
        }
        self.read_units += other.read_units;
        self.write_units += other.write_units;
    }
}

/// Counts the requests of all clients that share it.
#[derive(Debug, Default)]
pub struct Meter {
    usage: Mutex<Usage>,
}

impl Meter {
    /// What was used since the last call.
    pub fn take(&self) -> Usage {
        std::mem::take(&mut *self.usage())
    }

    /// Adds DynamoDB request units.
    pub fn units(&self, read: f64, write: f64) {
        let mut usage = self.usage();
        usage.read_units += read;
        usage.write_units += write;
    }

    /// What a client's configuration takes to be counted here.
    pub(crate) fn counter(self: &Arc<Self>) -> Counter {
        Counter(Arc::clone(self))
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, of: &ConfigBag, add: impl FnOnce(&mut Calls)) {
        let Some(call) = of.load::<Metadata>() else { return };
        let name = format!("{}.{}", call.service(), call.name());
        add(self.usage().calls.entry(name).or_default());
    }
}

/// Sees each attempt of each call.
#[derive(Debug)]
pub(crate) struct Counter(Arc<Meter>);

impl Intercept for Counter {
    fn name(&self) -> &'static str {
        "postkahn meter"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let bytes = body_bytes(request.body(), request.headers());
        self.0.count(config, |calls| {
            calls.requests += 1;
            calls.sent_bytes += bytes;
        });
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let bytes = body_bytes(response.body(), response.headers());
        self.0.count(config, |calls| calls.received_bytes += bytes);
        Ok(())
    }
}

fn body_bytes(body: &SdkBody, headers: &Headers) -> u64 {
    let announced = || headers.get("content-length").and_then(|length| length.parse().ok());
    body.content_length().or_else(announced).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(name: &str, requests: u64) -> Usage {
        let calls = Calls { requests, sent_bytes: 10 * requests, received_bytes: 1 };
        Usage { calls: [(name.to_owned(), calls)].into(), read_units: 0.5, write_units: 2.0 }
    }

    #[test]
    fn usages_add_up_and_survive_a_log() {
        let mut sum = Usage::default();
        for part in [usage("S3.PutObject", 2), usage("S3.GetObject", 3), usage("S3.PutObject", 4)] {
            sum += &part;
        }
        assert_eq!((sum.requests("S3"), sum.requests("S3.PutObject"), sum.requests("SQS")), (9, 6, 0));
        assert_eq!(sum.calls["S3.PutObject"], Calls { requests: 6, sent_bytes: 60, received_bytes: 2 });
        assert_eq!((sum.read_units, sum.write_units), (1.5, 6.0));
        let line = serde_json::to_string(&sum).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Usage>(&line).unwrap(), sum);
    }

    #[test]
    fn what_was_taken_is_gone() {
        let meter = Meter::default();
        meter.units(1.0, 0.0);
        meter.units(0.5, 3.0);
        assert_eq!(meter.take(), Usage { calls: BTreeMap::new(), read_units: 1.5, write_units: 3.0 });
        assert!(meter.take().is_empty());
    }
}
