//! The OpenAPI document, made from the table of routes.

use axum::{extract::State, response::Response};
use serde_json::{Map, Value, json};
use utoipa::{
    OpenApi as _,
    openapi::{
        OpenApi, RefOr, Schema,
        path::{PathItem, Paths},
    },
};

use crate::{Needs, Problem, extract::text, router::App, table};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Postkahn",
        description = "Moves whole mail archives into an archive of one's own, with proof that nothing was lost.\n\nEvery \
            error is an RFC 9457 problem document. Times are RFC 3339 in UTC or null. Long work answers 202 with a \
            process; poll it and its lines. `x-roles` names the roles of which a caller must have one.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Problem)),
    tags(
        (name = "session", description = "Who is calling"),
        (name = "uploads", description = "Files that came in"),
        (name = "imports", description = "From uploads into mailboxes"),
        (name = "processes", description = "Long work, and what it says"),
        (name = "schedules", description = "Work that comes again and again"),
        (name = "door", description = "Where SFTP clients connect"),
        (name = "mapping", description = "Which mailbox a user archive becomes"),
        (name = "mailboxes", description = "Mailboxes and their folders"),
        (name = "mails", description = "The mails themselves"),
        (name = "users", description = "Users, groups, grants"),
        (name = "status", description = "The archive about itself"),
    )
)]
struct Frame;

/// The document as it is committed and served.
pub fn openapi() -> Value {
    let mut document = Frame::openapi();
    let mut needs = Vec::new();
    for (need, (schemas, paths, _)) in table::rows() {
        needs.extend(operations(&paths).into_iter().map(|(method, path)| (method, path, need)));
        add(&mut document, schemas, paths);
    }
    // Serializing a document made of text, numbers and maps with text keys does not fail.
    let mut document = serde_json::to_value(document).unwrap_or_default();
    for (method, path, need) in needs {
        let item = document.get_mut("paths").and_then(|paths| paths.get_mut(&path));
        if let Some(operation) =
            item.and_then(|item| item.get_mut(method.to_lowercase())).and_then(Value::as_object_mut)
        {
            complete(operation, need);
        }
    }
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        components.insert("securitySchemes".into(), security_schemes());
        let schemas = components.get_mut("schemas").and_then(Value::as_object_mut);
        schemas.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut).for_each(require_nullable);
    }
    document
}

fn security_schemes() -> Value {
    json!({ "session": { "type": "http", "scheme": "bearer", "description": "The token of POST /api/v1/session" } })
}

/// In answers, what may be null is there nevertheless; requests (the closed schemas) may leave it out.
fn require_nullable(schema: &mut Map<String, Value>) {
    if schema.get("additionalProperties") == Some(&json!(false)) {
        return;
    }
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let there = properties.iter().filter(|(_, property)| is_nullable(property)).map(|(name, _)| json!(name));
    let there: Vec<_> = there.collect();
    if let Value::Array(required) = schema.entry("required").or_insert(json!([])) {
        required.extend(there);
    }
}

fn is_nullable(property: &Value) -> bool {
    let types = property.get("type").and_then(Value::as_array);
    let choices = property.get("oneOf").and_then(Value::as_array);
    types.is_some_and(|types| types.contains(&json!("null")))
        || choices.is_some_and(|choices| choices.contains(&json!({ "type": "null" })))
}

/// The document as text, a line feed at its end.
pub fn openapi_text() -> String {
    format!("{:#}\n", openapi())
}

fn add(document: &mut OpenApi, schemas: Vec<(String, RefOr<Schema>)>, paths: Paths) {
    for (path, item) in paths.paths {
        match document.paths.paths.get_mut(&path) {
            Some(known) => known.merge_operations(item),
            None => drop(document.paths.paths.insert(path, item)),
        }
    }
    document.components.get_or_insert_default().schemas.extend(schemas);
}

/// What all operations have in common: errors, and who may call.
fn complete(operation: &mut Map<String, Value>, need: Needs) {
    let problem = json!({
        "description": "What went wrong",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } }
    });
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        for response in responses.values_mut().filter_map(Value::as_object_mut) {
            response.entry("description").or_insert(json!("Done"));
        }
        responses.insert("default".into(), problem);
    }
    let security = if need == Needs::Nothing { json!([]) } else { json!([{ "session": [] }]) };
    operation.insert("security".into(), security);
    if let Needs::Any(roles) = need {
        operation.insert("x-roles".into(), json!(roles));
    }
}

/// Method and path of each operation.
pub(crate) fn operations(paths: &Paths) -> Vec<(String, String)> {
    let methods = |item: &PathItem| {
        let named = [
            ("GET", item.get.is_some()),
            ("POST", item.post.is_some()),
            ("PUT", item.put.is_some()),
            ("PATCH", item.patch.is_some()),
            ("DELETE", item.delete.is_some()),
        ];
        named.into_iter().filter(|(_, there)| *there).map(|(method, _)| method.to_owned())
    };
    paths.paths.iter().flat_map(|(path, item)| methods(item).map(|method| (method, path.clone()))).collect()
}

/// This document
#[utoipa::path(get, path = "/api/openapi.json", tag = "status", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn document(State(app): State<App>) -> Response {
    text("application/json", app.document.clone())
}
