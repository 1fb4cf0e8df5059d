//! A stack in an emulator, sound and with each part broken.
#![expect(clippy::unwrap_used, reason = "tests")]

mod world;

use std::process::Command;

use aws::{
    Queues,
    doctor::{self, Finding, Health, Stack},
};
use serde_json::Value;
use world::World;

fn of<'a>(findings: &'a [Finding], check: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.check == check).unwrap_or_else(|| panic!("{check} is not looked at"))
}

/// A fix that is a command says to the program `aws` what it should: quotes and JSON survive the shell.
fn can_be_pasted(fix: &str) {
    let Some(at) = fix.find("aws ").filter(|at| *at == 0 || fix.starts_with("at once: ")) else { return };
    let script = format!("aws() {{ printf '%s\\0' \"$@\"; }}; {}", &fix[at..]);
    let ran = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(ran.status.success(), "{fix}");
    let arguments = String::from_utf8(ran.stdout).unwrap();
    assert!(arguments.split('\0').count() > 4, "{fix}");
    for json in arguments.split('\0').filter(|argument| argument.starts_with('{')) {
        let value: Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"));
        let nested = value.as_object().unwrap().values().filter_map(Value::as_str).filter(|text| text.starts_with('{'));
        nested.for_each(|text| assert!(serde_json::from_str::<Value>(text).is_ok(), "{text}"));
    }
}

#[tokio::test]
async fn a_sound_stack_is_sound() {
    let world = World::make().await;
    let findings = world.examine().await;
    let sick: Vec<_> = findings.iter().filter(|finding| finding.state != Health::Ok).collect();
    assert!(sick.is_empty(), "{sick:#?}");
    let checks: Vec<_> = findings.iter().map(|finding| finding.check).collect();
    let expected = [
        "stack",
        "uploads-notification",
        "uploads-lifecycle",
        "uploads-encryption",
        "archive-encryption",
        "uploads-public-access",
        "archive-public-access",
        "archive-versioning",
        "archive-object-lock",
        "table",
        "table-recovery",
        "table-ttl",
        "uploads-queue",
        "imports-queue",
        "tasks-queue",
        "dead-letters",
        "sweep-schedule",
        "restructure-schedule",
        "wrap-key",
        "agreement-key",
        "signing-key",
        "host-key",
        "door",
    ];
    assert_eq!(checks, expected);
}

/// Breaks one part after the other: each is named with its fix, and no other part changes.
#[tokio::test]
async fn each_part_that_breaks_is_named_with_its_fix() {
    let world = World::make().await;
    let mut before = world.examine().await;
    for (check, state, fix) in [
        ("uploads-notification", Health::Wrong, "put-bucket-notification-configuration"),
        ("uploads-lifecycle", Health::Wrong, "put-bucket-lifecycle-configuration"),
        ("uploads-encryption", Health::Wrong, "put-bucket-encryption"),
        ("archive-public-access", Health::Wrong, "put-public-access-block"),
        ("archive-versioning", Health::Wrong, "put-bucket-versioning"),
        ("table", Health::Wrong, "--deletion-protection-enabled"),
        ("table-recovery", Health::Wrong, "update-continuous-backups"),
        ("table-ttl", Health::Wrong, "AttributeName=ttl"),
        ("imports-queue", Health::Wrong, "set-queue-attributes"),
        ("dead-letters", Health::Warning, "postkahn redrive --aws"),
        ("sweep-schedule", Health::Wrong, "create-schedule"),
        ("restructure-schedule", Health::Warning, "PATCH /api/v1/schedules/restructure"),
        ("wrap-key", Health::Wrong, "enable-key"),
        ("signing-key", Health::Wrong, "cancel-key-deletion"),
        ("host-key", Health::Wrong, "ssh-keygen"),
    ] {
        world.wreck(check).await;
        let after = world.examine().await;
        let found = of(&after, check);
        assert_eq!(found.state, state, "{found:?}");
        assert!(found.fix.as_ref().is_some_and(|text| text.contains(fix)), "{found:?}");
        can_be_pasted(found.fix.as_deref().unwrap());
        for finding in after.iter().filter(|finding| finding.check != check) {
            assert_eq!(finding, of(&before, finding.check), "{check} was broken");
        }
        before = after;
    }
}

#[tokio::test]
async fn an_archive_that_should_be_locked_and_is_not_is_named() {
    let mut world = World::make().await;
    world.stack.parameters.insert("ArchiveLockDays".into(), "30".into());
    world.stack.parameters.insert("ArchiveLockMode".into(), "COMPLIANCE".into());
    let found = of(&world.examine().await, "archive-object-lock").clone();
    assert_eq!(found.state, Health::Wrong);
    assert!(found.fix.unwrap().contains("Mode=COMPLIANCE,Days=30"));
}

#[tokio::test]
async fn what_the_stack_lacks_and_what_cannot_be_read_are_two_things() {
    let mut world = World::make().await;
    world.stack.resources.remove("Table");
    world.stack.resources.insert("ArchiveBucket".into(), "no-such-bucket-of-postkahn".into());
    world.stack.status = "UPDATE_ROLLBACK_FAILED".into();
    let findings = world.examine().await;
    let table = of(&findings, "table-ttl");
    assert_eq!((table.state, table.says.as_str()), (Health::Wrong, "the stack has no Table"));
    assert_eq!(of(&findings, "archive-versioning").state, Health::Unknown);
    let stack = of(&findings, "stack");
    assert_eq!(stack.state, Health::Wrong);
    assert!(stack.fix.as_ref().unwrap().contains("describe-stack-events"));
}

#[tokio::test]
async fn a_stack_is_read_from_cloudformation() {
    let clients = world::of_moto().await;
    let name = world::unused("doctor");
    let missing = doctor::doctor(&clients, &name).await.unwrap_err();
    assert_eq!(missing.kind(), archive::ErrorKind::NotFound, "{missing}");
    let template = r#"{ "Parameters": { "Door": { "Type": "String" } },
        "Resources": { "DeadLetters": { "Type": "AWS::SQS::Queue" }, "TasksQueue": { "Type": "AWS::SQS::Queue" } } }"#;
    let door =
        aws_sdk_cloudformation::types::Parameter::builder().parameter_key("Door").parameter_value("none").build();
    let create = clients.cloudformation().create_stack().stack_name(&name).template_body(template).parameters(door);
    create.send().await.unwrap();
    let stack = Stack::load(&clients, &name).await.unwrap();
    assert_eq!((stack.name.as_str(), stack.status.as_str()), (name.as_str(), "CREATE_COMPLETE"));
    assert_eq!(stack.parameters["Door"], "none");
    let logical: Vec<_> = stack.resources.keys().collect();
    assert_eq!(logical, ["DeadLetters", "TasksQueue"]);
    assert!(stack.resources["TasksQueue"].starts_with("http"), "{stack:?}");
}

#[tokio::test]
async fn dead_letters_are_sent_again_to_the_queues_of_the_stack() {
    let mut world = World::make().await;
    let queues = Queues::new(&world.clients, world.stack.queue_urls().unwrap());
    for body in [r#"{"job":"sweep"}"#, "neither job nor notification"] {
        queues.bury(body, "a test").await.unwrap();
    }
    let redriven = queues.redrive(10).await.unwrap();
    assert_eq!((redriven.sent, redriven.unknown), (1, 1));
    let tasks = world.clients.sqs().receive_message().queue_url(&world.stack.resources["TasksQueue"]);
    let messages = tasks.send().await.unwrap().messages.unwrap();
    assert_eq!(messages[0].body(), Some(r#"{"job":"sweep"}"#));
    world.stack.resources.remove("ImportsQueue");
    assert_eq!(world.stack.queue_urls().unwrap_err().kind(), archive::ErrorKind::NotFound);
}
