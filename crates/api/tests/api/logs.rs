//! What is logged, at any level, gives nobody away.

use std::{
    io,
    sync::{Arc, Mutex},
};

use axum::{body::Body, http::Request};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::world::{By, PASSWORD, World};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_secret_and_no_address_is_logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::new().await;
    let token = world.token("anna", "compliance").await;
    for password in [PASSWORD, "wr0ng-guess"] {
        let body = json!({ "user": "anna", "password": password, "totp": "271828" });
        world.call(By::Nobody, "POST", "/api/v1/session", Some(body)).await;
    }
    world.get(By::Token(&token), "/api/v1/mails?mailbox=private.person@firma.example").await;
    let broken = Request::post("/api/v1/session").header("content-type", "application/json");
    world.send(By::Nobody, broken.body(Body::from(r#"{"user":"anna","password":"half-s3cret"#)).unwrap()).await;

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("/api/v1/session") && text.contains("logged in"), "{text}");
    for secret in [PASSWORD, "wr0ng-guess", "271828", "half-s3cret", "private.person", token.as_str(), "Bearer"] {
        assert!(!text.contains(secret), "{secret} is in the log: {text}");
    }
}
