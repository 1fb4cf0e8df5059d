//! Migration reports through the interface.

use axum::{body::Body, http::Request};
use serde_json::json;

use crate::{
    journey::imported,
    world::{By, World, request},
};

async fn page(world: &World, by: By<'_>, path: &str, accept: &str) -> String {
    let request = Request::get(path).header("accept", accept).body(Body::empty()).unwrap();
    let answer = world.send(by, request).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = answer.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'unsafe-inline';") && policy.ends_with("sandbox"),
        "{policy}"
    );
    String::from_utf8(answer.bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn an_auditor_reads_the_reports_as_documents_and_as_pages() {
    let world = imported().await;
    let auditor = world.token("paula", "auditors").await;
    let auditor = By::Token(&auditor);
    let exports = world.get(auditor, "/api/v1/exports").await.expect(200);
    assert_eq!((&exports[0]["volumes"], &exports[0]["imported_volumes"]), (&json!(1), &json!([1])));
    let export = format!("/api/v1/exports/{}/report", exports[0]["export_id"].as_str().unwrap());
    let report = world.get(auditor, &export).await.expect(200);
    assert_eq!(
        (&report["complete"], &report["balanced"], &report["in_volumes"]),
        (&json!(true), &json!(true), &json!(7))
    );
    assert_eq!(
        report["sums"][0],
        json!({ "quantity": "in_volume", "seal": 7, "checkpoints": 7, "ledger": 7, "catalogue": 7, "closes": true })
    );
    let part = &report["imports"][0];
    assert_eq!((&part["standing"], &part["reordered"]), (&json!("counted"), &json!(false)));
    let import = format!("/api/v1/imports/{}/report", part["report"]["import"].as_str().unwrap());
    let own = world.get(auditor, &import).await.expect(200);
    assert_eq!((&own["by"], &own["uploaded_by"]), (&json!("operator"), &json!("operator")));
    assert_eq!(
        (&own["volume"]["number"], &own["volume"]["of"], &own["balanced"]),
        (&json!(1), &json!(1), &json!(true))
    );
    for path in [&export, &import] {
        let shown = page(&world, auditor, path, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8").await;
        assert!(shown.contains("Complete: all 7 mails"), "{shown}");
        assert!(page(&world, auditor, &format!("{path}.html"), "*/*").await.contains("Complete: all 7 mails"));
        let both = request("GET", path, None);
        assert_eq!(world.send(auditor, both).await.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn what_does_not_exist_has_no_report() {
    let world = World::new().await;
    for path in ["/api/v1/imports/none/report", "/api/v1/exports/none/report", "/api/v1/exports/none/report.html"] {
        assert_eq!(world.get(By::Operator, path).await.problem(), (404, "not_found".into()), "{path}");
    }
    assert_eq!(world.get(By::Operator, "/api/v1/exports").await.expect(200), json!([]));
}
