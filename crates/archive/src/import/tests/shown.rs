//! What is seen of a mail once it is imported: identity by its bytes, three dates apart, defects.

use serde_json::Value;

use super::*;
use crate::MailView;

impl World {
    /// Imports each of these as a single mail, a day after the other.
    async fn bring_mails(&self, mails: &[&str]) -> Vec<ImportView> {
        let mut views = Vec::new();
        for (number, raw) in mails.iter().enumerate() {
            let name = format!("{number}.eml");
            self.memory.clock.advance(Duration::from_hours(24));
            self.upload(&name, raw.as_bytes().to_vec().into()).await;
            let start = StartImports { certificate: None, ..self.start(&[&name], None) };
            let started = self.archive.start_imports(start).await.unwrap();
            self.memory.work(&self.archive).await.unwrap();
            views.push(self.archive.import(started.imports[0].id.as_ref().unwrap()).await.unwrap());
        }
        views
    }

    async fn listed(&self) -> Vec<MailView> {
        self.archive.mails(&Visible::All, MailQuery::default()).await.unwrap().mails
    }

    async fn shown(&self, raw: &str) -> Value {
        self.archive.show(&Visible::All, &crate::MailHash::of(raw.as_bytes())).await.unwrap()
    }
}

#[tokio::test]
async fn equal_ids_and_headers_make_no_two_mails_one() {
    let head = "From: a@x\nDate: Mon, 02 Jan 2023 10:00:00 +0000\nSubject: s\nMessage-ID: <1@x>\n";
    let first = format!("{head}\nbody\n");
    let others = [
        format!("{head}\nbodY\n"),
        format!("Received: by a; Mon, 02 Jan 2023 10:00:00 +0000\n{first}"),
        format!("To: b@x\n{first}"),
        first.replace('\n', "\r\n"),
        format!("Status: RO\n{first}"),
        format!("{first}\n"),
    ];
    let world = world(None);
    let mut mails = vec![first.as_str(), first.as_str()];
    mails.extend(others.iter().map(String::as_str));
    let views = world.bring_mails(&mails).await;
    let counts: Vec<_> = views.iter().map(|view| (view.imported, view.already_there, view.balanced)).collect();
    assert_eq!(counts, [&[(1, 0, true), (0, 1, true)][..], &[(1, 0, true); 6]].concat());
    assert_eq!(world.listed().await.len(), 7);
}

#[tokio::test]
async fn a_mail_without_sender_or_with_a_long_id_has_one_outcome() {
    let long = format!("Subject: long\nMessage-ID: <{}/\0😀@x>\n\nbody", "i".repeat(4_000));
    let mails = ["Subject: no sender\n\nbody", "From: a@x\n\none", "From: a@x\n\ntwo", &long];
    let world = world(None);
    for view in world.bring_mails(&mails).await {
        assert_eq!((view.in_volume, view.imported, view.failed.len(), view.balanced), (1, 1, 0, true));
    }
    assert_eq!(world.listed().await.len(), 4);
    let shown = world.shown(&long).await;
    assert!(shown["headers"][1][1].as_str().unwrap().ends_with("/␀😀@x>"), "{}", shown["headers"]);
}

#[tokio::test]
async fn message_archive_and_import_date_are_kept_apart() {
    let dated = "Message-ID: <1>\nDate: Mon, 02 Jan 2023 10:00:00 +0000\n\nbody";
    let invalid = "Message-ID: <2>\nDate: Mon, 31 Feb 2023 10:00:00 +0000\n\nbody";
    let undated = "Message-ID: <3>\n\nbody";
    let world = world(None);
    world.bring_mails(&[dated, invalid, undated]).await;
    let expected = [
        (dated, "2026-01-02T00:00:00Z", Some("2023-01-02T10:00:00Z"), Some("date"), &[][..]),
        (invalid, "2026-01-03T00:00:00Z", None, None, &["date_invalid"]),
        (undated, "2026-01-04T00:00:00Z", None, None, &[]),
    ];
    let mails = world.listed().await;
    for (raw, imported, date, source, codes) in expected {
        let listed = mails.iter().find(|mail| mail.id == crate::MailHash::of(raw.as_bytes())).unwrap();
        assert_eq!((listed.message_date.as_deref(), listed.message_date_source.as_deref()), (date, source));
        assert_eq!((listed.archive_date.as_deref(), listed.import_date.as_deref()), (None, Some(imported)));
        assert_eq!(listed.defects, codes);
        let (listed, shown) = (serde_json::to_value(listed).unwrap(), world.shown(raw).await);
        for member in ["message_date", "message_date_source", "archive_date", "import_date", "message_id", "defects"] {
            assert_eq!(listed[member], shown[member], "{member} of {raw}");
        }
    }
    let mails: Vec<_> = mails.iter().map(|mail| mail.message_date.is_some()).collect();
    assert_eq!(mails, [true, false, false], "unknown dates come last");
}

#[tokio::test]
async fn a_volume_says_where_a_date_came_from_by_a_name_beside_a_date() {
    let mut world = world(None);
    let (longest, too_long, huge) = ("s".repeat(64), "s".repeat(65), "s".repeat(500_000));
    let said = ["x-mailstore-date", &longest, &too_long, &huge, "<script>", "date\n", "", "date"];
    let sample = |(number, source): (u64, &str)| Sample {
        date: (number < 8).then_some(1_700_000_000),
        date_source: Some(source.to_owned()),
        ..Sample::new(number, "anna/Inbox")
    };
    let samples: Vec<_> = (1..).zip(said).map(sample).collect();
    world.exported = export("mine", &samples, 100, None);
    let view = world.import(None).await;
    assert_eq!((view.imported, view.balanced), (8, true));
    let mails = world.listed().await;
    let sources = samples.iter().map(|sample| {
        let found = mails.iter().find(|mail| mail.id == sample.hash()).unwrap();
        assert_eq!(found.message_date.is_some(), sample.date.is_some());
        found.message_date_source.as_deref()
    });
    assert_eq!(
        sources.collect::<Vec<_>>(),
        [Some("x-mailstore-date"), Some(longest.as_str()), None, None, None, None, None, None]
    );
    assert_eq!(world.archive.check(true).await.unwrap().errors, [""; 0]);
}

#[tokio::test]
async fn what_is_broken_is_kept_and_said_to_be_partly_indexed() {
    let no_mail_inside = "Message-ID: <1>\nContent-Transfer-Encoding: base64\n\nYWJj*ZGVm";
    let large_header = format!("Message-ID: <2>\nX: {}\n\nbody", "x".repeat(5 << 20));
    let active =
        "Message-ID: <3>\nTo: b@x\nContent-Type: text/html\n\n<img src=https://x.test/a><p onclick=x()>word</p>";
    let world = world(None);
    world.bring_mails(&[no_mail_inside, &large_header, active]).await;
    let shown = world.shown(no_mail_inside).await;
    assert_eq!((&shown["partially_indexed"], &shown["defects"]), (&true.into(), &serde_json::json!(["cte_broken"])));
    assert_eq!(shown["text"], "abcdef");
    let shown = world.shown(&large_header).await;
    assert_eq!(shown["partially_indexed"], true);
    let partial: BTreeMap<_, _> =
        world.listed().await.into_iter().map(|mail| (mail.id, mail.partially_indexed)).collect();
    assert!(partial[&crate::MailHash::of(large_header.as_bytes())], "a list says what the header tells");
    assert!(!partial[&crate::MailHash::of(active.as_bytes())]);
    let shown = world.shown(active).await;
    assert_eq!(shown["blocked"], serde_json::json!({ "active": 1, "remote": 1 }));
    assert_eq!((&shown["html_safe"], &shown["to"]), (&"<img><p>word</p>".into(), &"b@x".into()));
    assert_eq!(shown["partially_indexed"], false);
}

#[tokio::test]
async fn of_a_mail_too_large_to_be_parsed_the_beginning_is_shown() {
    let part = |name: &str, lines: usize| {
        let content = format!("{}\n", "QUJD".repeat(19)).repeat(lines);
        format!("--B\nContent-Type: application/x; name={name}\nContent-Transfer-Encoding: base64\n\n{content}")
    };
    let raw = format!(
        "Message-ID: <1>\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\nsee below\n{}{}--B--\n",
        part("small", 100),
        part("large", 450_000)
    );
    assert!(raw.len() > 33 << 20);
    let world = world(None);
    world.bring_mails(&[&raw]).await;
    let shown = world.shown(&raw).await;
    assert_eq!((&shown["text"], &shown["message_id"]), (&"see below".into(), &"<1>".into()));
    assert_eq!((&shown["defects"], &shown["partially_indexed"]), (&serde_json::json!(["size_big"]), &true.into()));
    let listed: Vec<_> = shown["attachments"].as_array().unwrap().iter().map(|part| &part["name"]).collect();
    assert_eq!(listed, ["small"], "of a part that was not read to its end no hash is known");
}

#[tokio::test]
async fn a_large_mail_waits_for_room_to_be_shown_and_a_small_one_does_not() {
    let (small, large) = ("Subject: small\n\ntext\n", format!("Subject: large\n\n{}", "text\n".repeat(100_000)));
    let world = world(None);
    world.bring_mails(&[small, &large]).await;
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(world.archive.view_room.take(32 << 20).await.unwrap());
    }
    assert_eq!(world.shown(small).await["subject"], "small");
    assert!(tokio::time::timeout(Duration::from_millis(50), world.shown(&large)).await.is_err());
    others.pop();
    assert_eq!(world.shown(&large).await["subject"], "large");
}
