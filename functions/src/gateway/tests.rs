use axum::{
    extract::{Path, RawQuery},
    http::{HeaderValue, StatusCode},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::*;

fn request(method: &str, path: &str, more: &Value) -> GatewayRequest {
    let mut payload = json!({ "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": { "host": "x.example" }, "isBase64Encoded": false,
        "requestContext": { "stage": "$default", "http": { "method": method, "path": path, "sourceIp": "203.0.113.7" } } });
    for (name, value) in more.as_object().unwrap() {
        payload[name] = value.clone();
    }
    serde_json::from_value(payload).unwrap()
}

fn body(response: &GatewayResponse) -> Vec<u8> {
    if response.is_base64_encoded {
        BASE64_STANDARD.decode(&response.body).unwrap()
    } else {
        response.body.clone().into_bytes()
    }
}

async fn ask(router: &Router, request: GatewayRequest) -> GatewayResponse {
    let response = answer(router.clone(), request).await;
    assert!(serde_json::to_vec(&response).unwrap().len() < 6_000_000);
    response
}

#[tokio::test]
async fn a_name_arrives_as_it_was_sent() {
    async fn echo(Path(name): Path<String>, RawQuery(query): RawQuery) -> String {
        format!("{name} {}", query.unwrap_or_default())
    }
    let router = Router::new().route("/uploads/{*name}", get(echo));
    for name in ["clara/a b.mszip", "clara/100%.mszip", "a%41b", "ü/受信", "a?b#c", "a+b&c", "\"\\^{}"] {
        let path = format!("/uploads/{name}");
        let response = ask(&router, request("GET", &path, &json!({ "rawQueryString": "after=%C3%BC&x=%25" }))).await;
        assert_eq!((response.status_code, response.is_base64_encoded), (200, false));
        assert_eq!(response.body, format!("{name} after=%C3%BC&x=%25"));
    }
}

#[tokio::test]
async fn text_stays_text_and_bytes_become_base64() {
    let bytes =
        |kind: &'static str, bytes: &'static [u8]| get(move || async move { ([("content-type", kind)], bytes) });
    let router = Router::new()
        .route("/json", bytes("application/json", b"{\"a\":\"\\u00fc\"}"))
        .route("/problem", bytes("application/problem+json", b"{}"))
        .route("/mail", bytes("message/rfc822", b"From: \xff\r\n"))
        .route("/latin", bytes("text/plain; charset=iso-8859-1", b"\xfc"));
    for (path, base64) in [("/json", false), ("/problem", false), ("/mail", true), ("/latin", true)] {
        assert_eq!(ask(&router, request("GET", path, &json!({}))).await.is_base64_encoded, base64, "{path}");
    }
    assert_eq!(body(&ask(&router, request("GET", "/mail", &json!({}))).await), b"From: \xff\r\n");
}

#[tokio::test]
async fn a_body_is_taken_in_either_form() {
    let router = Router::new().route("/", post(|bytes: axum::body::Bytes| async move { bytes }));
    for more in [json!({ "body": "ü" }), json!({ "body": "w7w=", "isBase64Encoded": true })] {
        assert_eq!(body(&ask(&router, request("POST", "/", &more)).await), "ü".as_bytes());
    }
    let broken = ask(&router, request("POST", "/", &json!({ "body": "?", "isBase64Encoded": true }))).await;
    let problem: Value = serde_json::from_str(&broken.body).unwrap();
    assert_eq!((broken.status_code, problem["kind"].as_str()), (400, Some("invalid")));
}

#[tokio::test]
async fn what_cannot_be_carried_is_a_problem() {
    let of = |body: fn() -> Vec<u8>| get(move || async move { ([("content-type", "application/json")], body()) });
    let failing = || async {
        let blocks = [Ok("half".into()), Err(Error::corrupt("mail 1 is damaged"))];
        Body::from_stream(futures::stream::iter::<[Result<axum::body::Bytes>; 2]>(blocks))
    };
    let router = Router::new()
        .route("/large", of(|| vec![b' '; 6_000_000]))
        .route("/quotes", of(|| vec![b'"'; 4_000_000]))
        .route("/controls", of(|| vec![1; 5_000_000]))
        .route("/fits", of(|| vec![b' '; 5_000_000]))
        .route("/broken", get(failing));
    for path in ["/large", "/controls"] {
        let response = ask(&router, request("GET", path, &json!({}))).await;
        let problem: Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!((response.status_code, problem["code"].as_str()), (400, Some("answer_too_large")), "{path}");
    }
    assert_eq!(body(&ask(&router, request("GET", "/quotes", &json!({}))).await).len(), 4_000_000);
    assert_eq!(body(&ask(&router, request("GET", "/fits", &json!({}))).await).len(), 5_000_000);
    let broken = ask(&router, request("GET", "/broken", &json!({}))).await;
    let problem: Value = serde_json::from_str(&broken.body).unwrap();
    assert_eq!((broken.status_code, problem["kind"].as_str()), (500, Some("corrupt")));
}

#[tokio::test]
async fn headers_are_carried_and_nobody_is_the_operator() {
    let peer = |ConnectInfo(peer): ConnectInfo<SocketAddr>, headers: HeaderMap| async move {
        let mut answer = peer.ip().to_string().into_response();
        for (name, value) in [("x-two", "a"), ("x-two", "b"), ("location", "https://x.example/?a=b")] {
            answer.headers_mut().append(name, HeaderValue::from_static(value));
        }
        *answer.status_mut() = StatusCode::SEE_OTHER;
        assert_eq!(headers["host"], "x.example");
        answer
    };
    let router = Router::new().route("/", get(peer));
    let response = ask(&router, request("GET", "/", &json!({}))).await;
    assert_eq!((response.status_code, response.body.as_str()), (303, "203.0.113.7"));
    assert_eq!(response.headers["x-two"], "a, b");
    assert_eq!(response.headers["location"], "https://x.example/?a=b");
    assert!(!response.headers.contains_key("content-length"));

    let router = api::router(archive::testing::Memory::new(1).archive(), api::Options::default());
    let context = json!({ "requestContext": { "http": { "method": "GET" } } });
    let stranger = ask(&router, request("GET", "/api/v1/mailboxes", &context)).await;
    assert_eq!(stranger.status_code, 401);
}
