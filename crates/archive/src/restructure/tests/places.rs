//! Where mails come to lie: names as they were, every location, nothing twice, whatever comes in meanwhile.

use std::{collections::BTreeSet, iter::repeat_n, time::Duration};

use super::{address, at, folders};
use crate::{
    ErrorKind, FolderPath, MailQuery, Restructured,
    access::Visible,
    import::{
        Report,
        tests::{visible_state, world},
    },
    job,
    ports::Scope,
    restructure::survey::Part,
    testing::volumes::{Sample, export, export_again},
};

#[tokio::test]
async fn names_of_folders_keep_case_and_normal_form() {
    let mut world = world(None);
    // é composed and decomposed, Å as a letter and as the unit, slashes and blanks inside of names.
    let names: [&[&str]; 11] = [
        &["anna", "Inbox"],
        &["anna", "INBOX"],
        &["anna", "inbox"],
        &["anna", "caf\u{e9}"],
        &["anna", "cafe\u{301}"],
        &["anna", "\u{c5}"],
        &["anna", "\u{212b}"],
        &["anna", "A/B"],
        &["anna", "A", "B"],
        &["anna", " A "],
        &["anna"],
    ];
    let mails: Vec<_> = (1..).zip(names).map(|(number, names)| at(number, names)).collect();
    world.exported = export("mine", &mails, 100, None);
    world.import(None).await;
    let done = world.restructure().await;
    // `A` is there because of `B`.
    assert_eq!((done.folders_created, done.placements_created), (12, 11));
    let made = folders(&world, "anna@firma.example").await;
    let mut expected: Vec<Vec<String>> =
        names.iter().map(|names| names[1..].iter().map(|name| (*name).to_owned()).collect()).collect();
    expected.push(vec!["A".into()]);
    expected.sort();
    assert_eq!(made.iter().map(|(path, _)| path.0.clone()).collect::<Vec<_>>(), expected);
    assert!(made.iter().all(|(path, mails)| *mails == u64::from(path.0 != ["A"])), "{made:?}");
}

/// Each folder has a row with its whole path, and each of its parents too.
#[tokio::test]
async fn deep_folders_cost_no_squares_and_stay_apart() {
    let mut world = world(None);
    let deep = [&["anna"][..], &["d"; 100]].concat();
    let below: [&[&str]; 8] = [&[], &["a"], &["a", "b"], &["a/b"], &["a~1b"], &["a", "b", "c"], &["~"], &["~0"]];
    let places = below.map(|names| [&deep[..], names].concat());
    let mut mails: Vec<_> = (1..).zip(&places).map(|(number, names)| at(number, names)).collect();
    mails.push(at(20, &repeat_n("anna", 3000).collect::<Vec<_>>()));
    world.exported = export("mine", &mails, 100, None);
    world.import(None).await;
    let previewed = world.archive.preview_restructure().await.unwrap();
    assert_eq!(previewed.mailboxes[0].folders_created, 100 + 7 + 101);
    assert_eq!(world.restructure().await, previewed.total);
    let mailbox = address("anna@firma.example");
    assert_eq!(world.archive.mailbox(&mailbox).await.unwrap().folders, 208);
    let made = folders(&world, mailbox.as_str()).await;
    let last: Vec<_> = made.iter().filter(|(path, mails)| path.0[0] == "d" && *mails > 0).collect();
    assert!(last.iter().all(|(_, mails)| *mails == 1), "{last:?}");
    let names: BTreeSet<_> = last.iter().filter_map(|(path, _)| path.0.get(100).map(String::as_str)).collect();
    assert_eq!(names, BTreeSet::from(["a", "a/b", "a~1b", "a~01b", "a/b/c", "~0", "~00"]));
    for (path, mails) in made {
        let query = MailQuery { mailbox: Some(mailbox.clone()), folder: Some(path), ..MailQuery::default() };
        assert_eq!(world.archive.mails(&Visible::All, query).await.unwrap().mails.len() as u64, mails);
    }
    let unmade = FolderPath(vec!["d".into(), "a".into()]);
    let query = MailQuery { mailbox: Some(mailbox), folder: Some(unmade), ..MailQuery::default() };
    assert_eq!(world.archive.mails(&Visible::All, query).await.unwrap_err().kind(), ErrorKind::NotFound);
    let checked = world.archive.check(true).await.unwrap();
    assert!(checked.balanced && checked.errors.is_empty(), "{checked:?}");
}

#[tokio::test]
async fn a_mail_lies_in_every_location_that_it_had() {
    let mut world = world(None);
    let places: Vec<Vec<String>> =
        (0..300).map(|n| vec![format!("user{}", n % 3), format!("f{}", n / 3 % 10), format!("g{n}")]).collect();
    let mails: Vec<_> = places
        .iter()
        .map(|place| at(1, &place.iter().map(String::as_str).collect::<Vec<_>>()))
        .chain([at(1, &["user0", "f0", "g0"])])
        .collect();
    world.exported = export("mine", &mails, 1000, None);
    world.import(None).await;
    let done = world.restructure().await;
    assert_eq!((done.mailboxes_created, done.placements_created), (3, 300), "the place that comes twice is one");
    let mut found = BTreeSet::new();
    for user in ["user0", "user1", "user2"] {
        let mailbox = address(&format!("{user}@firma.example"));
        assert_eq!(world.archive.mailbox(&mailbox).await.unwrap().mails, 1);
        for (path, mails) in folders(&world, mailbox.as_str()).await {
            assert_eq!(mails, u64::from(path.0.len() == 2));
            if mails == 1 {
                found.insert([vec![user.to_owned()], path.0].concat());
            }
        }
    }
    assert_eq!(found, places.into_iter().collect());
}

/// An import that ends between two turns of a run is taken up by the next run, and the run in hand ends as it would have.
#[tokio::test]
async fn imports_may_go_on_while_it_runs() {
    let second = [at(1, &["anna", "Inbox"]), at(2, &["anna", "New"]), at(60, &["dora", "x"])];
    let second = export_again(9, "second", &second, 10, None);
    let mut apart = world(None);
    apart.import(None).await;
    apart.restructure().await;
    apart.exported = second.clone();
    apart.import(None).await;
    apart.restructure().await;

    let mut world = world(None);
    (world.archive.sizes.step_mails, world.archive.sizes.placements) = (4, 1);
    world.import(None).await;
    let process = world.archive.start_restructure("test").await.unwrap();
    let job = world.memory.queue.take().unwrap();
    job::run(&world.archive, &job, Duration::ZERO).await.unwrap();
    let held = world.memory.queue.drain();
    assert!(!world.archive.process(&process).await.unwrap().state.ended(), "it has only begun");
    world.exported = second;
    world.import(None).await;
    for job in held {
        world.archive.send(&job).await.unwrap();
    }
    world.memory.work(&world.archive).await.unwrap();
    let done = world.archive.process(&process).await.unwrap().result.unwrap();
    let done: Restructured = serde_json::from_value(done).unwrap();
    let rest = world.restructure().await;
    assert_eq!((done.reports_processed + rest.reports_processed, rest.reports_left), (2, 0));
    assert_eq!(visible_state(&world.archive).await, visible_state(&apart.archive).await);
    let again = world.restructure().await;
    assert_eq!(again, Restructured::default(), "nothing is done twice");
}

/// For each mailbox: as many mails and placements as the slices of all imports name for its user archive, and each of them.
#[tokio::test]
async fn every_mailbox_balances_with_what_the_imports_say() {
    let mut world = world(None);
    world.import(None).await;
    let second = [at(2, &["anna", "Inbox"]), at(2, &["bob", "Copy"]), at(70, &["anna", "Inbox", "Deep"])];
    world.exported = export_again(9, "second", &second, 10, None);
    world.import(None).await;
    world.restructure().await;
    let mut parts = Vec::new();
    for report in world.archive.all::<Report>(None).await.unwrap() {
        let contents = world.archive.report_contents(&report).await.unwrap();
        let addresses = world.archive.plan_addresses(&contents.user_archives).await.unwrap().addresses;
        parts.push(Part { contents, addresses });
    }
    let surveyed = world.archive.survey(&parts).await.unwrap();
    assert_eq!(surveyed.len(), 3);
    for (mailbox, due) in surveyed {
        let made = folders(&world, mailbox.as_str()).await;
        let placements: u64 = made.iter().map(|(_, mails)| mails).sum();
        assert_eq!((due.placements, due.there), (placements, placements), "{mailbox}");
        assert_eq!(due.mails, world.archive.mailbox(&mailbox).await.unwrap().mails, "{mailbox}");
        let all: Vec<_> = FolderPath::each_with_parents(&due.folders).collect();
        assert_eq!(all, made.into_iter().map(|(path, _)| path).collect::<Vec<_>>(), "{mailbox}");
    }
    // One that is missing is seen: by the sums here, and by `check` by its name.
    let inbox = Scope::Folder(address("anna@firma.example"), FolderPath(vec!["Inbox".into()]));
    assert!(world.memory.catalog.unplace(&inbox, &Sample::new(2, "").hash()));
    let short = world.archive.survey(&parts).await.unwrap();
    let anna = &short[&address("anna@firma.example")];
    assert_eq!(anna.there + 1, anna.placements);
    let checked = world.archive.check(true).await.unwrap();
    assert!(checked.errors.iter().any(|error| error.contains("it is missing in folder [\"Inbox\"] of anna@")));
    assert!(!checked.balanced);
}
