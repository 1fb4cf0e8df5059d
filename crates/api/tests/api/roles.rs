//! Every route against every role.

use std::collections::BTreeSet;

use api::{Access, Needs};
use archive::access::Role;

use crate::world::{By, World};

/// A path that leads to the route, to nothing in particular.
fn path_to(route: &Access) -> String {
    let hash = "0".repeat(64);
    route
        .path
        .replace("/uploads/{id}", "/uploads/u-compliance%2Fnone.mszip")
        .replace("/mails/{id}", &format!("/mails/{hash}"))
        .replace("{address}", "none@firma.example")
        .replace("{id}", "none")
        .replace("{name}", "none")
        .replace("{archive}", "none")
}

fn allows(needs: Needs, role: &str) -> bool {
    match needs {
        Needs::Nothing | Needs::Session => true,
        Needs::Any(roles) => roles.contains(&Role::parse(role).unwrap()),
        Needs::MetricsAccess => role == "Admin",
    }
}

#[tokio::test]
async fn every_route_lets_in_the_roles_of_the_table_and_no_other() {
    let world = World::new().await;
    let tokens = world.tokens().await;
    let mut table = api::access();
    // The one that ends what the others need.
    table.sort_by_key(|route| (route.method == "DELETE" && route.path.ends_with("/session"), route.path.clone()));
    for route in table {
        let (method, path) = (&route.method, path_to(&route));
        let stranger = world.call(By::Nobody, method, &path, None).await;
        let wanted = route.needs != Needs::Nothing;
        assert_eq!(stranger.status == 401, wanted, "{method} {path} for nobody: {}", stranger.status);
        assert_eq!(stranger.header("www-authenticate"), if wanted { "Bearer" } else { "" });
        for (role, token) in &tokens {
            let answer = world.call(By::Token(token), method, &path, None).await;
            let status = answer.status.as_u16();
            if allows(route.needs, role) {
                assert!(!matches!(status, 401 | 403 | 405 | 500 | 503), "{method} {path} for {role}: {status}");
            } else {
                assert_eq!(status, 403, "{method} {path} for {role}");
                assert_eq!(answer.problem().1, "denied");
            }
        }
    }
}

#[test]
fn only_these_are_open() {
    let open = api::access().into_iter().filter(|route| route.needs == Needs::Nothing);
    let open: BTreeSet<_> = open.map(|route| format!("{} {}", route.method, route.path)).collect();
    let expected = ["GET /api/openapi.json", "GET /healthz", "POST /api/v1/session"];
    assert_eq!(open.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn an_admin_sees_no_mail_and_a_reader_changes_nothing() {
    for route in api::access() {
        let Needs::Any(roles) = route.needs else { continue };
        // Who empties a mailbox sees nothing of what was in it.
        let is_look = route.method == "GET";
        if is_look && (route.path.contains("mails") || route.path.contains("folders")) {
            assert!(!roles.contains(&Role::Admin) && !roles.contains(&Role::Auditor), "{route:?}");
        }
        if roles.contains(&Role::Reader) || roles.contains(&Role::Auditor) {
            assert_eq!(route.method, "GET", "{route:?}");
        }
    }
}

#[test]
fn an_admin_and_compliance_send_files_and_only_an_admin_sees_them_all() {
    let table = api::access();
    let needs = |method: &str, path: &str| {
        table.iter().find(|route| route.method == method && route.path == path).map(|route| route.needs)
    };
    assert_eq!(needs("PUT", "/api/v1/uploads/{id}"), Some(Needs::Any(&[Role::Admin, Role::Compliance])));
    assert_eq!(needs("GET", "/api/v1/uploads"), Some(Needs::Any(&[Role::Admin])));
}

#[tokio::test]
async fn roles_that_are_taken_away_count_at_once() {
    let world = World::new().await;
    let token = world.token("anna", "admins").await;
    assert_eq!(world.get(By::Token(&token), "/api/v1/users").await.status, 200);
    world.archive.set_groups("anna", ["readers".to_owned()].into()).await.unwrap();
    assert_eq!(world.get(By::Token(&token), "/api/v1/users").await.status, 403);
    world.archive.remove_user("anna").await.unwrap();
    assert_eq!(world.get(By::Token(&token), "/api/v1/users").await.problem(), (401, "no_session".into()));
}

#[tokio::test]
async fn figures_are_open_only_if_the_surroundings_say_so() {
    let closed = World::new().await;
    assert_eq!(closed.get(By::Nobody, "/metrics").await.status, 401);
    let open =
        World::over(archive::testing::Memory::new(1), |options| api::Options { metrics_open: true, ..options }).await;
    let page = open.get(By::Nobody, "/metrics").await;
    let page = String::from_utf8(page.bytes.to_vec()).unwrap();
    assert!(page.contains("postkahn_build_info{version=\"") && page.contains("\npostkahn_mails 0\n"), "{page}");
    let again = open.get(By::Nobody, "/metrics").await;
    let again = String::from_utf8(again.bytes.to_vec()).unwrap();
    assert!(again.contains(r#"postkahn_http_requests_total{method="GET",route="/metrics",status="200"} 1"#), "{again}");
}
