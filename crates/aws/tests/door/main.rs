//! The SFTP door against Transfer Family and Secrets Manager as they are described.
#![expect(clippy::unwrap_used, reason = "tests")]

mod fake;

use std::sync::Arc;

use archive::{
    Archive, DoorMode, ErrorKind, FrontDoor,
    ports::{Door as _, DoorState},
    testing::{Memory, SeededRandom, suites},
};
use aws::{
    Clients, Door, DoorSettings,
    doctor::{self, Health, Stack},
};
use aws_config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_sdk_transfer::config::Credentials;
use fake::{Fake, REGION};
use serde_json::{Value, json};

const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:host-key-AbCdEf";
const LOGIN: &str = "arn:aws:lambda:eu-central-1:123456789012:function:mail-login";

fn settings() -> DoorSettings {
    DoorSettings {
        login_function: Some(LOGIN.into()),
        role: Some("arn:aws:iam::123456789012:role/door".into()),
        host_key_secret: Some(SECRET.into()),
        ..DoorSettings::default()
    }
}

async fn clients(fake: &Fake) -> Clients {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(&fake.address)
        .retry_config(RetryConfig::disabled());
    Clients::with_config(config.load().await, true)
}

async fn door_of(fake: &Fake, settings: DoorSettings) -> Door {
    Door::new(&clients(fake).await, settings, Arc::new(SeededRandom::new(1))).unwrap()
}

async fn door() -> (Fake, Door) {
    let fake = Fake::start(SECRET).await;
    let door = door_of(&fake, settings()).await;
    (fake, door)
}

/// As CreateServer is sent for another stack, or by hand.
fn server_of(stack: &str) -> Value {
    json!({
        "IdentityProviderType": "AWS_LAMBDA",
        "IdentityProviderDetails": { "Function": LOGIN },
        "Tags": [{ "Key": "owner", "Value": "it" }, { "Key": "postkahn", "Value": stack }],
    })
}

#[tokio::test]
async fn the_contract_is_kept() {
    let (fake, door) = door().await;
    suites::door(&door, &|| fake.step()).await;
}

#[tokio::test]
async fn the_server_is_made_as_it_should_be() {
    let (fake, door) = door().await;
    let server = door.open().await.unwrap();
    assert_eq!(server.host, Some(format!("{}.server.transfer.eu-central-1.amazonaws.com", server.id)));
    let mut request = fake.calls("CreateServer").remove(0);
    let key = request.as_object_mut().unwrap().remove("HostKey").unwrap();
    assert_eq!(Some(key.as_str().unwrap().to_owned()), fake.secret(SECRET));
    let expected = json!({
        "Domain": "S3",
        "Protocols": ["SFTP"],
        "EndpointType": "PUBLIC",
        "IdentityProviderType": "AWS_LAMBDA",
        "IdentityProviderDetails": { "Function": LOGIN, "SftpAuthenticationMethods": "PUBLIC_KEY_OR_PASSWORD" },
        "SecurityPolicyName": "TransferSecurityPolicy-2024-01",
        "ProtocolDetails": { "SetStatOption": "ENABLE_NO_OP" },
        "S3StorageOptions": { "DirectoryListingOptimization": "ENABLED" },
        "LoggingRole": "arn:aws:iam::123456789012:role/door",
        "Tags": [{ "Key": "postkahn", "Value": "mail" }],
    });
    assert_eq!(request, expected);
    assert_eq!(fake.calls("ImportHostKey"), [] as [Value; 0], "CreateServer has brought it");
}

#[tokio::test]
async fn the_host_key_is_made_once_and_is_the_only_one() {
    let (fake, door) = door().await;
    let first = door.open().await.unwrap();
    let key = fake.secret(SECRET).unwrap();
    assert!(key.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"));
    door.close(&first.id).await.unwrap();
    fake.step();
    let other = door_of(&fake, settings()).await;
    let second = other.open().await.unwrap();
    assert_eq!((second.fingerprint, fake.secret(SECRET)), (first.fingerprint, Some(key)));
    assert_ne!(second.id, first.id);
    assert_eq!(fake.calls("PutSecretValue").len(), 1);
}

#[tokio::test]
async fn a_server_without_the_host_key_gets_it_and_loses_its_own() {
    let (fake, door) = door().await;
    let stray = fake.make(&server_of("mail"));
    assert_eq!(fake.fingerprints(&stray).len(), 3);
    let opened = door.open().await.unwrap();
    assert_eq!(opened.id, stray);
    assert_eq!(fake.fingerprints(&stray), [format!("{}=", opened.fingerprint.unwrap())]);
}

#[tokio::test]
async fn a_host_key_that_cannot_be_deleted_does_not_keep_the_door_closed() {
    let (fake, door) = door().await;
    let stray = fake.make(&server_of("mail"));
    fake.fail_next("DeleteHostKey", "InvalidRequestException");
    door.open().await.unwrap();
    assert_eq!(fake.fingerprints(&stray).len(), 2);
}

#[tokio::test]
async fn a_secret_that_holds_something_else_is_left_alone() {
    let (fake, door) = door().await;
    fake.set_secret(SECRET, "hunter2");
    let error = door.open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert_eq!(fake.secret(SECRET).as_deref(), Some("hunter2"));
    assert_eq!(fake.calls("CreateServer"), [] as [Value; 0]);
}

#[tokio::test]
async fn servers_of_others_are_not_seen_and_not_touched() {
    let (fake, door) = door().await;
    let others = [server_of("another"), json!({}), server_of("mail2")].map(|server| fake.make(&server));
    assert_eq!(door.servers().await.unwrap(), []);
    let ours = door.open().await.unwrap();
    assert!(!others.contains(&ours.id));
    for other in &others {
        assert_eq!(door.status(other).await.unwrap(), None);
        assert_eq!(door.close(other).await.unwrap_err().kind(), ErrorKind::Denied);
    }
    let more = fake.make(&server_of("mail"));
    let ids: Vec<_> = door.servers().await.unwrap().into_iter().map(|server| server.id).collect();
    assert_eq!(ids, [ours.id, more], "on every page of the list");
}

#[tokio::test]
async fn each_state_has_its_word() {
    let (fake, door) = door().await;
    let id = door.open().await.unwrap().id;
    for (word, state) in [
        ("STARTING", DoorState::Opening),
        ("ONLINE", DoorState::Open),
        ("OFFLINE", DoorState::Closed),
        ("START_FAILED", DoorState::Failed),
        ("STOP_FAILED", DoorState::Failed),
        ("STOPPING", DoorState::Closing),
    ] {
        fake.set_state(&id, word);
        assert_eq!(door.status(&id).await.unwrap().unwrap().state, state, "{word}");
    }
    assert!(door.close(&id).await.unwrap(), "it is being deleted already");
    assert_eq!(fake.calls("DeleteServer"), [] as [Value; 0]);
}

#[tokio::test]
async fn settings_that_lack_something_are_refused() {
    let fake = Fake::start(SECRET).await;
    for settings in [
        DoorSettings { login_function: Some(String::new()), ..settings() },
        DoorSettings { host_key_secret: None, ..settings() },
    ] {
        let made = Door::new(&clients(&fake).await, settings, Arc::new(SeededRandom::new(1)));
        assert_eq!(made.err().unwrap().kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn nothing_of_the_key_is_in_an_error() {
    let (fake, door) = door().await;
    fake.fail_next("CreateServer", "ServiceUnavailableException");
    let error = door.open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let key = fake.secret(SECRET).unwrap();
    let line = key.lines().nth(1).unwrap();
    assert!(!error.to_string().contains(line) && !format!("{error:?}").contains(line));
}

#[tokio::test]
async fn the_archive_opens_it_repairs_it_and_closes_it() {
    let (fake, door) = door().await;
    let memory = Memory::new(1);
    let front = FrontDoor { mode: DoorMode::OnDemand, port: Arc::new(door) };
    let archive = Archive { door: front, ..memory.archive() };
    assert_eq!(archive.open_door(2, "anna").await.unwrap().state, DoorState::Opening);
    fake.step();
    fake.step();
    let open = archive.door().await.unwrap();
    assert_eq!(open.state, DoorState::Open);
    assert_eq!(open.price, Some("$0.30 an hour, some $220 a month"));
    fake.make(&server_of("mail"));
    archive.sweep().await.unwrap();
    fake.step();
    assert_eq!(archive.door().await.unwrap(), open, "the surplus one went");
    memory.clock.advance(std::time::Duration::from_hours(48));
    archive.sweep().await.unwrap();
    assert_eq!(archive.door().await.unwrap().state, DoorState::Closing);
    assert_eq!(archive.open_door(1, "anna").await.unwrap().state, DoorState::Opening, "while the old one goes");
    fake.step();
    archive.close_door("anna").await.unwrap();
    fake.step();
    assert_eq!(archive.door().await.unwrap().state, DoorState::Closed);
}

fn stack() -> Stack {
    let resources = [("HostKey", SECRET), ("LoginFunction", "mail-login")];
    let resources = resources.map(|(logical, physical)| (logical.to_owned(), physical.to_owned())).into();
    Stack { name: "mail".into(), status: "CREATE_COMPLETE".into(), resources, ..Stack::default() }
}

/// What doctor says of door and host key.
async fn examined(fake: &Fake, stack: &Stack) -> Vec<(&'static str, Health, String)> {
    let findings = doctor::examine(&clients(fake).await, stack).await.into_iter();
    let ours = findings.filter(|finding| finding.check.starts_with("door") || finding.check == "host-key");
    ours.map(|finding| (finding.check, finding.state, finding.says + &finding.fix.unwrap_or_default())).collect()
}

#[tokio::test]
async fn doctor_looks_at_the_door() {
    let (fake, door) = door().await;
    let closed = examined(&fake, &stack()).await;
    assert_eq!((closed[0].1, closed[1].1, closed.len()), (Health::Ok, Health::Ok, 2));
    let opened = door.open().await.unwrap();
    let open = examined(&fake, &stack()).await;
    assert!(open.iter().all(|(_, state, _)| *state == Health::Ok), "{open:?}");
    assert!(open[0].2.contains(&opened.fingerprint.unwrap()), "{open:?}");
    assert!(open[2].2.contains("is STARTING and asks mail-login"), "{open:?}");

    fake.set_state(&opened.id, "OFFLINE");
    let offline = examined(&fake, &stack()).await;
    assert_eq!(offline[2].1, Health::Wrong);
    assert!(offline[2].2.contains("POST /api/v1/door"), "{offline:?}");
}

#[tokio::test]
async fn doctor_names_servers_that_are_too_many_ask_others_or_show_another_key() {
    let (fake, door) = door().await;
    door.open().await.unwrap();
    fake.make(&server_of("mail"));
    let mut foreign = server_of("mail");
    foreign["IdentityProviderDetails"]["Function"] = json!("arn:aws:lambda:eu-central-1:123456789012:function:other");
    fake.make(&foreign);
    let findings = examined(&fake, &stack()).await;
    let states: Vec<_> = findings.iter().map(|(_, state, _)| *state).collect();
    assert_eq!(states, [Health::Ok, Health::Warning, Health::Ok, Health::Wrong, Health::Wrong], "{findings:#?}");
    assert!(findings[3].2.contains("shows another host key"), "{findings:#?}");
    assert!(findings[4].2.contains("asks other who may come in, not mail-login"), "{findings:#?}");
}

#[tokio::test]
async fn doctor_knows_how_the_door_is_run() {
    let (fake, door) = door().await;
    let run_as = |mode: &str| Stack { parameters: [("Door".to_owned(), mode.to_owned())].into(), ..stack() };
    for mode in ["always", "vpc"] {
        assert_eq!(examined(&fake, &run_as(mode)).await[1].1, Health::Wrong, "{mode}");
    }
    assert_eq!(examined(&fake, &run_as("none")).await[1].1, Health::Ok);
    door.open().await.unwrap();
    assert_eq!(examined(&fake, &run_as("always")).await[1].1, Health::Ok);
    assert_eq!(examined(&fake, &run_as("none")).await[1].1, Health::Warning);
}
