//! An archive over the in-memory twins, behind the router.

use std::{collections::BTreeMap, sync::Arc};

use api::Options;
use archive::{
    Archive,
    access::{NewUser, Principal},
    testing::{Memory, landing::MemoryLanding},
};
use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::schema;

pub(crate) const PASSWORD: &str = "correct horse";
/// Every role, with the group of a new archive that has it alone. The user is named like the group.
pub(crate) const GROUPS: [(&str, &str); 4] =
    [("Admin", "admins"), ("Compliance", "compliance"), ("Reader", "readers"), ("Auditor", "auditors")];

pub(crate) struct World {
    pub(crate) memory: Memory,
    pub(crate) archive: Archive,
    pub(crate) router: Router,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By<'a> {
    Nobody,
    Token(&'a str),
    Operator,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e}: {:?}", self.bytes))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The document, which must have come with this status.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:?}", String::from_utf8_lossy(&self.bytes));
        self.json()
    }

    /// The problem document's status and code.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        (self.status.as_u16(), problem["code"].as_str().unwrap().to_owned())
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let memory = Memory::new(1);
        Self::over(memory, |options| options).await
    }

    /// With a landing, and with what `change` makes of the options.
    pub(crate) async fn over(memory: Memory, change: impl FnOnce(Options) -> Options) -> Self {
        let mut archive = memory.archive();
        archive.domain = Some(archive::Domain::parse("firma.example").unwrap());
        archive.create_first_user("the first one").await.unwrap();
        let landing = MemoryLanding::new(memory.uploads.clone(), memory.clock.clone());
        let options = Options { landing: Some(Arc::new(landing)), ..Options::default() };
        let router = api::router(archive.clone(), change(options));
        Self { memory, archive, router }
    }

    /// Adds a user to the group and begins a session.
    pub(crate) async fn token(&self, name: &str, group: &str) -> String {
        let groups = vec![group.to_owned()];
        let new = NewUser { name: name.into(), groups, password: Some(PASSWORD.into()), ..NewUser::default() };
        self.archive.add_user(new).await.unwrap();
        self.archive.login(name, PASSWORD, None).await.unwrap().token
    }

    /// A session for each role.
    pub(crate) async fn tokens(&self) -> BTreeMap<&'static str, String> {
        let mut tokens = BTreeMap::new();
        for (role, group) in GROUPS {
            tokens.insert(role, self.token(&format!("u-{group}"), group).await);
        }
        tokens
    }

    /// Sends a request; the answer must be what the OpenAPI document says.
    pub(crate) async fn send(&self, by: By<'_>, mut request: Request<Body>) -> Answer {
        match by {
            By::Nobody => {}
            By::Token(token) => {
                let value = format!("Bearer {token}").parse().unwrap();
                request.headers_mut().insert(header::AUTHORIZATION, value);
            }
            By::Operator => drop(request.extensions_mut().insert(Principal::operator())),
        }
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let answer = Answer { status: head.status, headers: head.headers, bytes };
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
        schema::check(&method, &path, &answer);
        answer
    }

    pub(crate) async fn call(&self, by: By<'_>, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.send(by, request(method, path, body)).await
    }

    pub(crate) async fn get(&self, by: By<'_>, path: &str) -> Answer {
        self.call(by, "GET", path, None).await
    }

    pub(crate) async fn work(&self) {
        self.memory.work(&self.archive).await.unwrap();
    }
}

pub(crate) fn request(method: &str, path: &str, body: Option<Value>) -> Request<Body> {
    let request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    match body {
        Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    }
    .unwrap()
}
