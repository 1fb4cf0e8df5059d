//! The contract of folders and placements: each mail once a scope, in order, whatever comes again.

use sha2::{Digest, Sha256};

use super::{ODD_NAMES, fails};
use crate::{
    ErrorKind, Flags, FolderPath, MailHash, MailboxAddress, PlacementKey,
    ports::{Catalog, FolderCount, Scope},
};

/// What [`Catalog`] promises of folders and placements.
pub async fn placements(catalog: &dyn Catalog) {
    folders_are_made_with_their_parents(catalog).await;
    odd_names_are_folders_of_their_own(catalog).await;
    an_unmade_folder_takes_nothing(catalog).await;
    a_mail_lies_in_a_scope_once(catalog).await;
    flags_are_united(catalog).await;
    scopes_are_apart(catalog).await;
    lists_are_in_the_order_of_keys(catalog).await;
    runs_interleave(catalog).await;
    a_cursor_survives_inserts(catalog).await;
    many_are_placed_at_once(catalog).await;
    a_scope_is_cleared_and_no_other(catalog).await;
    what_was_cleared_can_be_placed_again(catalog).await;
}

fn mailbox(name: &str) -> MailboxAddress {
    MailboxAddress::parse(&format!("{name}@firma.example")).unwrap()
}

fn path(names: &[&str]) -> FolderPath {
    FolderPath(names.iter().map(|name| (*name).to_owned()).collect())
}

fn key(date: Option<i64>, n: u32) -> PlacementKey {
    PlacementKey { date, hash: MailHash(Sha256::digest(n.to_be_bytes()).into()), flags: Flags::default() }
}

fn sorted(mut keys: Vec<PlacementKey>) -> Vec<PlacementKey> {
    keys.sort();
    keys
}

/// Equal to the flags.
fn same(left: &[PlacementKey], right: &[PlacementKey]) -> bool {
    let all = |keys: &[PlacementKey]| keys.iter().map(|key| (key.date, key.hash, key.flags)).collect::<Vec<_>>();
    all(left) == all(right)
}

async fn listed(catalog: &dyn Catalog, scope: &Scope, limit: usize) -> Vec<PlacementKey> {
    let mut all: Vec<PlacementKey> = Vec::new();
    loop {
        let page = catalog.page(scope, all.last(), limit).await.unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            assert_eq!(catalog.count(scope).await.unwrap(), all.len() as u64);
            return all;
        }
        all.extend(page);
    }
}

async fn paths(catalog: &dyn Catalog, of: &MailboxAddress) -> Vec<FolderPath> {
    catalog.folders(of).await.unwrap().into_iter().map(|folder| folder.path).collect()
}

async fn folders_are_made_with_their_parents(catalog: &dyn Catalog) {
    let anna = mailbox("folders");
    assert_eq!(catalog.folders(&anna).await.unwrap(), []);
    assert_eq!(catalog.count_folders(&anna).await.unwrap(), 0);
    assert_eq!(catalog.create_folders(&anna, &[]).await.unwrap(), 0);
    assert_eq!(catalog.create_folders(&anna, &[path(&["a", "b", "c"])]).await.unwrap(), 3);
    assert_eq!(catalog.create_folders(&anna, &[path(&["a", "b", "c"]), path(&["a"])]).await.unwrap(), 0);
    let more = [path(&["a", "b", "d"]), path(&["a b"]), path(&["a", "b", "d"]), path(&["0", "1"])];
    assert_eq!(catalog.create_folders(&anna, &more).await.unwrap(), 4);
    let expected: [&[&str]; 7] =
        [&["0"], &["0", "1"], &["a"], &["a", "b"], &["a", "b", "c"], &["a", "b", "d"], &["a b"]];
    assert_eq!(paths(catalog, &anna).await, expected.map(path));
    assert_eq!(catalog.count_folders(&anna).await.unwrap(), 7);
    let asked = [path(&["a", "b"]), path(&["b"]), path(&[]), path(&["A"]), path(&["a"]), path(&["a"])];
    let has = [true, false, false, false, true, true];
    assert_eq!(catalog.has_folders(&anna, &asked).await.unwrap(), has);
    assert_eq!(catalog.has_folders(&anna, &[]).await.unwrap(), [false; 0]);
    // What lies in the mailbox itself has a place of its own, that nothing else brings.
    assert_eq!(catalog.create_folders(&anna, &[path(&[])]).await.unwrap(), 1);
    assert_eq!(catalog.create_folders(&anna, &[path(&[])]).await.unwrap(), 0);
    let all = catalog.folders(&anna).await.unwrap();
    assert_eq!(all.first(), Some(&FolderCount { path: path(&[]), mails: 0 }));
    assert_eq!(all.len(), 8);
    assert_eq!(catalog.count_folders(&anna).await.unwrap(), 8);
    assert_eq!(catalog.has_folders(&anna, &[path(&[])]).await.unwrap(), [true]);
    // Addresses that differ in case are one mailbox.
    let shouted = MailboxAddress::parse("FOLDERS@Firma.Example").unwrap();
    assert_eq!(catalog.folders(&shouted).await.unwrap(), all);
    assert_eq!(catalog.count_folders(&shouted).await.unwrap(), 8);
    assert_eq!(catalog.has_folders(&shouted, &asked[..2]).await.unwrap(), has[..2]);
    assert_eq!(catalog.create_folders(&shouted, &[path(&["a"])]).await.unwrap(), 0);
    assert_eq!(catalog.folders(&mailbox("folder")).await.unwrap(), []);
    assert_eq!(catalog.count_folders(&mailbox("folder")).await.unwrap(), 0);
    assert_eq!(catalog.has_folders(&mailbox("folder"), &asked[..1]).await.unwrap(), [false]);
}

async fn odd_names_are_folders_of_their_own(catalog: &dyn Catalog) {
    let anna = mailbox("odd");
    let mut odd: Vec<FolderPath> = ODD_NAMES.iter().map(|name| path(&[name])).collect();
    odd.extend(ODD_NAMES.iter().map(|name| path(&["a", name])));
    odd.extend([path(&[""]), path(&["a/b"]), path(&["a", "b"]), path(&["a\0b"]), path(&["[\"a\"]"]), path(&["", ""])]);
    odd.extend([path(&["a\",\"b"]), path(&["a\n"]), FolderPath(vec!["x".repeat(3000)])]);
    odd.push(FolderPath(vec!["deep".into(); 100]));
    odd.sort();
    odd.dedup();
    assert_eq!(catalog.create_folders(&anna, &odd).await.unwrap(), odd.len() as u64 + 99);
    let made = paths(catalog, &anna).await;
    assert!(made.is_sorted());
    assert!(odd.iter().all(|path| made.contains(path)));
    assert_eq!(catalog.count_folders(&anna).await.unwrap(), made.len() as u64);
    assert_eq!(catalog.has_folders(&anna, &odd).await.unwrap(), vec![true; odd.len()]);
    let other = [path(&["a/"]), path(&["a", "b", ""]), path(&["deep/deep"]), path(&["[\"a\",\"b\"]"])];
    assert_eq!(catalog.has_folders(&anna, &other).await.unwrap(), [false; 4]);
    for (n, path) in (0..).zip(&odd) {
        let folder = Scope::Folder(anna.clone(), path.clone());
        assert_eq!(catalog.place("run", &folder, &[key(None, n)]).await.unwrap(), 1);
        assert!(same(&listed(catalog, &folder, 10).await, &[key(None, n)]));
    }
    let counts = catalog.folders(&anna).await.unwrap();
    assert!(counts.iter().all(|folder| folder.mails == u64::from(odd.contains(&folder.path))));
}

async fn an_unmade_folder_takes_nothing(catalog: &dyn Catalog) {
    let folder = Scope::Folder(mailbox("unmade"), path(&["a"]));
    for keys in [&[][..], &[key(None, 1)]] {
        fails(catalog.place("run", &folder, keys).await, ErrorKind::NotFound);
    }
    assert_eq!(catalog.count(&folder).await.unwrap(), 0);
    assert_eq!(catalog.page(&folder, None, 10).await.unwrap(), []);
    assert_eq!(catalog.placed(&folder, &[key(None, 1)]).await.unwrap(), [None]);
    assert_eq!(catalog.folders(&mailbox("unmade")).await.unwrap(), []);
    assert_eq!(catalog.has_folders(&mailbox("unmade"), &[path(&["a"])]).await.unwrap(), [false]);
    // A place refused leaves no trace of its run.
    catalog.create_folders(&mailbox("unmade"), &[path(&["a"])]).await.unwrap();
    assert_eq!(catalog.place("run", &folder, &[key(None, 1)]).await.unwrap(), 1);
    fails(catalog.place("x", &folder, &[key(None, 1), key(Some(1), 2)]).await, ErrorKind::Invalid);
    fails(catalog.place("x", &folder, &[key(None, 1), key(None, 1)]).await, ErrorKind::Invalid);
    assert_eq!(catalog.count(&folder).await.unwrap(), 1);
}

async fn a_mail_lies_in_a_scope_once(catalog: &dyn Catalog) {
    let scope = Scope::Mailbox(mailbox("once"));
    let keys = sorted((0..10).map(|n| key(Some(i64::from(n)), n)).collect());
    assert_eq!(catalog.place("r1", &scope, &keys).await.unwrap(), 10);
    assert_eq!(catalog.place("r1", &scope, &keys).await.unwrap(), 0, "the same run");
    assert_eq!(catalog.place("r1", &scope, &[key(None, 99)]).await.unwrap(), 0, "the same run, whatever it says");
    assert_eq!(catalog.place("r2", &scope, &keys).await.unwrap(), 0, "the same mails");
    assert_eq!(catalog.place("empty", &scope, &[]).await.unwrap(), 0);
    let some = sorted(vec![key(Some(3), 3), key(Some(4), 4), key(Some(50), 50)]);
    assert_eq!(catalog.place("r3", &scope, &some).await.unwrap(), 1);
    let expected = sorted(keys.iter().copied().chain([key(Some(50), 50)]).collect());
    assert!(same(&listed(catalog, &scope, 4).await, &expected));
    let other = Scope::Mailbox(mailbox("once.more"));
    assert_eq!(catalog.place("r1", &other, &keys).await.unwrap(), 10, "a run is known by scope and name");
}

async fn flags_are_united(catalog: &dyn Catalog) {
    let scope = Scope::Mailbox(mailbox("flags"));
    let with = |date, n, flags: &[&str]| PlacementKey { flags: Flags::parse(flags), ..key(date, n) };
    catalog.place("r1", &scope, &[with(Some(5), 1, &["seen"])]).await.unwrap();
    assert_eq!(catalog.place("r2", &scope, &[with(Some(5), 1, &["draft"])]).await.unwrap(), 0);
    assert_eq!(catalog.place("r1", &scope, &[with(Some(5), 1, &["answered"])]).await.unwrap(), 0);
    let united = with(Some(5), 1, &["seen", "draft"]);
    assert!(same(&listed(catalog, &scope, 10).await, &[united]));
    let asked = [key(None, 2), key(Some(5), 1), united];
    let placed = catalog.placed(&scope, &asked).await.unwrap();
    assert!(matches!(placed.as_slice(), [None, Some(a), Some(b)] if same(&[*a, *b], &[united, united])));
    assert_eq!(catalog.placed(&scope, &[]).await.unwrap(), []);
}

async fn scopes_are_apart(catalog: &dyn Catalog) {
    let anna = mailbox("apart");
    catalog.create_folders(&anna, &[path(&[]), path(&["a", "b"])]).await.unwrap();
    let scopes = [
        Scope::Mailbox(anna.clone()),
        Scope::Folder(anna.clone(), path(&[])),
        Scope::Folder(anna.clone(), path(&["a"])),
        Scope::Folder(anna.clone(), path(&["a", "b"])),
        Scope::All,
    ];
    for (n, scope) in (0..).zip(&scopes) {
        assert_eq!(catalog.count(scope).await.unwrap(), 0);
        assert_eq!(catalog.place("same", scope, &[key(Some(1), n)]).await.unwrap(), 1);
    }
    for (n, scope) in (0..).zip(&scopes) {
        assert!(same(&catalog.page(scope, None, 10).await.unwrap(), &[key(Some(1), n)]));
    }
    assert_eq!(catalog.count_folders(&anna).await.unwrap(), 3, "the whole mailbox is no folder");
    let shouted = Scope::Mailbox(MailboxAddress::parse("APART@FIRMA.EXAMPLE").unwrap());
    assert_eq!(catalog.count(&shouted).await.unwrap(), 1);
    assert_eq!(catalog.place("same", &shouted, &[key(Some(1), 9)]).await.unwrap(), 0);
}

async fn lists_are_in_the_order_of_keys(catalog: &dyn Catalog) {
    let scope = Scope::Mailbox(mailbox("order"));
    let dates = [None, Some(0), Some(-1), Some(1), Some(-62_135_596_800), Some(253_402_300_799), None, Some(0)];
    let keys = sorted((0..400u32).zip(dates.into_iter().cycle()).map(|(n, date)| key(date, n)).collect());
    assert_eq!(catalog.place("run", &scope, &keys).await.unwrap(), 400);
    assert!(same(&listed(catalog, &scope, 33).await, &keys));
    assert_eq!(catalog.page(&scope, None, 0).await.unwrap(), []);
    // A cursor need not lie in the scope, and its flags do not count.
    for after in [key(Some(0), 9999), key(None, 9998), key(Some(-5), 1), key(Some(i64::MAX - 1), 1)] {
        let after = PlacementKey { flags: Flags(31), ..after };
        let expected: Vec<_> = keys.iter().filter(|key| **key > after).take(5).copied().collect();
        assert!(same(&catalog.page(&scope, Some(&after), 5).await.unwrap(), &expected));
        let again = PlacementKey::from_cursor(&after.cursor()).unwrap();
        assert!(same(&catalog.page(&scope, Some(&again), 5).await.unwrap(), &expected));
    }
    assert_eq!(catalog.page(&scope, keys.last(), 5).await.unwrap(), []);
}

async fn runs_interleave(catalog: &dyn Catalog) {
    let scope = Scope::Mailbox(mailbox("interleaved"));
    let mut all = Vec::new();
    for run in 0..12u32 {
        // Every run spans the dates of all others, and brings a third of the one before again.
        let fresh = (0..12u32).map(|n| key(Some(i64::from(n * 12 + run)), run * 12 + n));
        let again = (0..4u32).filter(|_| run > 0).map(|n| key(Some(i64::from(n * 12 + run - 1)), (run - 1) * 12 + n));
        let keys = sorted(fresh.clone().chain(again).collect());
        assert_eq!(catalog.place(&format!("run {run}"), &scope, &keys).await.unwrap(), 12);
        all.extend(fresh);
    }
    all.sort();
    for limit in [1, 7, 1000] {
        assert!(same(&listed(catalog, &scope, limit).await, &all));
    }
    let placed: Vec<_> = catalog.placed(&scope, &all).await.unwrap().into_iter().flatten().collect();
    assert!(same(&placed, &all));
}

async fn a_cursor_survives_inserts(catalog: &dyn Catalog) {
    let scope = Scope::Mailbox(mailbox("cursor"));
    let even = sorted((0..60u32).map(|n| key(Some(i64::from(2 * n)), n)).collect());
    catalog.place("even", &scope, &even).await.unwrap();
    let first = catalog.page(&scope, None, 20).await.unwrap();
    let odd = sorted((0..60u32).map(|n| key(Some(i64::from(2 * n + 1)), 100 + n)).collect());
    catalog.place("odd", &scope, &odd).await.unwrap();
    let cursor = first.last().unwrap();
    let all = sorted([even, odd].concat());
    let rest: Vec<_> = all.iter().filter(|key| *key > cursor).copied().collect();
    assert!(same(&catalog.page(&scope, Some(cursor), 1000).await.unwrap(), &rest));
}

async fn many_are_placed_at_once(catalog: &dyn Catalog) {
    let anna = mailbox("many");
    catalog.create_folders(&anna, &[path(&["INBOX"])]).await.unwrap();
    let folder = Scope::Folder(anna.clone(), path(&["INBOX"]));
    let keys = sorted((0..5000u32).map(|n| key((n % 10 != 0).then_some(i64::from(n / 7)), n)).collect());
    assert_eq!(catalog.place("run", &folder, &keys).await.unwrap(), 5000);
    assert!(same(&listed(catalog, &folder, 1000).await, &keys));
    let placed = catalog.placed(&folder, keys.get(..1000).unwrap()).await.unwrap();
    assert!(placed.into_iter().all(|key| key.is_some()));
    assert_eq!(catalog.folders(&anna).await.unwrap(), [FolderCount { path: path(&["INBOX"]), mails: 5000 }]);
}

async fn clear_all(catalog: &dyn Catalog, scope: &Scope, limit: usize) -> u64 {
    let mut sum = 0;
    loop {
        let left = catalog.count(scope).await.unwrap();
        let cleared = catalog.clear(scope, limit).await.unwrap();
        assert!(cleared >= left.min(limit as u64), "{cleared} of {left}");
        assert_eq!(catalog.count(scope).await.unwrap(), left - cleared);
        sum += cleared;
        if cleared == 0 {
            assert_eq!(left, 0);
            return sum;
        }
    }
}

async fn a_scope_is_cleared_and_no_other(catalog: &dyn Catalog) {
    let (anna, bob) = (mailbox("cleared"), mailbox("not.cleared"));
    let folder = Scope::Folder(anna.clone(), path(&["a", "b"]));
    let rest = [
        Scope::Mailbox(anna.clone()),
        Scope::Folder(anna.clone(), path(&["a"])),
        Scope::Folder(bob.clone(), path(&["a", "b"])),
    ];
    for mailbox in [&anna, &bob] {
        catalog.create_folders(mailbox, &[path(&["a", "b"])]).await.unwrap();
    }
    for n in 0..7u32 {
        let keys = sorted((0..30).map(|m| key((m % 5 != 0).then_some(i64::from(m * 7 + n)), n * 30 + m)).collect());
        for scope in rest.iter().chain([&folder]) {
            assert_eq!(catalog.place(&format!("run {n}"), scope, &keys).await.unwrap(), 30);
        }
    }
    let first = listed(catalog, &folder, 50).await;
    assert_eq!(clear_all(catalog, &folder, 40).await, 210);
    assert_eq!(catalog.page(&folder, None, 10).await.unwrap(), []);
    assert!(catalog.placed(&folder, &first).await.unwrap().iter().all(Option::is_none));
    for scope in &rest {
        assert!(same(&listed(catalog, scope, 100).await, &first));
    }
    assert_eq!(paths(catalog, &anna).await, [path(&["a"]), path(&["a", "b"])], "folders stay");
    assert_eq!(catalog.clear(&Scope::Folder(anna, path(&["none"])), 10).await.unwrap(), 0);
    assert_eq!(catalog.clear(&Scope::Mailbox(mailbox("nobody")), 10).await.unwrap(), 0);
    assert_eq!(clear_all(catalog, &rest[0], usize::MAX).await, 210);
}

async fn what_was_cleared_can_be_placed_again(catalog: &dyn Catalog) {
    let scope = Scope::Mailbox(mailbox("again"));
    for round in 0..3 {
        // More of one size than any adapter leaves apart.
        for n in 0..20u32 {
            let keys = sorted((0..5).map(|m| key(Some(i64::from(n)), n * 5 + m)).collect());
            assert_eq!(catalog.place(&format!("run {n}"), &scope, &keys).await.unwrap(), 5, "round {round}");
        }
        assert_eq!(listed(catalog, &scope, 33).await.len(), 100);
        assert_eq!(clear_all(catalog, &scope, 1).await, 100);
    }
    let seen = PlacementKey { flags: Flags::parse(["seen"]), ..key(Some(1), 1) };
    catalog.place("flags", &scope, &[seen]).await.unwrap();
    assert_eq!(catalog.clear(&scope, 0).await.unwrap(), 1, "one at least");
    catalog.place("bare", &scope, &[key(Some(1), 1)]).await.unwrap();
    assert!(same(&listed(catalog, &scope, 10).await, &[key(Some(1), 1)]), "flags go with the mail");
}
