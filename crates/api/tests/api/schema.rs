//! Holds answers against the OpenAPI document.

use std::sync::LazyLock;

use axum::http::Method;
use serde_json::Value;

use crate::world::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(api::openapi);

/// Panics if an answer is none that the document names, or its body has not the shape given there.
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let content_type = answer.header("content-type").split(';').next().unwrap_or_default();
    if answer.status.is_client_error() || answer.status.is_server_error() {
        assert_eq!(content_type, "application/problem+json", "{method} {path}");
        return fits(&DOCUMENT["components"]["schemas"]["Problem"], &answer.json(), path);
    }
    let operation = operation(method, path).unwrap_or_else(|| panic!("{method} {path} is not in the document"));
    let response = &operation["responses"][answer.status.as_str()];
    assert!(response.is_object(), "{method} {path} answers {} without saying so", answer.status);
    let Some(content) = response.get("content") else {
        return assert!(answer.bytes.is_empty(), "{method} {path} has a body");
    };
    assert!(content[content_type].is_object(), "{method} {path} answers {content_type}");
    if content_type == "application/json" {
        fits(&content[content_type]["schema"], &answer.json(), path);
    }
}

fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let method = method.as_str().to_lowercase();
    let mut items: Vec<_> =
        DOCUMENT["paths"].as_object()?.iter().filter(|(template, _)| matches(template, path)).collect();
    items.sort_by_key(|(template, _)| template.contains('{'));
    items.into_iter().find_map(|(_, item)| item.get(&method))
}

fn matches(template: &str, path: &str) -> bool {
    let to_the_end = template.ends_with("/uploads/{id}") || template.ends_with("/mapping/{archive}");
    let (names, parts): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let fitting = names.iter().zip(&parts).all(|(name, part)| name == part || name.starts_with('{'));
    fitting && (names.len() == parts.len() || (to_the_end && parts.len() > names.len()))
}

/// Panics unless the value has the schema's shape, with no member that the schema does not name.
fn fits(schema: &Value, value: &Value, at: &str) {
    if let Some(pointer) = schema["$ref"].as_str() {
        return fits(DOCUMENT.pointer(pointer.trim_start_matches('#')).unwrap(), value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let null = choices.iter().any(|choice| choice["type"] == "null");
        let other = choices.iter().find(|choice| choice["type"] != "null").unwrap();
        if !(null && value.is_null()) {
            fits(other, value, at);
        }
        return;
    }
    let types: Vec<_> = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(types.iter().any(|kind| kind == found), "{at} is {found}, not {types:?}");
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at} is {value}, not one of {words:?}");
    }
    if schema["format"] == "date-time" && value.is_string() {
        assert!(value.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{at} is {value}");
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        fits(&schema["items"], item, &format!("{at}[{n}]"));
    }
    if let (Some(members), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        for (name, member) in members {
            let property =
                properties.get(name).unwrap_or_else(|| panic!("{at} has {name}, which is not in the document"));
            fits(property, member, &format!("{at}.{name}"));
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(members.contains_key(name.as_str().unwrap()), "{at} lacks {name}");
        }
    }
}
