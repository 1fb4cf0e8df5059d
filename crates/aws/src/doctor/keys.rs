//! The keys of KMS.

use archive::Result;
use aws_sdk_kms::{
    Client,
    types::{KeySpec, KeyState, KeyUsageType},
};

use super::{Finding, Stack, Trouble, settle};
use crate::{Clients, error::from_sdk};

/// Check, logical id, use and kind.
const KEYS: [(&str, &str, KeyUsageType, KeySpec); 3] = [
    ("wrap-key", "WrapKey", KeyUsageType::EncryptDecrypt, KeySpec::SymmetricDefault),
    ("agreement-key", "AgreementKey", KeyUsageType::KeyAgreement, KeySpec::EccNistP256),
    ("signing-key", "SigningKey", KeyUsageType::SignVerify, KeySpec::EccNistP256),
];

pub(super) async fn examine(clients: &Clients, stack: &Stack) -> Vec<Finding> {
    let kms = clients.kms();
    let mut findings = Vec::new();
    for (check, logical, usage, spec) in KEYS {
        findings.push(settle(check, key(&kms, stack, check, logical, (usage, spec)).await));
    }
    findings
}

async fn key(
    kms: &Client,
    stack: &Stack,
    check: &'static str,
    logical: &'static str,
    (usage, spec): (KeyUsageType, KeySpec),
) -> Result<Finding, Trouble> {
    let id = stack.need(logical)?;
    let described = kms.describe_key().key_id(id).send().await;
    let Some(key) = described.map_err(|e| from_sdk(format_args!("key {id}"), &e))?.key_metadata else {
        return Ok(
            Finding::wrong(check, format!("key {id} does not exist")).fix("a key that is gone cannot be replaced")
        );
    };
    let state = key.key_state().map_or("unknown", KeyState::as_str);
    Ok(match key.key_state() {
        Some(KeyState::Enabled) if key.key_usage() == Some(&usage) && key.key_spec() == Some(&spec) => {
            Finding::ok(check, format!("key {id} is enabled, for {}", usage.as_str()))
        }
        Some(KeyState::Enabled) => {
            let is = key.key_usage().map_or("nothing", KeyUsageType::as_str);
            let says = format!("key {id} is for {is}, not for {} with {}", usage.as_str(), spec.as_str());
            Finding::wrong(check, says).fix("deploy the template of this version again: sam deploy")
        }
        Some(KeyState::PendingDeletion) => {
            let says = format!("key {id} will be deleted, and with it all that it encrypts is lost");
            Finding::wrong(check, says)
                .fix(format!("at once: aws kms cancel-key-deletion --key-id {id} && aws kms enable-key --key-id {id}"))
        }
        _ => Finding::wrong(check, format!("key {id} is {state}")).fix(format!("aws kms enable-key --key-id {id}")),
    })
}
