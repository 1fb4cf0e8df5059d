use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use archive::{
    access::{NewUser, Role},
    testing::Memory,
};

use super::*;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKs";
const ROLE: &str = "arn:aws:iam::123456789012:role/uploader";

fn landing() -> Landing {
    Landing {
        uploads_bucket: "uploads".into(),
        uploader_role: ROLE.into(),
        wrap_key: "arn:aws:kms:eu-central-1:123456789012:key/k".into(),
    }
}

fn event(username: &str, password: Option<&str>) -> LoginEvent {
    let mut event = json!({
        "username": username, "protocol": "SFTP", "serverId": "s-0123456789abcdef0", "sourceIp": "192.0.2.1",
    });
    if let Some(password) = password {
        event["password"] = json!(password);
    }
    serde_json::from_value(event).unwrap()
}

async fn archive_with(users: Vec<NewUser>) -> Archive {
    let archive = Memory::new(1).archive();
    archive.create_first_user("the first one").await.unwrap();
    for user in users {
        archive.add_user(user).await.unwrap();
    }
    archive
}

fn officer(name: &str) -> NewUser {
    NewUser {
        name: name.into(),
        groups: vec!["compliance".into()],
        password: Some("the right one".into()),
        ..NewUser::default()
    }
}

async fn answer(archive: &Archive, event: LoginEvent) -> Value {
    json!(login(archive, &landing(), &event).await.unwrap())
}

#[tokio::test]
async fn the_right_password_lets_into_ones_own_home() {
    let archive = archive_with(vec![officer("anna")]).await;
    let answer = answer(&archive, event("anna", Some("the right one"))).await;
    let members: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["HomeDirectoryDetails", "HomeDirectoryType", "Policy", "Role"]);
    assert_eq!((&answer["Role"], &answer["HomeDirectoryType"]), (&json!(ROLE), &json!("LOGICAL")));
    assert_eq!(answer["HomeDirectoryDetails"], r#"[{"Entry":"/","Target":"/uploads/anna"}]"#);
    let policy = answer["Policy"].as_str().unwrap();
    assert!(policy.len() <= 2048, "the most that a session policy may have");
    let expected = json!({ "Version": "2012-10-17", "Statement": [
        { "Sid": "ListHome", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::uploads",
          "Condition": { "StringLike": { "s3:prefix": ["anna", "anna/*"] } } },
        { "Sid": "FindBucket", "Effect": "Allow", "Action": "s3:GetBucketLocation", "Resource": "arn:aws:s3:::uploads" },
        { "Sid": "UseHome", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject",
          "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"], "Resource": "arn:aws:s3:::uploads/anna/*" },
        { "Sid": "Encrypt", "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
          "Resource": "arn:aws:kms:eu-central-1:123456789012:key/k" },
    ]});
    assert_eq!(serde_json::from_str::<Value>(policy).unwrap(), expected);
}

#[tokio::test]
async fn the_partition_is_that_of_the_role() {
    let role = ROLE.replace("arn:aws:", "arn:aws-eusc:");
    let policy = policy(&Landing { uploader_role: role, ..landing() }, "anna").unwrap().to_string();
    assert!(policy.contains("arn:aws-eusc:s3:::uploads/anna/*") && !policy.contains("arn:aws:s3"), "{policy}");
    assert!(super::policy(&Landing { uploader_role: "uploader".into(), ..landing() }, "anna").is_err());
}

#[tokio::test]
async fn without_a_password_the_keys_are_told() {
    let with_key = NewUser { password: None, keys: vec![format!("{KEY} anna@laptop")], ..officer("anna") };
    let archive = archive_with(vec![with_key, officer("ben")]).await;
    for password in [None, Some("")] {
        let told = answer(&archive, event("anna", password)).await;
        assert_eq!((&told["PublicKeys"], &told["Role"]), (&json!([KEY]), &json!(ROLE)));
        assert_eq!(told["HomeDirectoryDetails"], r#"[{"Entry":"/","Target":"/uploads/anna"}]"#);
        assert_eq!(answer(&archive, event("ben", password)).await, json!({}), "ben has no key");
        assert_eq!(answer(&archive, event("nobody", password)).await, json!({}));
    }
}

#[tokio::test]
async fn whoever_may_not_upload_is_refused_with_password_and_key() {
    let keys = || vec![KEY.to_owned()];
    let reader = NewUser { groups: vec!["readers".into()], keys: keys(), ..officer("reader") };
    let admin = NewUser { groups: vec!["admins".into()], keys: keys(), ..officer("boss") };
    let nowhere = NewUser { groups: vec![], keys: keys(), ..officer("nowhere") };
    let mfa = NewUser { mfa: true, keys: keys(), ..officer("mfa") };
    let archive = archive_with(vec![reader, admin, nowhere, mfa, officer("anna")]).await;
    for name in ["reader", "boss", "nowhere", "mfa"] {
        for password in [None, Some("the right one")] {
            assert_eq!(answer(&archive, event(name, password)).await, json!({}), "{name} {password:?}");
        }
    }
    assert_eq!(answer(&archive, event("anna", Some("the wrong one"))).await, json!({}));
    archive.set_roles("compliance", [Role::Reader].into()).await.unwrap();
    assert_eq!(answer(&archive, event("anna", Some("the right one"))).await, json!({}), "roles count at once");
}

#[tokio::test]
async fn a_password_that_must_be_changed_opens_nothing_yet() {
    let archive = archive_with(vec![officer("anna")]).await;
    let first = archive.reset_password("anna").await.unwrap().password.unwrap();
    assert_eq!(answer(&archive, event("anna", Some(&first))).await, json!({}));
}

#[tokio::test]
async fn only_sftp_is_let_in() {
    let archive = archive_with(vec![officer("anna")]).await;
    for protocol in ["FTP", "FTPS", "AS2", "sftp", ""] {
        let event = LoginEvent { protocol: protocol.into(), ..event("anna", Some("the right one")) };
        assert_eq!(answer(&archive, event).await, json!({}), "{protocol}");
    }
}

#[tokio::test]
async fn names_that_would_widen_the_policy_or_are_no_home_are_refused() {
    let archive = archive_with(vec![officer("müller"), officer("a.b-c_d@e+f")]).await;
    let odd = ["", "*", "a*", "a?", "${aws:username}", "../anna", "a/b", "a\"b", "a\\b", ".anna", "a b", "müller"];
    let long = "a".repeat(101);
    for name in odd.into_iter().chain([long.as_str()]) {
        assert_eq!(answer(&archive, event(name, Some("the right one"))).await, json!({}), "{name}");
    }
    let told = answer(&archive, event("a.b-c_d@e+f", Some("the right one"))).await;
    assert_eq!(told["HomeDirectoryDetails"], r#"[{"Entry":"/","Target":"/uploads/a.b-c_d@e+f"}]"#);
}

#[tokio::test]
async fn the_log_has_the_reason_and_no_secret() {
    let mfa = NewUser { mfa: true, ..officer("mfa") };
    let archive = archive_with(vec![mfa, officer("anna")]).await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    for (name, password) in [("mfa", "the right one"), ("anna", "a wrong one"), ("anna", "the right one")] {
        login(&archive, &landing(), &event(name, Some(password))).await.unwrap();
    }
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("second factor") && text.contains("user name or password is wrong"), "{text}");
    assert!(text.contains("192.0.2.1") && text.contains("s-0123456789abcdef0"), "{text}");
    assert!(!text.contains("right one") && !text.contains("wrong one"), "{text}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
