//! The operator of this process, whom nothing from outside can be.

use std::net::{Ipv4Addr, SocketAddr};

use archive::access::{Principal, Role};
use axum::{body::Body, extract::ConnectInfo, http::Request};
use serde_json::json;

use crate::world::{By, World};

#[tokio::test]
async fn code_of_this_process_may_do_everything_without_a_session() {
    let world = World::new().await;
    let me = world.get(By::Operator, "/api/v1/session").await.expect(200);
    assert_eq!(
        me,
        json!({ "user": "operator", "roles": ["Admin", "Compliance", "Reader", "Auditor"], "operator": true })
    );
    assert_eq!(world.get(By::Operator, "/api/v1/mails").await.status, 200);
    assert_eq!(world.get(By::Operator, "/api/v1/users").await.status, 200);
}

#[tokio::test]
async fn whoever_has_a_peer_address_is_not_the_operator() {
    let world = World::new().await;
    let mut request = Request::get("/api/v1/users").body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((Ipv4Addr::LOCALHOST, 4711))));
    assert_eq!(world.send(By::Operator, request).await.problem(), (401, "no_session".into()));
}

#[tokio::test]
async fn a_principal_that_is_no_operator_counts_for_nothing() {
    let world = World::new().await;
    let mut request = Request::get("/api/v1/users").body(Body::empty()).unwrap();
    request.extensions_mut().insert(Principal { name: "x".into(), roles: Role::ALL.into(), operator: false });
    assert_eq!(world.send(By::Nobody, request).await.status, 401);
}

#[tokio::test]
async fn nothing_that_a_request_can_say_makes_an_operator() {
    let world = World::new().await;
    for (name, value) in [
        ("authorization", "Bearer operator"),
        ("authorization", "Operator"),
        ("authorization", "Bearer "),
        ("authorization", "Basic b3BlcmF0b3I6"),
        ("x-operator", "true"),
        ("x-principal", "operator"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-user", "operator"),
        ("cookie", "session=operator"),
    ] {
        let request = Request::get("/api/v1/users?operator=true").header(name, value).body(Body::empty()).unwrap();
        assert_eq!(world.send(By::Nobody, request).await.status, 401, "{name}: {value}");
    }
    let admin = world.token("anna", "admins").await;
    let body = json!({ "files": ["/etc/passwd"], "mailbox": "a@b.example" });
    let refused = world.call(By::Token(&admin), "POST", "/api/v1/imports", Some(body.clone())).await;
    assert_eq!(refused.problem(), (403, "denied".into()));
    let mut spoofed = body;
    spoofed["operator"] = json!(true);
    assert_eq!(world.call(By::Token(&admin), "POST", "/api/v1/imports", Some(spoofed)).await.status, 400);
}

#[tokio::test]
async fn a_user_named_operator_is_only_a_user() {
    let world = World::new().await;
    let token = world.token("operator", "admins").await;
    let me = world.get(By::Token(&token), "/api/v1/session").await.expect(200);
    assert_eq!(me["operator"], false);
    let body = json!({ "files": ["/etc/passwd"], "mailbox": "a@b.example" });
    assert_eq!(world.call(By::Token(&token), "POST", "/api/v1/imports", Some(body)).await.status, 403);
}
