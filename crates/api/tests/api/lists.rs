//! Lists, whole and page by page.

use serde_json::{Value, json};

use crate::{
    journey::{imported, put},
    world::{By, World},
};

/// Every page of a list, as a client follows the links.
async fn pages(world: &World, by: By<'_>, list: &str, limit: usize) -> Vec<Vec<Value>> {
    let (mut path, mut pages) = (format!("{list}?limit={limit}"), Vec::new());
    loop {
        let page = world.get(by, &path).await;
        pages.push(page.expect(200).as_array().unwrap().clone());
        let Some(next) = page.header("link").strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""))
        else {
            return pages;
        };
        path = format!("{list}{next}");
    }
}

/// A world where every list has something.
async fn full() -> World {
    let world = imported().await;
    for name in ["anna", "bert", "Carl"] {
        let user = json!({ "name": name, "groups": ["readers"] });
        world.call(By::Operator, "POST", "/api/v1/users", Some(user)).await.expect(201);
        put(&world, By::Operator, &format!("{name}%20ü.zip"), "x").await.expect(201);
        let mailbox = json!({ "address": format!("{name}+a/b@firma.example") });
        world.call(By::Operator, "POST", "/api/v1/mailboxes", Some(mailbox.clone())).await.expect(201);
        for to in [json!({ "user": name }), json!({ "group": "readers" })] {
            let mut grant = to;
            grant["mailbox"] = mailbox["address"].clone();
            world.call(By::Operator, "POST", "/api/v1/grants", Some(grant)).await.expect(201);
        }
    }
    world
}

#[tokio::test]
async fn every_list_is_whole_unless_a_limit_is_given() {
    let world = full().await;
    for (list, length) in
        [("users", 4), ("groups", 4), ("uploads", 3), ("mailboxes", 4), ("grants", 6), ("schedules", 1), ("mapping", 2)]
    {
        let path = format!("/api/v1/{list}");
        let whole = world.get(By::Operator, &path).await;
        assert_eq!(whole.header("link"), "", "{list}");
        let whole = whole.expect(200).as_array().unwrap().clone();
        assert!(whole.len() >= length, "{list}: {whole:?}");
        for limit in [1, 2, whole.len(), 1000] {
            let pages = pages(&world, By::Operator, &path, limit).await;
            assert_eq!(pages.len(), whole.len().div_ceil(limit), "{list}: a link leads to an empty page");
            assert_eq!(pages.concat(), whole, "{list} by {limit}");
        }
    }
}

#[tokio::test]
async fn a_cursor_outlives_its_item() {
    let world = full().await;
    let behind = world.get(By::Operator, "/api/v1/users?after=anna").await.expect(200);
    world.call(By::Operator, "DELETE", "/api/v1/users/anna", None).await.expect(200);
    assert_eq!(world.get(By::Operator, "/api/v1/users?after=anna").await.expect(200), behind);
    assert_eq!(world.get(By::Operator, "/api/v1/users?after=%C3%BF").await.expect(200), json!([]));
    let (small, large) = ("mailboxes?after=carl%2Ba/b@firma.example", "mailboxes?after=CARL%2BA/B@Firma.Example");
    let behind = world.get(By::Operator, &format!("/api/v1/{small}")).await.expect(200);
    assert_eq!(world.get(By::Operator, &format!("/api/v1/{large}")).await.expect(200), behind);
}

#[tokio::test]
async fn a_reader_pages_through_what_was_granted() {
    let world = full().await;
    let reader = world.token("dora", "readers").await;
    let seen = pages(&world, By::Token(&reader), "/api/v1/mailboxes", 2).await;
    assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    assert!(seen.concat().iter().all(|mailbox| mailbox["address"].as_str().unwrap().contains("+a/b@")));
}

#[tokio::test]
async fn lines_and_processes_are_paged_by_their_own_ids() {
    let world = imported().await;
    let process = world.get(By::Operator, "/api/v1/processes").await.expect(200)[0]["id"].as_str().unwrap().to_owned();
    let lines = format!("/api/v1/processes/{process}/lines");
    assert_eq!(world.get(By::Operator, &format!("/api/v1/processes?after={process}")).await.expect(200), json!([]));
    let import = world.get(By::Operator, "/api/v1/imports").await.expect(200)[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.get(By::Operator, &format!("/api/v1/imports?after={import}")).await.expect(200), json!([]));
    let seq = world.get(By::Operator, &lines).await.expect(200)[0]["seq"].as_str().unwrap().to_owned();
    world.get(By::Operator, &format!("{lines}?after={seq}")).await.expect(200);
    for wrong in ["zzz", "", &process, &seq.to_uppercase().replace('0', "A")] {
        let refused = world.get(By::Operator, &format!("{lines}?after={wrong}")).await;
        assert_eq!(refused.problem(), (400, "invalid".into()), "{wrong}");
    }
}
