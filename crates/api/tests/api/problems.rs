//! Refusals: each a problem document that says what is wrong.

use axum::{body::Body, http::Request};
use serde_json::json;

use crate::world::{By, World, request};

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_not_offered_405() {
    let world = World::new().await;
    for path in ["/", "/api", "/api/v2/mails", "/api/v1/mails/", "/api/v1/../v1/users", "/console"] {
        assert_eq!(world.get(By::Operator, path).await.problem(), (404, "not_found".into()), "{path}");
    }
    for (method, path) in
        [("PUT", "/api/v1/mailboxes"), ("DELETE", "/healthz"), ("OPTIONS", "/api/v1/users"), ("BREW", "/metrics")]
    {
        let answer = world.call(By::Operator, method, path, None).await;
        assert_eq!(answer.problem(), (405, "method_not_allowed".into()), "{method} {path}");
        assert!(answer.header("allow").contains("GET"), "{method} {path}: {:?}", answer.headers);
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn bodies_that_do_not_fit_are_refused_by_name() {
    let world = World::new().await;
    for (body, named) in [
        (r#"{"address":"a@b.example","origin":"hand"}"#, "origin"),
        (r#"{"address":7}"#, "integer"),
        (r#"{"address":"a@b.example","address":"c@d.example"}"#, "duplicate"),
        ("{", "EOF"),
        ("", "address"),
        ("[]", "no JSON object"),
        (r#"["a@b.example"]"#, "no JSON object"),
        ("null", "no JSON object"),
        ("x", "no JSON object"),
        (r#"{"address":"a@b.example"} x"#, "trailing"),
        (r#"{"address":"no address"}"#, "no address"),
    ] {
        let sent = Request::post("/api/v1/mailboxes").header("content-type", "application/json; charset=utf-8");
        let answer = world.send(By::Operator, sent.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.problem(), (400, "invalid".into()), "{body}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(named), "{body}: {}", answer.json());
    }
    let deep = "[".repeat(100_000);
    let sent =
        Request::post("/api/v1/mailboxes").header("content-type", "application/json").body(Body::from(deep)).unwrap();
    assert_eq!(world.send(By::Operator, sent).await.status, 400);
    let not_utf8 = Request::post("/api/v1/mailboxes").header("content-type", "application/json");
    assert_eq!(
        world.send(By::Operator, not_utf8.body(Body::from(&b"{\"address\":\"\xFF\"}"[..])).unwrap()).await.status,
        400
    );
}

#[tokio::test]
async fn a_body_of_another_kind_is_415_and_a_huge_one_413() {
    let world = World::new().await;
    let form = Request::post("/api/v1/mailboxes").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(world.send(By::Operator, form.body(Body::from("address=a")).unwrap()).await.problem().0, 415);
    let huge = json!({ "address": "a".repeat(2 << 20) });
    let refused = world.call(By::Operator, "POST", "/api/v1/mailboxes", Some(huge.clone())).await;
    assert_eq!(refused.problem(), (413, "too_large".into()));
    assert_eq!(world.call(By::Nobody, "POST", "/api/v1/session", Some(huge)).await.problem().0, 413);
}

#[tokio::test]
async fn heads_beyond_all_use_are_refused() {
    let world = World::new().await;
    assert_eq!(world.get(By::Nobody, &format!("/healthz?{}", "a".repeat(20_000))).await.problem().0, 414);
    let fat = Request::get("/healthz").header("x-fat", "a".repeat(20_000)).body(Body::empty()).unwrap();
    assert_eq!(world.send(By::Nobody, fat).await.problem().0, 431);
}

#[tokio::test]
async fn queries_that_do_not_fit_are_refused() {
    let world = World::new().await;
    world.call(By::Operator, "POST", "/api/v1/mailboxes", Some(json!({ "address": "a@b.example" }))).await.expect(201);
    for query in [
        "mails?limit=0",
        "mails?limit=1001",
        "mails?limit=-1",
        "mails?limit=x",
        "mails?limit=99999999999999999999999",
        "mails?after=x",
        "mails?page=2",
        "mails?mailbox=nothing",
        "mails?folder=%5B%22a%22%5D",
        "mails?mailbox=a@b.example&folder=INBOX",
        "mails?mailbox=a@b.example&folder=%7B%7D",
        "mails?mailbox=a@b.example&folder=%5B1%5D",
        "mails?mailbox=a@b.example&folder=%5B%22a%22",
        "mails?mailbox=a@b.example&mailbox=c@d.example",
        "mails/abc",
        "mails/abc/raw",
        "mails/..%2F..%2Fetc%2Fpasswd",
        "mails/%FF",
        "folders",
        "folders?mailbox=",
        "processes?limit=0",
        "processes?limit=1001",
        "processes?after=zzz",
        "processes?after=",
        "processes?after=00000000010000000000000000%00",
        "imports?after=zzz",
        "imports?unknown=1",
        "users?page=2",
        "users?after=",
        "groups?limit=0",
        "uploads?limit=1001",
        "uploads?after=zzz",
        "mailboxes?limit=x",
        "mailboxes?after=zzz",
        "grants?user=anna",
        "grants?after=zzz",
        "schedules?limit=-1",
        "mapping?after=a&after=b",
        "mailboxes/%FF",
    ] {
        let answer = world.get(By::Operator, &format!("/api/v1/{query}")).await;
        assert_eq!(answer.problem(), (400, "invalid".into()), "{query}");
    }
}

#[tokio::test]
async fn ids_lead_nowhere_else() {
    let world = World::new().await;
    for id in [
        "..%2F..%2Fetc%2Fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "a%00b",
        "anna/../bert/x",
        "%2Fetc%2Fpasswd",
        "a%2F%2Fb",
        "x%0d%0aSet-Cookie:y",
    ] {
        for route in ["uploads", "imports", "processes", "users", "schedules"] {
            for method in ["GET", "DELETE"] {
                let answer = world.call(By::Operator, method, &format!("/api/v1/{route}/{id}"), None).await;
                let status = answer.problem().0;
                assert!(matches!(status, 400 | 404 | 405), "{method} {route}/{id}: {status}");
                assert_eq!(answer.header("set-cookie"), "");
            }
        }
        let put = Request::put(format!("/api/v1/uploads/{id}")).body(Body::from("x")).unwrap();
        let status = world.send(By::Operator, put).await.status;
        assert!(status == 400, "PUT uploads/{id}: {status}");
    }
    assert!(world.archive.uploads.list("", None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_this_place_does_not_offer_says_what_does() {
    let world = World::over(archive::testing::Memory::new(1), |_| api::Options::default()).await;
    let put = Request::put("/api/v1/uploads/a.mszip").body(Body::from("x")).unwrap();
    let answer = world.send(By::Operator, put).await;
    assert_eq!(answer.problem(), (501, "not_offered".into()));
    assert!(answer.json()["hint"].as_str().unwrap().contains("SFTP"));
    let answer = world.get(By::Operator, "/api/v1/processes/x/events").await;
    assert_eq!(answer.problem(), (501, "not_offered".into()));
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let world = World::new().await;
    let answer = world.router.clone();
    let answer = tower::ServiceExt::oneshot(answer, request("HEAD", "/healthz", None)).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_told_to_wait() {
    let slow = |options| api::Options { timeout: std::time::Duration::from_millis(50), ..options };
    let world = World::over(archive::testing::Memory::new(1), slow).await;
    let never = Body::from_stream(futures::stream::pending::<Result<axum::body::Bytes, std::io::Error>>());
    let request = Request::post("/api/v1/session").header("content-type", "application/json").body(never).unwrap();
    assert_eq!(world.send(By::Nobody, request).await.problem(), (503, "timeout".into()));
}

#[tokio::test]
async fn a_panic_is_a_problem_of_one_request() {
    let breaks: api::JobsWaiting = std::sync::Arc::new(|| panic!("secret of the house"));
    let broken = |options| api::Options { jobs_waiting: Some(breaks), ..options };
    let world = World::over(archive::testing::Memory::new(1), broken).await;
    let answer = world.get(By::Operator, "/metrics").await;
    assert_eq!(answer.problem(), (500, "internal".into()));
    assert!(!answer.json().to_string().contains("secret"));
    assert_eq!(world.get(By::Operator, "/healthz").await.status, 200);
}
