//! Values that are kept as JSON text.

use archive::{Error, ErrorKind, Result};
use serde_json::Value;

/// `Corrupt` if it is no JSON or does not have the shape: we wrote it.
pub(crate) fn parsed<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| {
        let error = Error::new(ErrorKind::Corrupt, format!("{what} in the catalogue is damaged")).caused_by(e);
        error.hint("run `postkahn rebuild` to make it anew from the objects")
    })
}

/// A list of names; two lists are equal if their texts are.
pub(crate) fn names(names: &[String]) -> String {
    Value::from(names).to_string()
}

/// Limits of SQL are signed.
pub(crate) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
