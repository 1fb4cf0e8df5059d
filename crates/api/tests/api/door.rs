//! The SFTP door, from outside.

use std::{sync::Arc, time::Duration};

use archive::{Archive, DoorMode, FrontDoor, StandingDoor, testing::Memory};
use serde_json::{Value, json};

use crate::world::{By, World};

const DOOR: &str = "/api/v1/door";

#[tokio::test]
async fn an_admin_opens_the_door_for_days_and_closes_it() {
    let world = World::new().await;
    let token = world.token("anna", "admins").await;
    let admin = By::Token(&token);
    let closed = world.get(admin, DOOR).await.expect(200);
    assert_eq!((&closed["mode"], &closed["state"]), (&json!("on_demand"), &json!("closed")));
    assert_eq!((&closed["host"], &closed["closes"]), (&Value::Null, &Value::Null));

    let opening = world.call(admin, "POST", DOOR, Some(json!({ "days": 7 }))).await.expect(202);
    assert_eq!((&opening["state"], &opening["opened_by"]), (&json!("opening"), &json!("anna")));
    assert_eq!(opening["closes"], "2026-01-08T00:00:00Z");
    assert_eq!(opening["hint"], "an open door costs some $0.30 an hour, used or not");
    assert_eq!(world.get(admin, "/api/v1/status").await.expect(200)["sftp"], Value::Null);

    world.memory.clock.advance(Duration::from_mins(2));
    let open = world.get(admin, DOOR).await.expect(200);
    assert_eq!((&open["state"], &open["port"]), (&json!("open"), &json!(22)));
    let sftp = world.get(admin, "/api/v1/status").await.expect(200)["sftp"].clone();
    assert_eq!(sftp["address"], format!("{}:22", open["host"].as_str().unwrap()));
    assert_eq!(sftp["fingerprint"], open["fingerprint"]);

    assert_eq!(world.call(admin, "DELETE", DOOR, None).await.expect(200)["state"], "closed");
    assert_eq!(world.get(admin, DOOR).await.expect(200), closed);
}

#[tokio::test]
async fn days_are_given_and_fit() {
    let world = World::new().await;
    for body in
        [None, Some(json!({})), Some(json!({ "days": 0 })), Some(json!({ "days": 31 })), Some(json!({ "days": "7" }))]
    {
        let refused = world.call(By::Operator, "POST", DOOR, body.clone()).await;
        assert_eq!(refused.problem(), (400, "invalid".into()), "{body:?}");
    }
    assert_eq!(world.memory.door.made(), 0);
}

#[tokio::test]
async fn the_own_server_is_a_door_that_nobody_opens_or_closes() {
    let memory = Memory::new(1);
    let port = Arc::new(StandingDoor::at("::1", 2222, "SHA256:abc"));
    let archive = Archive { door: FrontDoor { mode: DoorMode::Always, port }, ..memory.archive() };
    let world = World { router: api::router(archive.clone(), api::Options::default()), memory, archive };
    let door = world.get(By::Operator, DOOR).await.expect(200);
    assert_eq!((&door["mode"], &door["state"], &door["hint"]), (&json!("always"), &json!("open"), &Value::Null));
    let status = world.get(By::Operator, "/api/v1/status").await.expect(200);
    assert_eq!(status["sftp"], json!({ "address": "[::1]:2222", "fingerprint": "SHA256:abc" }));
    for method in ["POST", "DELETE"] {
        let refused = world.call(By::Operator, method, DOOR, Some(json!({ "days": 1 }))).await;
        assert_eq!(refused.problem(), (400, "door_always_open".into()));
    }
}
