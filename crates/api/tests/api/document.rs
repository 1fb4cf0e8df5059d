//! The OpenAPI document against the table of routes, and against the committed file.

use std::collections::BTreeSet;

use api::Needs;
use serde_json::Value;

use crate::world::{By, World};

#[test]
fn the_committed_document_is_this_one() {
    let committed: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    assert!(committed == api::openapi(), "write it anew: cargo run -p api --example openapi");
}

#[test]
fn routes_of_the_table_and_of_the_document_are_the_same() {
    let document = api::openapi();
    let documented: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let table = api::access();
    let routes: BTreeSet<_> = table.iter().map(|route| (route.method.clone(), route.path.clone())).collect();
    assert_eq!(routes, documented);
    assert_eq!(routes.len(), table.len(), "a route is there twice");
    for route in table {
        let operation = &document["paths"][&route.path][route.method.to_lowercase()];
        let open = operation["security"].as_array().unwrap().is_empty();
        assert_eq!(open, route.needs == Needs::Nothing, "{route:?}");
        assert!(operation["responses"]["default"].is_object());
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(response["description"].is_string(), "{route:?} {status}");
        }
        if let Needs::Any(roles) = route.needs {
            assert_eq!(operation["x-roles"], serde_json::json!(roles));
        }
    }
}

#[test]
fn operations_have_names_of_their_own() {
    let document = api::openapi();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let names: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
}

#[test]
fn requests_are_closed_and_answers_open() {
    let document = api::openapi();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let body = operation.pointer("/requestBody/content/application~1json/schema");
            let Some(schema) = body else { continue };
            let choices = schema["oneOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
            let pointer = choices.iter().find_map(|choice| choice["$ref"].as_str()).unwrap();
            let schema = document.pointer(pointer.trim_start_matches('#')).unwrap();
            assert_eq!(schema["additionalProperties"], false, "{pointer}");
        }
    }
    assert!(document["components"]["schemas"]["Import"]["additionalProperties"].is_null());
}

#[tokio::test]
async fn the_document_is_served_to_everybody() {
    let world = World::new().await;
    let served = world.get(By::Nobody, "/api/openapi.json").await;
    assert!(served.expect(200) == api::openapi());
    assert_eq!(served.json()["openapi"], "3.1.0");
}
