//! A gallery of damaged archives: one small archive, damaged in one way each, and what `check`, `check --repair` and
//! `rebuild` say of it. The pictures are in `gallery/`; `POSTKAHN_UPDATE_GALLERY=1` draws them anew.

use std::{collections::HashMap, fmt::Write as _, fs, path::Path, sync::Arc};

use crate::{
    Archive, Checked, FolderPath, MailHash, MailboxAddress, PlacementKey,
    import::tests::{World, world},
    inventory::SLICES,
    kept::Kept,
    mailbox::Mailbox,
    ports::{Catalog as _, Expect, ObjectKey, Objects as _, PutMode, Scope},
    records::Record as _,
    store::{Pack, PackState},
    testing::volumes::{Sample, export_again},
};

/// Two exports, some copies, a mailbox made by hand.
pub(crate) async fn sound() -> World {
    let mut world = world(None);
    let address = MailboxAddress::parse("by-hand@firma.example").unwrap();
    world.archive.add_mailbox(&address).await.unwrap();
    world.import(None).await;
    world.exported = export_again(9, "second", &[Sample::new(40, "carl/b"), Sample::new(2, "carl/a")], 2, None);
    world.import(None).await;
    world.restructure().await;
    world
}

impl World {
    async fn keys(&self, prefix: &str) -> Vec<ObjectKey> {
        self.archive.keys_below(prefix).await.unwrap()
    }

    async fn key_of(&self, prefix: &str, nth: usize) -> ObjectKey {
        self.keys(prefix).await[nth].clone()
    }

    /// The pack with the most mails.
    async fn large_pack(&self) -> (ObjectKey, Vec<u8>) {
        let mut packs = Vec::new();
        for key in self.keys("packs/").await {
            packs.push((key.clone(), self.bytes(&key).await));
        }
        packs.into_iter().max_by_key(|(_, bytes)| bytes.len()).unwrap()
    }

    pub(crate) async fn bytes(&self, key: &ObjectKey) -> Vec<u8> {
        let size = self.memory.objects.head(key).await.unwrap().unwrap().size_bytes;
        self.memory.objects.get(key, 0..size, None).await.unwrap().to_vec()
    }

    async fn remove(&self, key: &ObjectKey) {
        assert!(self.memory.objects.delete(key, None).await.unwrap());
    }

    async fn forget(&self, partition: &str, id: &str) {
        assert!(self.memory.catalog.remove(partition, id, Expect::Anything).await.unwrap(), "{partition} {id}");
    }

    fn flip(&self, key: &ObjectKey, at: impl FnOnce(&[u8]) -> usize) {
        let flip = |bytes: &mut Vec<u8>| {
            let at = at(bytes);
            bytes[at] ^= 1;
        };
        assert!(self.memory.objects.tamper(key, flip));
    }
}

const DAMAGES: [&str; 35] = [
    "none",
    "pack-missing",
    "pack-truncated",
    "pack-frame-flipped",
    "pack-record-flipped",
    "pack-length-flipped",
    "pack-index-flipped",
    "pack-index-length-flipped",
    "pack-footer-flipped",
    "pack-magic-flipped",
    "packs-swapped",
    "pack-unknown",
    "pack-never-finished",
    "slice-missing",
    "slice-flipped",
    "slice-unknown",
    "report-missing",
    "report-cut",
    "report-flipped",
    "placements-missing",
    "record-missing",
    "decision-missing",
    "record-flipped",
    "catalogue-lost",
    "pack-row-missing",
    "import-row-changed",
    "report-row-missing",
    "message-row-missing",
    "message-row-changed",
    "location-added",
    "location-removed",
    "placement-added",
    "placement-removed",
    "mailbox-added",
    "mailbox-removed",
];

fn address(text: &str) -> MailboxAddress {
    MailboxAddress::parse(text).unwrap()
}

fn inbox() -> Scope {
    Scope::Folder(address("anna@firma.example"), FolderPath(vec!["Inbox".into()]))
}

fn mail(number: u64) -> MailHash {
    Sample::new(number, "").hash()
}

pub(crate) async fn damage(world: &World, name: &str) {
    let (pack, bytes) = world.large_pack().await;
    match name {
        "none" | "catalogue-lost" => {}
        "pack-missing" => world.remove(&pack).await,
        "pack-truncated" => assert!(world.memory.objects.tamper(&pack, |bytes| bytes.truncate(bytes.len() / 2))),
        "pack-frame-flipped" => world.flip(&pack, |_| 8 + 48 + 12),
        "pack-record-flipped" => world.flip(&pack, |_| 8 + 3),
        "pack-length-flipped" => world.flip(&pack, |_| 8 + 32 + 8 + 3),
        "pack-index-flipped" => world.flip(&pack, |bytes| bytes.len() - 48 - 56 + 3),
        "pack-index-length-flipped" => world.flip(&pack, |bytes| bytes.len() - 48 - 56 + 32 + 8 + 3),
        "pack-footer-flipped" => world.flip(&pack, |bytes| bytes.len() - 20),
        "pack-magic-flipped" => world.flip(&pack, |_| 0),
        "packs-swapped" => {
            let packs = world.keys("packs/").await;
            let [a, b] = packs.as_slice() else { panic!("{packs:?}") };
            let (first, second) = (world.bytes(a).await, world.bytes(b).await);
            world.memory.objects.tamper(a, |bytes| *bytes = second);
            world.memory.objects.tamper(b, |bytes| *bytes = first);
        }
        "pack-unknown" => {
            let key = ObjectKey::parse("packs/ab/abababababababababababababababab.pack").unwrap();
            world.memory.objects.put(&key, bytes.into(), PutMode::IfAbsent).await.unwrap();
        }
        "pack-never-finished" => {
            let mut row = world.archive.all::<Pack>(None).await.unwrap().pop().unwrap();
            row.id.0 = "cd".repeat(16);
            world.archive.add(&Pack { state: PackState::Open, ..row }).await.unwrap();
            let key = ObjectKey::parse("packs/cd/cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd.pack").unwrap();
            world.memory.objects.put(&key, bytes.into(), PutMode::IfAbsent).await.unwrap();
        }
        "slice-missing" => world.remove(&world.key_of(SLICES, 0).await).await,
        "slice-flipped" => world.flip(&world.key_of(SLICES, 0).await, |bytes| bytes.len() / 2),
        "slice-unknown" => {
            let key = world.key_of(SLICES, 0).await;
            let file = world.archive.lone_slice(&key).await.unwrap().1;
            world.archive.put_slice_again(file, 1).await;
        }
        "report-missing" => world.remove(&world.key_of("reports/", 0).await).await,
        "report-cut" => {
            let key = world.key_of("reports/", 0).await;
            assert!(world.memory.objects.tamper(&key, |bytes| bytes.truncate(bytes.len() / 2)));
        }
        // Still JSON, and another name in it.
        "report-flipped" => world.flip(&world.key_of("reports/", 0).await, |bytes| {
            let name = b"\"export_name\": \"";
            bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len()
        }),
        "placements-missing" => {
            for key in world.keys("placements/").await {
                world.remove(&key).await;
            }
        }
        "record-missing" => world.remove(&world.key_of("records/mailbox/", 0).await).await,
        // No mail lies in it: nothing but this record says that somebody made it.
        "decision-missing" => {
            let id = address("by-hand@firma.example").folded().to_owned();
            world.remove(&Kept::key(Mailbox::KIND, &id).unwrap()).await;
        }
        "record-flipped" => world.flip(&world.key_of("records/mailbox/", 0).await, |bytes| bytes.len() / 2),
        row => damage_row(world, row).await,
    }
}

async fn damage_row(world: &World, name: &str) {
    let catalog = &world.memory.catalog;
    match name {
        "pack-row-missing" => {
            let row = world.archive.all::<Pack>(None).await.unwrap().pop().unwrap();
            world.forget("pack", &row.id()).await;
        }
        "import-row-changed" => {
            let mut row = world.archive.all::<crate::import::Import>(None).await.unwrap().pop().unwrap();
            row.tally.imported += 1;
            world.archive.put(row).await.unwrap();
        }
        "report-row-missing" => {
            let row = world.archive.all::<crate::import::Report>(None).await.unwrap().pop().unwrap();
            world.forget("report", &row.id()).await;
        }
        "message-row-missing" => catalog.change_message(mail(4), |row| *row = None),
        "message-row-changed" => catalog.change_message(mail(4), |row| row.as_mut().unwrap().archive_date = Some(7)),
        "location-added" => catalog.change_message(mail(4), |row| {
            row.as_mut().unwrap().locations.insert(vec!["eve".into(), "Inbox".into()]);
        }),
        "location-removed" => catalog.change_message(mail(4), |row| row.as_mut().unwrap().locations.clear()),
        "placement-added" => {
            let row = catalog.locate(&[mail(40)]).await.unwrap().pop().unwrap().unwrap();
            let key = PlacementKey { flags: row.flags, ..row.key() };
            assert_eq!(catalog.place("by hand", &inbox(), &[key]).await.unwrap(), 1);
        }
        "placement-removed" => assert!(catalog.unplace(&inbox(), &mail(4))),
        "mailbox-added" => {
            let row = world.archive.all::<Mailbox>(None).await.unwrap().pop().unwrap();
            let body = serde_json::json!(Mailbox { address: address("eve@firma.example"), ..row });
            catalog.save(Mailbox::KIND, "eve@firma.example", &body, Expect::Absent, None).await.unwrap();
            let path = FolderPath(vec!["Inbox".into()]);
            catalog
                .create_folders(&address("anna@firma.example"), &[FolderPath(vec!["New".into()]), path])
                .await
                .unwrap();
        }
        "mailbox-removed" => world.forget(Mailbox::KIND, "by-hand@firma.example").await,
        other => panic!("nobody knows how to do {other}"),
    }
}

/// What the three commands say.
async fn picture(name: &str) -> String {
    let mut names = HashMap::new();
    let mut picture = String::new();
    let mut world = sound().await;
    damage(&world, name).await;
    if name == "catalogue-lost" {
        let memory = world.memory.without_catalogue();
        world.archive = Archive { domain: world.archive.domain.clone(), ..memory.archive() };
        world.memory = memory;
    }
    for read_data in [false, true] {
        let checked = world.archive.check(read_data).await.unwrap();
        let title = if read_data { "check --read-data" } else { "check" };
        say(&mut picture, &mut names, title, &checked);
    }
    // Each on the archive as it was damaged.
    let mut copy = world.memory.without_catalogue();
    copy.objects = Arc::new(world.memory.objects.copy());
    say(&mut picture, &mut names, "check --repair", &world.archive.repair().await.unwrap());
    say(&mut picture, &mut names, "check --read-data", &world.archive.check(true).await.unwrap());
    let archive = Archive { domain: world.archive.domain.clone(), ..copy.archive() };
    let faults = archive.rebuild().await.unwrap();
    say(&mut picture, &mut names, "rebuild", &Checked { errors: faults, ..archive.check(false).await.unwrap() });
    say(&mut picture, &mut names, "check --read-data", &archive.check(true).await.unwrap());
    picture
}

fn say(picture: &mut String, names: &mut HashMap<String, String>, title: &str, checked: &Checked) {
    let Checked { packs, messages, placements, dead_bytes, .. } = checked;
    let _ = writeln!(picture, "$ postkahn {title}");
    for (label, lines) in [("repaired", &checked.repaired), ("error", &checked.errors), ("orphan", &checked.orphans)] {
        let mut lines: Vec<_> = lines.iter().map(|line| named(line, names)).collect();
        lines.sort();
        for line in lines {
            let _ = writeln!(picture, "{label}: {line}");
        }
    }
    let _ = writeln!(picture, "{packs} packs, {messages} mails, {placements} placements, {dead_bytes} bytes unused\n");
}

/// Puts short names in place of hashes and ids, which depend on things that do not matter here.
fn named(line: &str, names: &mut HashMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let hex = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        if hex >= 16 {
            let next = format!("#{}", names.len() + 1);
            out.push_str(names.entry(rest[..hex].to_owned()).or_insert(next));
            rest = &rest[hex..];
        } else {
            let word = hex.max(rest.chars().next().map_or(0, char::len_utf8));
            out.push_str(&rest[..word]);
            rest = &rest[word..];
        }
    }
    out
}

#[tokio::test]
async fn every_picture_is_as_it_was_drawn() {
    let gallery = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/check/gallery");
    #[expect(clippy::disallowed_methods, reason = "a test that is told to draw its pictures anew")]
    let update = std::env::var_os("POSTKAHN_UPDATE_GALLERY").is_some();
    let mut differ = Vec::new();
    for name in DAMAGES {
        let drawn = picture(name).await;
        let path = gallery.join(format!("{name}.txt"));
        if update {
            fs::create_dir_all(&gallery).unwrap();
            fs::write(&path, &drawn).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if drawn != expected {
            differ.push(format!("{name}:\n{drawn}"));
        }
        assert_eq!(name == "none", !drawn.contains("error:") && !drawn.contains("orphan:"), "{name}:\n{drawn}");
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
