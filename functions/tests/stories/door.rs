//! The SFTP door: opened by the interface, closed by hand or by the sweep.

use serde_json::{Value, json};

use crate::{
    arrival::Half as _,
    steps::Office,
    support::{LOGIN, Outcome, Plan, Stack},
};

impl Office<'_> {
    fn door(&self) -> Value {
        let (status, door) = self.stack.ask("GET", "/door", &self.admin, &Value::Null);
        assert_eq!(status, 200, "{door}");
        door
    }

    /// Opens it, and waits until it has opened: what is shown then.
    fn opened(&self, days: u32) -> Value {
        let (status, door) = self.stack.ask("POST", "/door", &self.admin, &json!({ "days": days }));
        assert_eq!((status, &door["state"]), (202, &json!("opening")), "{door}");
        self.stack.transfer.step();
        self.stack.transfer.step();
        let door = self.door();
        assert_eq!((&door["state"], &door["port"], &door["opened_by"]), (&json!("open"), &json!(22), &json!("admin")));
        door
    }

    fn sweep(&self) {
        let swept = self.stack.invoke("sweep", &json!({ "job": "sweep" }));
        assert_eq!(swept, Outcome::Answer(json!({ "batchItemFailures": [] })));
        self.stack.transfer.step();
    }
}

/// The server that a host name names, and what it shows to clients.
fn server(stack: &Stack, door: &Value) -> (String, Vec<String>) {
    let host = door["host"].as_str().unwrap();
    let id = host.strip_suffix(".server.transfer.eu-central-1.amazonaws.com").unwrap();
    let shown = stack.transfer.fingerprints(id);
    (id.to_owned(), shown.iter().map(|fingerprint| fingerprint.trim_end_matches('=').to_owned()).collect())
}

#[test]
fn the_door_opens_for_days_and_closes() {
    let stack = Stack::start(&Plan::default());
    let office = Office::open(&stack);
    let shut = office.door();
    assert_eq!((&shut["mode"], &shut["state"], &shut["host"]), (&json!("on_demand"), &json!("closed"), &Value::Null));
    office.sweep();

    let open = office.opened(7);
    let (first, shown) = server(&stack, &open);
    assert_eq!(open["fingerprint"], json!(shown[0]), "the one key that clients are shown");
    assert_eq!(shown.len(), 1);
    // Transfer Family asks `login` who comes in.
    let made = stack.transfer.calls("CreateServer");
    assert_eq!(made[0]["IdentityProviderDetails"]["Function"], LOGIN);
    // Asked for again it stays longer, and is the same.
    let (status, longer) = stack.ask("POST", "/door", &office.admin, &json!({ "days": 9 }));
    assert_eq!((status, &longer["host"]), (202, &open["host"]));
    assert!(longer["closes"].as_str() > open["closes"].as_str(), "{longer}");

    stack.let_door_age(8);
    office.sweep();
    assert_eq!(office.door()["state"], "open", "a day is left");
    stack.let_door_age(1);
    office.sweep();
    assert_eq!(office.door()["state"], "closed");
    assert_eq!(stack.transfer.calls("DeleteServer"), [json!({ "ServerId": first })]);

    // Another server, by another name, with the same key; closed by hand.
    let again = office.opened(1);
    assert_ne!(again["host"], open["host"]);
    assert_eq!(again["fingerprint"], open["fingerprint"]);
    let (status, closing) = stack.ask("DELETE", "/door", &office.admin, &Value::Null);
    assert_eq!((status, stack.transfer.calls("DeleteServer").len()), (200, 2), "{closing}");
    stack.transfer.step();
    assert_eq!(office.door()["state"], "closed");
    office.sweep();
    assert_eq!(stack.transfer.calls("DeleteServer").len(), 2);
}

#[test]
fn whoever_is_no_admin_opens_nothing() {
    let stack = Stack::start(&Plan::default());
    let office = Office::open(&stack);
    let reader = stack.member(&office.admin, "rita", "readers");
    for (method, body) in [("POST", json!({ "days": 1 })), ("DELETE", Value::Null)] {
        assert_eq!(stack.ask(method, "/door", &reader, &body).0, 403);
    }
    for days in [0, 31] {
        assert_eq!(stack.ask("POST", "/door", &office.admin, &json!({ "days": days })).0, 400);
    }
    assert_eq!(stack.transfer.calls("CreateServer"), [] as [Value; 0]);
}
