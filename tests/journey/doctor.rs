//! `doctor` on a stack that CloudFormation knows and that has next to nothing of what it should.

use std::{
    env,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::program::{command, end};

const TEMPLATE: &str = r#"{"Resources":{"DeadLetters":{"Type":"AWS::SQS::Queue"}}}"#;

/// Makes a stack by a bare request: only the crate `aws` may know the SDK.
#[expect(clippy::disallowed_methods, reason = "where the emulator is")]
fn make_stack(name: &str) {
    let endpoint = env::var("AWS_ENDPOINT_URL_CLOUDFORMATION").or(env::var("AWS_ENDPOINT_URL"));
    let endpoint = endpoint.unwrap_or_else(|_| panic!("no emulator: run eval \"$(scripts/emulators start)\" first"));
    let host = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let encoded = TEMPLATE.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    let body = format!("Action=CreateStack&Version=2010-05-15&StackName={name}&TemplateBody={encoded}");
    let scope = "test/20260101/eu-central-1/cloudformation/aws4_request";
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_stack_that_is_broken_is_told_with_its_fixes() {
    let name = format!("postkahn-doctor-{}", std::process::id());
    make_stack(&name);
    let ended = end(command(&["doctor", "--aws", &name, "--json"]));
    assert_eq!(ended.exit, 7, "{}", ended.stderr);
    let told = ended.json();
    assert_eq!((told["stack"].as_str(), told["healthy"].as_bool()), (Some(name.as_str()), Some(false)));
    let findings = told["findings"].as_array().unwrap();
    let of = |check: &str| findings.iter().find(|finding| finding["check"] == check).unwrap();
    assert_eq!(of("stack")["state"], "ok");
    assert_eq!((&of("table")["state"], of("table")["fix"].is_string()), (&"wrong".into(), true));

    let for_people = end(command(&["doctor", "--aws", &name]));
    let text = String::from_utf8(for_people.stdout).unwrap();
    assert_eq!(for_people.exit, 7);
    assert!(text.contains("table: the stack has no Table\n  deploy the template"), "{text}");
}

#[test]
fn a_stack_that_is_not_there_is_not_found() {
    for verb in ["doctor", "redrive", "check", "rebuild"] {
        let ended = end(command(&[verb, "--aws", "postkahn-no-such-stack", "--json"]));
        assert_eq!((ended.exit, ended.json()["error"]["kind"].as_str()), (4, Some("not_found")), "{}", ended.stderr);
    }
}

#[test]
fn no_other_archive_may_be_named_beside_a_stack() {
    for (verb, other) in [("check", "--server"), ("rebuild", "--data")] {
        let ended = end(command(&[verb, "--aws", "postkahn-no-such-stack", other, "http://localhost", "--json"]));
        assert_eq!((ended.exit, ended.json()["error"]["kind"].as_str()), (2, Some("invalid")), "{}", ended.stderr);
    }
}
