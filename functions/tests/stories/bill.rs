//! From what functions used to what it costs, by the prices of `docs/prices.json`.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs,
    path::Path,
};

use aws::Usage;
use serde_json::Value;

use crate::support::Stack;

/// What some functions used for so many mails.
pub(crate) struct Bill {
    pub(crate) mails: u64,
    usage: Usage,
    invocations: u64,
    gb_seconds: f64,
    log_bytes: usize,
    prices: Value,
}

/// Functions that mails go through, with their memory in GB as the template sets it.
const FUNCTIONS: [(&str, f64); 3] = [("intake", 0.25), ("import", 1.0), ("restructure", 1.0)];

impl Bill {
    /// Sums the meter lines of everything that the stack did for these mails; requests of the HTTP interface aside.
    pub(crate) fn of(stack: &Stack, mails: u64) -> Self {
        let prices = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/prices.json");
        let prices = serde_json::from_str(&fs::read_to_string(prices).unwrap()).unwrap();
        let mut bill = Self { mails, usage: Usage::default(), invocations: 0, gb_seconds: 0.0, log_bytes: 0, prices };
        for (name, gb) in FUNCTIONS {
            for line in stack.function(name).told.lines.lock().unwrap().iter() {
                bill.log_bytes += line.to_string().len();
                let Some(meter) = line.get("meter") else { continue };
                bill.usage += &serde_json::from_value::<Usage>(meter.clone()).unwrap();
                bill.invocations += 1;
                bill.gb_seconds += meter["milliseconds"].as_f64().unwrap() / 1000.0 * gb;
            }
        }
        bill
    }

    /// What each function called, by service and operation.
    pub(crate) fn called(stack: &Stack, function: &str) -> Vec<String> {
        let mut sum = Usage::default();
        for line in stack.function(function).told.lines.lock().unwrap().iter() {
            if let Some(meter) = line.get("meter") {
                sum += &serde_json::from_value::<Usage>(meter.clone()).unwrap();
            }
        }
        sum.calls.into_keys().collect()
    }

    fn price(&self, name: &str) -> f64 {
        self.prices["per_request"][name].as_f64().unwrap_or_else(|| panic!("docs/prices.json has no {name}"))
    }

    /// Kind of cost, how many units of it, dollars.
    fn rows(&self) -> Vec<(String, f64, f64)> {
        let mut requests: BTreeMap<&str, f64> = BTreeMap::new();
        for (call, calls) in &self.usage.calls {
            if let Some(class) = class(call) {
                *requests.entry(class).or_default() += as_float(calls.requests);
            }
        }
        // Lambda receives and deletes a message for each invocation on our behalf.
        *requests.entry("sqs").or_default() += 2.0 * as_float(self.invocations);
        requests.insert("dynamodb_write_unit", self.usage.write_units);
        requests.insert("dynamodb_read_unit", self.usage.read_units);
        requests.insert("lambda_invocation", as_float(self.invocations));
        let mut rows: Vec<_> =
            requests.into_iter().map(|(name, count)| (name.to_owned(), count, count * self.price(name))).collect();
        let second = self.prices["lambda_arm_gb_second"].as_f64().unwrap();
        rows.push(("lambda GB-seconds".into(), self.gb_seconds, self.gb_seconds * second));
        let gigabytes = as_float(self.log_bytes as u64) / 1e9;
        rows.push(("log, GB".into(), gigabytes, gigabytes * self.prices["log_gb"].as_f64().unwrap()));
        rows.sort_by(|a, b| b.2.total_cmp(&a.2));
        rows
    }

    /// Dollars for a million mails like these.
    pub(crate) fn per_million(&self) -> f64 {
        self.rows().iter().map(|(_, _, dollars)| dollars).sum::<f64>() / as_float(self.mails) * 1e6
    }

    /// Dollars a month for what stands there unused, door closed, storage aside.
    pub(crate) fn idle_month(&self) -> f64 {
        let items = self.prices["idle_month"].as_object().unwrap().values();
        items.map(|item| item["each"].as_f64().unwrap() * item["count"].as_f64().unwrap()).sum()
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = "| | per 1,000 mails | $ per million mails |\n|---|---:|---:|\n".to_owned();
        let mails = as_float(self.mails);
        for (name, count, dollars) in self.rows() {
            let name = name.replace('_', " ");
            let _ = writeln!(table, "| {name} | {:.3} | {:.4} |", count / mails * 1e3, dollars / mails * 1e6);
        }
        let _ = writeln!(table, "| **together** | | **{:.2}** |", self.per_million());
        f.write_str(&table)
    }
}

/// The price that a call has; none for what is free, or is charged by the unit.
fn class(call: &str) -> Option<&'static str> {
    let (service, operation) = call.split_once('.').unwrap();
    match (service, operation) {
        ("DynamoDB", _) | ("S3", "DeleteObject" | "AbortMultipartUpload") => None,
        ("S3", "GetObject" | "HeadObject") => Some("s3_get"),
        ("S3", _) => Some("s3_put"),
        ("SQS", _) => Some("sqs"),
        ("KMS", _) => Some("kms"),
        ("Scheduler", _) => Some("scheduler"),
        _ => panic!("{call} has no price"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of some millions")]
fn as_float(count: u64) -> f64 {
    count as f64
}
