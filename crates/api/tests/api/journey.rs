//! A volume's way through the interface: upload, import, structure, grants, mail.

use std::fmt::Write as _;

use archive::testing::{
    Memory,
    volumes::{Exported, Sample, export},
};
use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::world::{Answer, By, World, request};

const ANNA: &str = "anna@firma.example";
pub(crate) const TARGET: &str = "target@firma.example";

fn samples() -> Vec<Sample> {
    let mut mails: Vec<_> = (1..=5).map(|n| Sample::new(n, "anna/Inbox")).collect();
    mails.push(Sample { location: vec!["anna".into(), "Projekte".into(), "A/B ü".into()], ..Sample::new(6, "") });
    mails.push(Sample { date: None, ..Sample::new(7, "bob/Inbox") });
    mails
}

fn volume() -> Exported {
    export("mine", &samples(), 100, Some("secret"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// DER in base64, as a console sends a file that was picked.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digit = |n: usize| char::from(DIGITS[(bits >> (18 - 6 * n)) as usize & 63]);
        (0..4).map(|n| if n <= chunk.len() { digit(n) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

pub(crate) async fn put(world: &World, by: By<'_>, name: &str, bytes: impl Into<Body>) -> Answer {
    world.send(by, Request::put(format!("/api/v1/uploads/{name}")).body(bytes.into()).unwrap()).await
}

fn start(exported: &Exported) -> Value {
    json!({
        "uploads": ["operator/mine-0001.mszip"],
        "mailbox": TARGET,
        "certificate": base64(&exported.certificate),
        "password": "secret",
    })
}

/// A world into which the volume was imported.
pub(crate) async fn imported() -> World {
    let (world, exported) = (World::new().await, volume());
    put(&world, By::Operator, "mine-0001.mszip", exported.volumes[0].clone()).await.expect(201);
    world.work().await;
    world.call(By::Operator, "POST", "/api/v1/imports", Some(start(&exported))).await.expect(202);
    world.work().await;
    world
}

async fn recreated() -> World {
    let world = imported().await;
    world.call(By::Operator, "POST", "/api/v1/restructure", None).await.expect(202);
    world.work().await;
    world
}

#[tokio::test]
async fn an_upload_comes_in_is_seen_and_deleted() {
    let world = World::new().await;
    let (compliance, admin) = (world.token("anna", "compliance").await, world.token("chef", "admins").await);
    let (compliance, admin) = (By::Token(&compliance), By::Token(&admin));
    let upload = put(&world, compliance, "mine-0001.mszip", volume().volumes[0].clone()).await.expect(201);
    assert_eq!((&upload["id"], &upload["state"]), (&json!("anna/mine-0001.mszip"), &json!("pending")));
    world.work().await;
    let listed = world.get(admin, "/api/v1/uploads").await.expect(200);
    let ready = &listed[0];
    assert_eq!((&ready["name"], &ready["state"]), (&json!("mine-0001.mszip"), &json!("ready")));
    assert_eq!((&ready["kind"], &ready["mails"], &ready["encrypted"]), (&json!("volume"), &json!(7), &json!(true)));
    assert_eq!((&ready["export_name"], &ready["volume"], &ready["user"]), (&json!("mine"), &json!(1), &json!("anna")));
    for path in ["/api/v1/uploads/anna%2Fmine-0001.mszip", "/api/v1/uploads/anna/mine-0001.mszip"] {
        assert_eq!(world.get(admin, path).await.expect(200), *ready);
    }
    let deleted = world.call(admin, "DELETE", "/api/v1/uploads/anna%2Fmine-0001.mszip", None).await;
    assert_eq!(deleted.expect(200)["id"], "anna/mine-0001.mszip");
    assert_eq!(world.get(admin, "/api/v1/uploads").await.expect(200), json!([]));
    assert_eq!(world.get(admin, "/api/v1/uploads/anna%2Fmine-0001.mszip").await.status, 404);
}

#[tokio::test]
async fn an_admin_sends_the_file_that_is_imported_through_the_server() {
    let (world, exported) = (World::new().await, volume());
    let admin = world.token("chef", "admins").await;
    let admin = By::Token(&admin);
    let upload = put(&world, admin, "mine-0001.mszip", exported.volumes[0].clone()).await.expect(201);
    assert_eq!(upload["id"], "chef/mine-0001.mszip");
    world.work().await;
    let mut body = start(&exported);
    body["uploads"] = json!([upload["id"]]);
    let started = world.call(admin, "POST", "/api/v1/imports", Some(body)).await.expect(202);
    world.work().await;
    let import = format!("/api/v1/imports/{}", started["imports"][0]["id"].as_str().unwrap());
    assert_eq!(world.get(admin, &import).await.expect(200)["imported"], 7);
}

#[tokio::test]
async fn further_volumes_start_by_themselves() {
    let world = World::new().await;
    let exported = export("mine", &samples(), 3, Some("secret"));
    for (at, volume) in (1..).zip(&exported.volumes) {
        put(&world, By::Operator, &format!("mine-{at:04}.mszip"), volume.clone()).await.expect(201);
        world.work().await;
        if at == 1 {
            let mut body = start(&exported);
            body["auto_start"] = json!(true);
            world.call(By::Operator, "POST", "/api/v1/imports", Some(body)).await.expect(202);
            world.work().await;
        }
    }
    let imports = world.get(By::Operator, "/api/v1/imports").await.expect(200);
    let mut volumes: Vec<_> = imports
        .as_array()
        .unwrap()
        .iter()
        .map(|import| (import["volume"].as_u64(), import["state"].as_str()))
        .collect();
    // Begun in the same second, they may be listed in any order.
    volumes.sort_unstable();
    assert_eq!(volumes, [1, 2, 3].map(|volume| (Some(volume), Some("finished"))));
    assert_eq!(world.get(By::Operator, "/api/v1/uploads").await.expect(200), json!([]));
}

#[tokio::test]
async fn an_upload_has_the_name_of_its_file() {
    let world = World::new().await;
    for shown in ["(Pending)%20x.mszip", "(Rejected)%20x.mszip", "(Pending)%20(Rejected)%20x.mszip", "x.mszip"] {
        let upload = put(&world, By::Operator, shown, "x").await.expect(201);
        assert_eq!((&upload["id"], &upload["name"]), (&json!("operator/x.mszip"), &json!("x.mszip")), "{shown}");
    }
    assert_eq!(world.get(By::Operator, "/api/v1/uploads").await.expect(200).as_array().unwrap().len(), 1);
    for shown in ["(Pending)%20.in.x", "(Pending)%20x.part", "(Pending)%20", "(Pending)%20a/b"] {
        assert_eq!(put(&world, By::Operator, shown, "x").await.problem(), (400, "invalid".into()), "{shown}");
    }
    assert_eq!(world.archive.uploads.list("", None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_status_counts_the_reports_that_wait() {
    let waiting =
        async |world: World| world.get(By::Operator, "/api/v1/status").await.expect(200)["reports_waiting"].clone();
    assert_eq!(waiting(World::new().await).await, 0);
    assert_eq!(waiting(imported().await).await, 1);
    assert_eq!(waiting(recreated().await).await, 0);
}

#[tokio::test]
async fn an_upload_that_is_cut_off_is_none() {
    let world = World::new().await;
    let blocks = [Ok("half of a "), Err(std::io::Error::other("connection reset"))];
    let body = Body::from_stream(futures::stream::iter(blocks));
    assert_eq!(put(&world, By::Operator, "mine.mszip", body).await.problem(), (400, "cut_off".into()));
    assert_eq!(world.get(By::Operator, "/api/v1/uploads").await.expect(200), json!([]));
    assert_eq!(put(&world, By::Operator, "mine.mszip", "whole").await.expect(201)["size_bytes"], 5);
}

#[tokio::test]
async fn names_that_are_no_uploads_are_refused() {
    let world = World::new().await;
    for name in ["a%2Fb", "a/b", "..", ".", "x.filepart", "%00"] {
        let refused = put(&world, By::Operator, name, "x").await;
        assert!(matches!(refused.problem().0, 400 | 404), "{name}: {}", refused.status);
    }
}

#[tokio::test]
async fn what_opens_no_volume_is_refused_before_anything_is_queued() {
    let (world, exported) = (World::new().await, volume());
    put(&world, By::Operator, "mine-0001.mszip", exported.volumes[0].clone()).await.expect(201);
    world.work().await;
    for (member, value, status, code) in [
        ("password", json!("wrong"), 403, "wrong_password"),
        ("password", json!(null), 403, "password_needed"),
        ("certificate", json!(null), 403, "certificate_needed"),
        ("uploads", json!(["operator/other.mszip"]), 404, "not_found"),
        ("uploads", json!([]), 400, "invalid"),
        ("mailbox", json!("nobody"), 400, "invalid"),
    ] {
        let mut body = start(&exported);
        body[member] = value;
        let refused = world.call(By::Operator, "POST", "/api/v1/imports", Some(body)).await;
        assert_eq!(refused.problem(), (status, code.into()), "{member}");
    }
    let mut nonsense = start(&exported);
    nonsense["certificate"] = json!("!!!");
    let refused = world.call(By::Operator, "POST", "/api/v1/imports", Some(nonsense)).await;
    assert_eq!(refused.status, 400);
    assert_eq!(world.get(By::Operator, "/api/v1/imports").await.expect(200), json!([]));
    assert!(world.memory.queue.is_empty());
}

#[tokio::test]
async fn an_import_is_started_watched_and_ends() {
    let (world, exported) = (World::new().await, volume());
    put(&world, By::Operator, "mine-0001.mszip", exported.volumes[0].clone()).await.expect(201);
    world.work().await;
    let admin = world.token("chef", "admins").await;
    let admin = By::Token(&admin);
    let started = world.call(admin, "POST", "/api/v1/imports", Some(start(&exported))).await.expect(202);
    let import = format!("/api/v1/imports/{}", started["imports"][0]["id"].as_str().unwrap());
    let process = format!("/api/v1/processes/{}", started["process"].as_str().unwrap());
    assert_eq!(started["imports"][0]["state"], "waiting");
    assert_eq!(world.get(admin, &process).await.expect(200)["state"], "waiting", "nobody works on it yet");
    world.work().await;
    let ended = world.get(admin, &import).await.expect(200);
    assert_eq!(
        (&ended["state"], &ended["imported"], &ended["balanced"]),
        (&json!("finished"), &json!(7), &json!(true))
    );
    let watched = world.get(admin, &process).await.expect(200);
    assert_eq!((&watched["state"], &watched["by"]), (&json!("finished"), &json!("chef")));
    assert_eq!(watched["result"]["imports"][0], ended);
    let lines = world.get(admin, &format!("{process}/lines")).await.expect(200);
    assert!(!lines.as_array().unwrap().is_empty());
    assert_eq!(world.call(admin, "POST", &format!("{import}/cancel"), None).await.problem(), (409, "conflict".into()));
    assert_eq!(world.get(admin, "/api/v1/imports").await.expect(200), json!([ended]));
    assert_eq!(world.get(admin, "/api/v1/uploads").await.expect(200), json!([]), "an imported upload goes");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = imported().await;
    let process = world.get(By::Operator, "/api/v1/processes").await.expect(200)[0]["id"].as_str().unwrap().to_owned();
    let lines = format!("/api/v1/processes/{process}/lines");
    let all = world.get(By::Operator, &lines).await.expect(200);
    let (mut path, mut paged) = (format!("{lines}?limit=1"), Vec::new());
    loop {
        let page = world.get(By::Operator, &path).await;
        paged.extend(page.expect(200).as_array().unwrap().clone());
        let Some(next) = page.header("link").strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""))
        else {
            break;
        };
        path = format!("{lines}{next}");
    }
    assert_eq!(json!(paged), all);
    let (mut after, mut ids) = (String::new(), Vec::new());
    loop {
        let page = world.get(By::Operator, &format!("/api/v1/mails?limit=2{after}")).await.expect(200);
        ids.extend(page["mails"].as_array().unwrap().iter().map(|mail| mail["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(ids.len(), 7);
    let whole = world.get(By::Operator, "/api/v1/mails").await.expect(200);
    assert_eq!(
        json!(ids),
        json!(whole["mails"].as_array().unwrap().iter().map(|mail| &mail["id"]).collect::<Vec<_>>())
    );
}

#[tokio::test]
async fn raw_mail_comes_byte_for_byte() {
    let world = imported().await;
    for sample in samples() {
        let hash = hex(&sample.hash().0);
        let answer = world.get(By::Operator, &format!("/api/v1/mails/{hash}/raw")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.bytes, sample.raw);
        assert_eq!(answer.header("content-type"), "message/rfc822");
        assert_eq!(answer.header("content-length"), sample.raw.len().to_string());
        assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{hash}.eml\""));
        let shown = world.get(By::Operator, &format!("/api/v1/mails/{hash}")).await.expect(200);
        assert_eq!(shown["headers"][0], json!(["From", "a@b.example"]));
    }
    let unknown = world.get(By::Operator, &format!("/api/v1/mails/{}/raw", "0".repeat(64))).await;
    assert_eq!(unknown.problem(), (404, "not_found".into()));
}

#[tokio::test]
async fn a_folder_is_named_by_its_path() {
    let world = recreated().await;
    let folders = world.get(By::Operator, &format!("/api/v1/mailboxes/{ANNA}/folders")).await.expect(200);
    let expected = json!([
        { "path": ["Inbox"], "mails": 5 },
        { "path": ["Projekte"], "mails": 0 },
        { "path": ["Projekte", "A/B ü"], "mails": 1 },
    ]);
    assert_eq!(folders, expected);
    assert_eq!(world.get(By::Operator, &format!("/api/v1/folders?mailbox={ANNA}")).await.expect(200), expected);
    let folder = "%5B%22Projekte%22%2C%22A%2FB%20%C3%BC%22%5D";
    let page = world.get(By::Operator, &format!("/api/v1/mails?mailbox={ANNA}&folder={folder}")).await.expect(200);
    assert_eq!(page["mails"][0]["subject"], "6");
    assert_eq!(page["mails"].as_array().unwrap().len(), 1);
    let other = world.get(By::Operator, "/api/v1/folders?mailbox=none@firma.example").await;
    assert_eq!(other.problem(), (404, "not_found".into()));
}

#[tokio::test]
async fn a_reader_sees_what_was_granted_and_nothing_else() {
    let world = recreated().await;
    let (reader, admin) = (world.token("anna", "readers").await, world.token("chef", "admins").await);
    let (reader, admin) = (By::Token(&reader), By::Token(&admin));
    let hash = hex(&samples()[0].hash().0);
    let bobs = hex(&samples()[6].hash().0);
    let folders = format!("/api/v1/mailboxes/{ANNA}/folders");
    assert_eq!(world.get(reader, "/api/v1/mailboxes").await.expect(200), json!([]));
    for path in [
        folders.as_str(),
        &format!("/api/v1/mailboxes/{ANNA}"),
        &format!("/api/v1/mails/{hash}"),
        &format!("/api/v1/mails/{hash}/raw"),
    ] {
        assert_eq!(world.get(reader, path).await.problem(), (404, "not_found".into()), "{path}");
    }
    let grant = json!({ "mailbox": ANNA, "user": "anna" });
    assert_eq!(world.call(admin, "POST", "/api/v1/grants", Some(grant.clone())).await.expect(201), grant);
    let mailboxes = world.get(reader, "/api/v1/mailboxes").await.expect(200);
    assert_eq!(mailboxes.as_array().unwrap().len(), 1);
    assert_eq!((&mailboxes[0]["address"], &mailboxes[0]["mails"]), (&json!(ANNA), &json!(6)));
    assert_eq!(world.get(reader, &folders).await.expect(200).as_array().unwrap().len(), 3);
    assert_eq!(world.get(reader, &format!("/api/v1/mails/{hash}/raw")).await.bytes, samples()[0].raw);
    assert_eq!(world.get(reader, &format!("/api/v1/mails/{bobs}/raw")).await.status, 404);
    assert_eq!(world.get(reader, "/api/v1/mails").await.expect(200)["mails"].as_array().unwrap().len(), 6);
    let taken = world.call(admin, "DELETE", &format!("/api/v1/grants?mailbox={ANNA}&user=anna"), None).await;
    assert_eq!(taken.expect(200), grant);
    assert_eq!(world.get(reader, "/api/v1/mailboxes").await.expect(200), json!([]));
    let again = world.call(admin, "DELETE", &format!("/api/v1/grants?mailbox={ANNA}&user=anna"), None).await;
    assert_eq!(again.status, 404);
    for wrong in [json!({ "mailbox": ANNA }), json!({ "mailbox": ANNA, "user": "anna", "group": "readers" })] {
        assert_eq!(world.call(admin, "POST", "/api/v1/grants", Some(wrong)).await.status, 400);
    }
}

#[tokio::test]
async fn schedules_and_mapping_are_seen_and_changed() {
    let world = imported().await;
    let schedules = world.get(By::Operator, "/api/v1/schedules").await.expect(200);
    assert_eq!((&schedules[0]["id"], &schedules[0]["every_minutes"]), (&json!("restructure"), &json!(15)));
    let path = "/api/v1/schedules/restructure";
    let off = world.call(By::Operator, "PATCH", path, Some(json!({ "enabled": false }))).await.expect(200);
    assert_eq!((&off["enabled"], &off["next_run"]), (&json!(false), &json!(null)));
    let row = world
        .call(By::Operator, "PUT", "/api/v1/mapping/bob", Some(json!({ "address": "robert@firma.example" })))
        .await;
    assert_eq!(row.expect(200)["source"], "mapping");
    let slashed =
        world.call(By::Operator, "PUT", "/api/v1/mapping/a%2Fb", Some(json!({ "address": "ab@firma.example" }))).await;
    assert_eq!(slashed.expect(200)["archive"], "a/b");
    let rows = world.get(By::Operator, "/api/v1/mapping").await.expect(200);
    assert_eq!(rows.as_array().unwrap().len(), 3);
    let run = world.call(By::Operator, "POST", &format!("{path}/run"), None).await.expect(202);
    world.work().await;
    let process =
        world.get(By::Operator, &format!("/api/v1/processes/{}", run["process"].as_str().unwrap())).await.expect(200);
    assert_eq!(process["result"]["mailboxes_created"], 2, "{process}");
    assert_eq!(
        world.get(By::Operator, "/api/v1/mailboxes/robert@firma.example").await.expect(200)["user_archive"],
        "bob"
    );
    assert_eq!(world.call(By::Operator, "DELETE", path, None).await.expect(200)["id"], "restructure");
    for method in ["PATCH", "DELETE"] {
        let gone = world.call(By::Operator, method, path, Some(json!({ "enabled": true }))).await;
        assert_eq!(gone.problem(), (404, "not_found".into()), "{method}");
    }
    assert_eq!(world.call(By::Operator, "POST", &format!("{path}/run"), None).await.status, 404);
}

#[tokio::test]
async fn a_check_says_that_all_is_well() {
    let world = recreated().await;
    for body in [None, Some(json!({})), Some(json!({ "read_data": true }))] {
        let started = world.call(By::Operator, "POST", "/api/v1/check", body).await.expect(202);
        world.work().await;
        let path = format!("/api/v1/processes/{}", started["process"].as_str().unwrap());
        let process = world.get(By::Operator, &path).await.expect(200);
        assert_eq!(
            (&process["state"], &process["result"]["balanced"]),
            (&json!("finished"), &json!(true)),
            "{process}"
        );
        assert_eq!(process["result"]["messages"], 7);
    }
}

#[tokio::test]
async fn users_and_groups_are_kept() {
    let world = World::new().await;
    let call = async |method: &str, path: &str, body: Value| world.call(By::Operator, method, path, Some(body)).await;
    let made = call("POST", "/api/v1/users", json!({ "name": "anna", "groups": ["readers"] })).await.expect(201);
    assert_eq!((&made["must_change_password"], &made["roles"]), (&json!(true), &json!(["Reader"])));
    assert!(made["password"].as_str().unwrap().len() > 10);
    assert!(world.get(By::Operator, "/api/v1/users/anna").await.expect(200)["password"].is_null());
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKs";
    let keyed = call("POST", "/api/v1/users/anna/keys", json!({ "key": format!("{key} anna@home") })).await.expect(201);
    assert_eq!(keyed["keys"], json!([key]));
    assert_eq!(call("POST", "/api/v1/users/anna/keys", json!({ "key": "nonsense" })).await.status, 400);
    let group = call("POST", "/api/v1/groups", json!({ "name": "board", "roles": ["compliance", "READER"] })).await;
    assert_eq!(group.expect(201), json!({ "name": "board", "roles": ["Compliance", "Reader"] }));
    assert_eq!(call("POST", "/api/v1/groups", json!({ "name": "x", "roles": ["god"] })).await.status, 400);
    assert_eq!(call("POST", "/api/v1/groups", json!({ "name": "board" })).await.problem(), (409, "conflict".into()));
    let moved = call("PATCH", "/api/v1/users/anna", json!({ "groups": ["board"] })).await.expect(200);
    assert_eq!(moved["roles"], json!(["Compliance", "Reader"]));
    let fewer = call("PATCH", "/api/v1/groups/board", json!({ "roles": ["Reader"] })).await.expect(200);
    assert_eq!(fewer["roles"], json!(["Reader"]));
    assert!(
        world.call(By::Operator, "POST", "/api/v1/users/anna/reset", None).await.expect(200)["password"].is_string()
    );
    assert_eq!(world.call(By::Operator, "DELETE", "/api/v1/users/anna", None).await.expect(200)["name"], "anna");
    assert_eq!(world.call(By::Operator, "DELETE", "/api/v1/users/anna", None).await.status, 404);
    assert_eq!(
        world.call(By::Operator, "DELETE", "/api/v1/users/admin", None).await.problem(),
        (409, "conflict".into())
    );
    assert_eq!(world.get(By::Operator, "/api/v1/groups").await.expect(200).as_array().unwrap().len(), 5);
    let mailbox = call("POST", "/api/v1/mailboxes", json!({ "address": "a/b@firma.example" })).await.expect(201);
    let expected =
        json!({ "address": "a/b@firma.example", "origin": "hand", "user_archive": null, "mails": 0, "folders": 0 });
    assert_eq!(mailbox, expected);
    assert_eq!(world.get(By::Operator, "/api/v1/mailboxes/a%2Fb@firma.example").await.expect(200), expected);
    assert_eq!(call("POST", "/api/v1/mailboxes", json!({ "address": "A/B@firma.example" })).await.status, 409);
}

#[tokio::test]
async fn the_status_has_what_an_exporter_and_a_client_need() {
    let world = World::new().await;
    put(&world, By::Operator, "nonsense.bin", "nonsense").await.expect(201);
    world.work().await;
    let status = world.get(By::Operator, "/api/v1/status").await.expect(200);
    assert!(status["recipient_certificate"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(status["sftp"], json!(null), "the door is closed");
    assert_eq!(status["uploads"], json!({ "rejected": 1 }));
    let certificate = world.get(By::Operator, "/api/v1/certificate").await.expect(200);
    assert_eq!(certificate["pem"], status["recipient_certificate"]);
    assert_eq!(certificate["sha256"], status["recipient_certificate_sha256"]);
}

#[tokio::test]
async fn a_process_streams_what_it_says() {
    let memory = Memory::new(1);
    let world = World::over(memory, |options| api::Options { events: true, ..options }).await;
    let started = world.call(By::Operator, "POST", "/api/v1/restructure", None).await.expect(202);
    world.work().await;
    let path = format!("/api/v1/processes/{}", started["process"].as_str().unwrap());
    let lines = world.get(By::Operator, &format!("{path}/lines")).await.expect(200);
    let lines = lines.as_array().unwrap();
    let stream = world.get(By::Operator, &format!("{path}/events")).await;
    let text = String::from_utf8(stream.bytes.to_vec()).unwrap();
    assert_eq!(text.matches("event: line\n").count(), lines.len(), "{text}");
    assert!(text.contains("event: end\ndata: {"), "{text}");
    assert!(text.contains("no more reports to process"), "{text}");
    let mut rest = request("GET", &format!("{path}/events"), None);
    let last = lines.last().unwrap()["seq"].as_str().unwrap();
    rest.headers_mut().insert("last-event-id", last.parse().unwrap());
    let rest = world.send(By::Operator, rest).await;
    assert!(!String::from_utf8_lossy(&rest.bytes).contains("event: line"));
}
