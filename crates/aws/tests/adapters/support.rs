//! What the tests share: emulators, random names, a wire that loses answers.

pub(crate) mod http;
pub(crate) mod kms;
pub(crate) mod proxy;

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
};

use archive::ports::Random;
use aws::Clients;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};

/// The emulator that the environment names, and moto where it runs beside it.
pub(crate) fn emulators() -> Vec<String> {
    let main = variable("AWS_ENDPOINT_URL")
        .expect("these tests need stand-ins for AWS: run them after eval \"$(scripts/emulators start)\"");
    let mut all = vec![main];
    all.extend(variable("POSTKAHN_EMULATOR_MOTO"));
    all.dedup();
    all
}

/// Whether the endpoint is moto, which is looser than AWS in some points.
pub(crate) fn is_moto(endpoint: &str) -> bool {
    variable("POSTKAHN_EMULATOR_MOTO").as_deref() == Some(endpoint)
}

#[expect(clippy::disallowed_methods, reason = "where the emulators are is known to the environment alone")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A configuration whose every service is at `endpoint`.
pub(crate) fn config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .build()
}

pub(crate) fn clients(endpoint: &str) -> Clients {
    Clients::with_config(config(endpoint), true)
}

/// A name that no other test has.
pub(crate) fn name(of: &str) -> String {
    format!("{of}-{:016x}", RandomState::new().build_hasher().finish())
}

/// Random enough for marks.
pub(crate) struct TestRandom;

impl Random for TestRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = RandomState::new().build_hasher().finish().to_be_bytes();
            chunk.copy_from_slice(random.get(..chunk.len()).unwrap());
        }
    }
}
