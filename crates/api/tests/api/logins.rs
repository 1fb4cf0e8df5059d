//! Sessions: how they begin, end, and are refused.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use archive::access::NewUser;
use axum::extract::ConnectInfo;
use serde_json::{Value, json};

use crate::world::{Answer, By, PASSWORD, World, request};

const SESSION: &str = "/api/v1/session";

async fn login(world: &World, user: &str, password: &str) -> Answer {
    world.call(By::Nobody, "POST", SESSION, Some(json!({ "user": user, "password": password }))).await
}

#[tokio::test]
async fn a_session_begins_and_ends() {
    let world = World::new().await;
    world.token("anna", "compliance").await;
    let session = login(&world, "anna", PASSWORD).await.expect(201);
    assert_eq!((&session["user"], &session["roles"]), (&json!("anna"), &json!(["Compliance"])));
    assert_eq!(session["expires"], "2026-01-01T12:00:00Z");
    let token = session["token"].as_str().unwrap();
    let me = world.get(By::Token(token), SESSION).await.expect(200);
    assert_eq!(me, json!({ "user": "anna", "roles": ["Compliance"], "operator": false }));
    assert_eq!(world.call(By::Token(token), "DELETE", SESSION, None).await.status, 204);
    assert_eq!(world.get(By::Token(token), SESSION).await.problem(), (401, "no_session".into()));
}

#[tokio::test]
async fn a_session_expires() {
    let world = World::new().await;
    let token = world.token("anna", "compliance").await;
    world.memory.clock.advance(Duration::from_hours(12));
    assert_eq!(world.get(By::Token(&token), SESSION).await.problem(), (401, "no_session".into()));
}

#[tokio::test]
async fn a_first_password_must_be_changed() {
    let world = World::new().await;
    let new = NewUser { name: "anna".into(), groups: vec!["readers".into()], ..NewUser::default() };
    let first = world.archive.add_user(new).await.unwrap().password.unwrap();
    let problem = login(&world, "anna", &first).await;
    assert_eq!(problem.problem(), (403, "password_change_needed".into()));
    assert!(problem.json()["hint"].as_str().unwrap().contains("new_password"));
    let with = |new: &str| Some(json!({ "user": "anna", "password": first, "new_password": new }));
    assert_eq!(world.call(By::Nobody, "POST", SESSION, with("short")).await.problem(), (400, "weak_password".into()));
    assert_eq!(world.call(By::Nobody, "POST", SESSION, with("long enough")).await.status, 201);
    assert_eq!(login(&world, "anna", "long enough").await.status, 201);
}

#[tokio::test]
async fn who_does_not_exist_is_refused_like_a_wrong_password() {
    let world = World::new().await;
    world.token("anna", "readers").await;
    let refusals: Vec<Value> = [login(&world, "anna", "wrong").await, login(&world, "nobody", "wrong").await]
        .iter()
        .map(|answer| answer.expect(401))
        .collect();
    assert_eq!(refusals[0], refusals[1]);
    assert_eq!(refusals[0]["code"], "wrong_login");
    assert!(!refusals[0].to_string().contains("anna"));
}

#[tokio::test]
async fn guessing_is_slowed_down_by_name_known_or_not() {
    let world = World::new().await;
    world.token("anna", "readers").await;
    for name in ["anna", "nobody"] {
        for _ in 0..10 {
            assert_eq!(login(&world, name, "wrong").await.status, 401);
        }
        let refused = login(&world, name, PASSWORD).await;
        assert_eq!(refused.problem(), (429, "too_many_logins".into()));
        assert!(refused.header("retry-after").parse::<u64>().unwrap() <= 301);
    }
    world.memory.clock.advance(Duration::from_mins(5));
    assert_eq!(login(&world, "anna", PASSWORD).await.status, 201);
}

#[tokio::test]
async fn guessing_is_slowed_down_by_address() {
    let world = World::new().await;
    world.token("anna", "readers").await;
    let from = async |host: u8, user: String| {
        let mut login = request("POST", SESSION, Some(json!({ "user": user, "password": "wrong" })));
        login.extensions_mut().insert(ConnectInfo(SocketAddr::from((Ipv4Addr::new(192, 0, 2, host), 1))));
        world.send(By::Nobody, login).await.status.as_u16()
    };
    for n in 0..50 {
        assert_eq!(from(1, format!("user{n}")).await, 401);
    }
    assert_eq!(from(1, "anna".into()).await, 429);
    assert_eq!(from(2, "anna".into()).await, 401);
}

#[tokio::test]
async fn a_token_is_taken_in_its_header_alone() {
    let world = World::new().await;
    let token = world.token("anna", "admins").await;
    let path = format!("/api/v1/users?access_token={token}");
    assert_eq!(world.get(By::Nobody, &path).await.status, 401);
    let mut lower = request("GET", "/api/v1/users", None);
    lower.headers_mut().insert("authorization", format!("bearer {token}").parse().unwrap());
    assert_eq!(world.send(By::Nobody, lower).await.status, 200);
    assert_eq!(world.get(By::Token(&"a".repeat(10_000)), "/api/v1/users").await.status, 401);
}
