//! The rights to objects of a function's role, as the template grants them, for stand-ins ask nobody for any.

use std::{collections::BTreeMap, fs, path::Path};

use axum::http::Method;
use percent_encoding::percent_decode_str;

/// What a role may do with which objects.
#[derive(Debug)]
pub(crate) struct Rights {
    function: &'static str,
    /// `s3:PutObject archive/packs/*`, among other actions.
    granted: Vec<String>,
    /// A bucket's name, and what the template calls it.
    buckets: [(String, &'static str); 2],
}

impl Rights {
    /// Of infra/rights.json, which a test compares with the template.
    pub(crate) fn of(function: &'static str, uploads: &str, archive: &str) -> Self {
        let buckets = [(uploads.to_owned(), "uploads"), (archive.to_owned(), "archive")];
        Self { function, granted: rights().remove(function).unwrap(), buckets }
    }

    /// Says which right is missing for a request with this path and query. What is not for a bucket is not looked at.
    pub(crate) fn missing(&self, method: &Method, target: &str) -> Option<String> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
        let (_, bucket) = self.buckets.iter().find(|(name, _)| name == bucket)?;
        let action = match *method {
            Method::GET | Method::HEAD if key.is_empty() => "s3:ListBucket",
            Method::GET | Method::HEAD => "s3:GetObject",
            Method::PUT | Method::POST if !key.is_empty() => "s3:PutObject",
            Method::DELETE if query.contains("uploadId=") => "s3:AbortMultipartUpload",
            Method::DELETE if !key.is_empty() => "s3:DeleteObject",
            _ => "an action that no test knows of",
        };
        let key = percent_decode_str(key).decode_utf8_lossy();
        let object = if key.is_empty() { (*bucket).to_owned() } else { format!("{bucket}/{key}") };
        let asked = format!("{action} {object}");
        (!self.granted.iter().any(|granted| fits(granted, &asked)))
            .then(|| format!("{} may not {asked}", self.function))
    }
}

/// `*` stands for any text, slashes included (IAM, "Wildcards in ARN paths").
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| fits(rest, &text[at..]))
        }),
        None => pattern == text,
    }
}

/// By function: actions, those on objects with what they are allowed on.
pub(crate) fn rights() -> BTreeMap<String, Vec<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/rights.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}
