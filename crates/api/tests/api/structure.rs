//! What restructure would do, and the target mailbox that is emptied, over HTTP.

use serde_json::{Value, json};

use crate::{
    journey::{TARGET, imported},
    world::{By, World},
};

/// The process that an answer names, once it has ended.
async fn ended(world: &World, started: Value) -> Value {
    world.work().await;
    world.get(By::Operator, &format!("/api/v1/processes/{}", started["process"].as_str().unwrap())).await.expect(200)
}

#[tokio::test]
async fn a_dry_run_answers_with_what_a_run_would_do() {
    let world = imported().await;
    let dry = Some(json!({ "dry_run": true }));
    let started = world.call(By::Operator, "POST", "/api/v1/restructure", dry).await.expect(202);
    let shown = ended(&world, started).await;
    assert_eq!((&shown["kind"], &shown["result"]["dry_run"]), (&json!("preview"), &json!(true)));
    assert_eq!(world.get(By::Operator, "/api/v1/mailboxes").await.expect(200).as_array().unwrap().len(), 1);
    let started = world.call(By::Operator, "POST", "/api/v1/restructure", None).await.expect(202);
    let done = ended(&world, started).await;
    assert_eq!(shown["result"]["placements_created"], done["result"]["placements_created"]);
    let unknown = world.call(By::Operator, "POST", "/api/v1/restructure", Some(json!({ "dry": true }))).await;
    assert_eq!(unknown.status, 400);
}

#[tokio::test]
async fn the_mapping_is_reset_and_says_who_is_in_the_way() {
    let world = imported().await;
    let set = json!({ "address": TARGET });
    let row = world.call(By::Operator, "PUT", "/api/v1/mapping/bob", Some(set)).await.expect(200);
    assert_eq!((&row["conflict"], &row["mailbox"], &row["mails_waiting"]), (&json!(true), &json!("import"), &json!(1)));
    let set = json!({ "address": "anna@firma.example" });
    let row = world.call(By::Operator, "PUT", "/api/v1/mapping/bob", Some(set)).await.expect(200);
    assert_eq!((&row["conflict_with"], &row["mailbox"]), (&json!(["anna"]), &Value::Null));
    let row = world.call(By::Operator, "DELETE", "/api/v1/mapping/bob", None).await.expect(200);
    assert_eq!((&row["source"], &row["conflict"]), (&json!("default"), &json!(false)));
    assert_eq!(world.call(By::Operator, "DELETE", "/api/v1/mapping/a/b", None).await.status, 404);
}

#[tokio::test]
async fn an_admin_empties_the_target_and_the_log_says_who() {
    let world = imported().await;
    let admin = world.token("chef", "admins").await;
    let path = format!("/api/v1/mailboxes/{TARGET}/mails");
    let started = world.call(By::Token(&admin), "DELETE", &path, None).await.expect(202);
    assert_eq!(ended(&world, started).await["error"]["code"], "placements_missing");
    world.call(By::Operator, "POST", "/api/v1/restructure", None).await.expect(202);
    world.work().await;
    for confirmed in [false, true] {
        let path = format!("{path}?confirm={confirmed}");
        let started = world.call(By::Token(&admin), "DELETE", &path, None).await.expect(202);
        let process = ended(&world, started).await;
        let expected = json!({ "address": TARGET, "dry_run": !confirmed, "mails": 7, "placements": 7, "folders": 1 });
        assert_eq!((&process["result"], &process["by"]), (&expected, &json!("chef")));
        let left = world.get(By::Operator, &format!("/api/v1/mailboxes/{TARGET}")).await.expect(200)["mails"].clone();
        assert_eq!(left, if confirmed { 0 } else { 7 });
    }
    let recreated = world.call(By::Token(&admin), "DELETE", "/api/v1/mailboxes/anna@firma.example/mails", None).await;
    assert_eq!(recreated.problem(), (400, "invalid".into()));
    let odd = world.call(By::Token(&admin), "DELETE", &format!("{path}?yes=true"), None).await;
    assert_eq!(odd.status, 400);
}
