//! The volumes of one export together, and the `verify` document.

use crate::support::{CHEAP, EXPORT_ID, Written, check, keys, next, rng, single};
use serde_json::{Value, json};
use volume::{ExportKeys, ExportState, Protection, Secret, VolumeCheck, verify_set};

struct Export {
    keys: ExportKeys,
    volumes: Vec<Written>,
}

fn export() -> Export {
    let keys = keys(Some("p"), &[]);
    let first = next(&keys, None, &[b"one", b"two"], false);
    let second = next(&keys, Some((1, &first)), &[b"three"], false);
    let third = next(&keys, Some((2, &second)), &[b"four", b"five"], true);
    Export { keys, volumes: vec![first, second, third] }
}

impl Export {
    fn secret(&self) -> Secret<'_> {
        Secret::ContentKey(self.keys.content_key().unwrap())
    }

    fn verify(&self, files: &[&[u8]]) -> (Value, u8) {
        self.verify_with(files, self.secret())
    }

    fn verify_with(&self, files: &[&[u8]], secret: Secret<'_>) -> (Value, u8) {
        let checks = files
            .iter()
            .enumerate()
            .map(|(index, bytes)| (format!("NAME-{index}.mszip"), check(bytes, Some(self.keys.certificate()), secret)));
        let set = verify_set(checks.collect());
        (serde_json::to_value(&set).unwrap(), set.exit_code())
    }

    fn bytes(&self, numbers: &[usize]) -> Vec<&[u8]> {
        numbers.iter().map(|number| self.volumes[number - 1].bytes.as_slice()).collect()
    }
}

fn states(document: &Value) -> Vec<&str> {
    document["volumes"].as_array().unwrap().iter().map(|volume| volume["state"].as_str().unwrap()).collect()
}

#[test]
fn a_whole_export_in_any_order() {
    let export = export();
    for order in [[1, 2, 3], [3, 1, 2]] {
        let (document, exit) = export.verify(&export.bytes(&order));
        assert_eq!(states(&document), ["ok"; 3]);
        assert_eq!(exit, 0);
        assert_eq!(document["complete"], json!(true));
        assert_eq!(document["export_id"], json!(EXPORT_ID));
        assert_eq!(document["missing_volumes"], json!([]));
        assert_eq!(document["last_seen"], json!(true));
        assert_eq!((&document["mails"], &document["raw_bytes"]), (&json!(5), &json!(19)));
    }
    let (document, exit) = export.verify_with(&export.bytes(&[1, 2, 3]), Secret::None);
    assert_eq!((states(&document), exit), (vec!["signed"; 3], 0));
    assert_eq!(document["complete"], json!(true));
}

#[test]
fn what_is_missing_is_named() {
    let export = export();
    let cases: [(&[usize], Value, bool); 4] = [
        (&[1, 3], json!([2]), true),
        (&[3], json!([1, 2]), true),
        (&[1, 2], json!([]), false),
        (&[2], json!([1]), false),
    ];
    for (numbers, missing, last_seen) in cases {
        let (document, exit) = export.verify(&export.bytes(numbers));
        assert_eq!(document["missing_volumes"], missing);
        assert_eq!(document["last_seen"], json!(last_seen));
        assert_eq!((&document["complete"], exit), (&json!(false), 8));
    }
}

#[test]
fn doubled_is_harmless_and_damaged_stays_damaged() {
    let export = export();
    let (document, exit) = export.verify(&export.bytes(&[1, 2, 2, 3]));
    assert_eq!((states(&document), exit), (vec!["ok", "ok", "doubled", "ok"], 0));
    assert_eq!(document["mails"], json!(5));
    assert_eq!(document["volumes"][2]["reason"], json!("volume_doubled"));
    let mut damaged = export.volumes[1].bytes.clone();
    let at = damaged.windows(16).position(|bytes| bytes == b"mail/00000000003").unwrap() + 20;
    damaged[at] ^= 1;
    let whole = &export.volumes;
    let (document, exit) = export.verify(&[&whole[0].bytes, &damaged, &whole[1].bytes, &whole[2].bytes]);
    assert_eq!((states(&document), exit), (vec!["ok", "damaged", "ok", "ok"], 8));
    assert_eq!(document["volumes"][1]["reason"], json!("mail_damaged"));
    assert_eq!(document["volumes"][1]["damaged"][0]["number"], json!(3));
    assert_eq!(document["volumes"][1]["damaged"][0]["reason"], json!("mail_damaged"));
    assert_eq!(document["complete"], json!(true));
}

#[test]
fn another_volume_of_the_same_number_conflicts() {
    let export = export();
    let other = next(&export.keys, Some((1, &export.volumes[0])), &[b"three!"], false);
    let [first, second, third] = &export.volumes[..] else { panic!("three volumes") };
    let (document, exit) = export.verify(&[&first.bytes, &second.bytes, &other.bytes, &third.bytes]);
    assert_eq!((states(&document), exit), (vec!["ok", "ok", "conflict", "ok"], 7));
    assert_eq!(document["volumes"][2]["reason"], json!("volume_conflict"));
    // Volume 3 names the true one, also where the other comes first.
    let (document, _) = export.verify(&[&first.bytes, &other.bytes, &second.bytes, &third.bytes]);
    assert_eq!(states(&document), ["ok", "conflict", "ok", "ok"]);
    // With nobody to ask, the first one stays.
    let (document, exit) = export.verify(&[&second.bytes, &other.bytes]);
    assert_eq!((states(&document), exit), (vec!["ok", "conflict"], 7));
    // With the true one away, volume 3 does not continue the other.
    let (document, exit) = export.verify(&[&first.bytes, &other.bytes, &third.bytes]);
    assert_eq!((states(&document), exit), (vec!["ok", "ok", "conflict"], 7));
    assert_eq!(document["complete"], json!(false));
}

#[test]
fn of_two_last_volumes_none_makes_it_complete() {
    let export = export();
    let [first, second, third] = &export.volumes[..] else { panic!("three volumes") };
    let early = next(&export.keys, Some((1, first)), &[b"three"], true);
    let other = next(&export.keys, Some((2, second)), &[b"four"], true);
    let after = next(&export.keys, Some((3, third)), &[b"six"], true);
    let cases: [&[&Written]; 5] = [
        &[first, second, third, &early],
        &[first, &early, third],
        &[first, second, third, &other],
        &[first, second, &other, third],
        &[first, second, third, &after],
    ];
    for files in cases {
        let bytes: Vec<&[u8]> = files.iter().map(|written| written.bytes.as_slice()).collect();
        let (document, exit) = export.verify(&bytes);
        assert!(states(&document).contains(&"conflict"), "{document}");
        assert_eq!((&document["complete"], exit), (&json!(false), 7), "{document}");
    }
    let (document, exit) = export.verify(&export.bytes(&[1, 2, 3, 3]));
    assert_eq!((&document["complete"], exit), (&json!(true), 0));
}

#[test]
fn another_export_under_the_same_key_is_foreign() {
    let export = export();
    let mut state: Value =
        serde_json::from_slice(&ExportState::seal(&keys(None, &[]), b"", &mut rng(5)).unwrap()).unwrap();
    state["export_id"] = json!("0190d9e2-7c3a-7000-8000-00000000000f");
    let same_key = ExportState::open(&serde_json::to_vec(&state).unwrap(), None).unwrap().keys;
    let foreign = single(&same_key, &[b"x"]);
    let own = single(&keys(None, &[]), &[b"y"]);
    let certificate = same_key.certificate();
    let files =
        [&own, &foreign].map(|written| ("v".to_owned(), check(&written.bytes, Some(certificate), Secret::None)));
    let set = verify_set(files.into());
    let document = serde_json::to_value(&set).unwrap();
    assert_eq!((states(&document), set.exit_code()), (vec!["ok", "foreign"], 2));
    assert_eq!(document["volumes"][1]["reason"], json!("volume_foreign"));
    assert_eq!(document["complete"], json!(true));
    let protection = Protection { password: Some("p"), password_cost: CHEAP, recipients: &[] };
    let stranger = ExportKeys::generate(EXPORT_ID, &protection, &mut rng(9)).unwrap();
    let (document, exit) = export.verify(&[&export.volumes[0].bytes, &single(&stranger, &[]).bytes]);
    assert_eq!((states(&document), exit), (vec!["ok", "refused"], 3));
    assert_eq!(document["volumes"][1]["reason"], json!("wrong_certificate"));
}

#[test]
fn the_worst_file_decides_the_exit_code() {
    let export = export();
    let mut changed = export.volumes[1].bytes.clone();
    changed[100] ^= 1;
    let cut = &export.volumes[2].bytes[..200];
    let first = &export.volumes[0].bytes;
    assert_eq!(export.verify(&[first, &changed, cut]).1, 7);
    assert_eq!(export.verify(&[first, cut]).1, 2);
    let (document, exit) = export.verify_with(&[first, cut], Secret::Password("wrong"));
    assert_eq!((states(&document), exit), (vec!["refused", "refused"], 3));
    assert_eq!(document["volumes"][0]["reason"], json!("wrong_password"));
    assert_eq!(document["export_id"], json!(null));
    let unreadable = vec![("gone".to_owned(), VolumeCheck::Unreadable("no such file".to_owned()))];
    assert_eq!(verify_set(unreadable).exit_code(), 4);
}

#[test]
fn totals_that_are_not_the_sums_are_refused() {
    let keys = keys(None, &[]);
    let first = next(&keys, None, &[b"one"], false);
    let mut lying = next(&keys, None, &[b"one"], false);
    lying.seal_sha256 = first.seal_sha256;
    lying.totals.raw_bytes += 1;
    let last = next(&keys, Some((1, &lying)), &[b"two"], true);
    let files = [&first, &last].map(|w| ("v".to_owned(), check(&w.bytes, Some(keys.certificate()), Secret::None)));
    let set = verify_set(files.into());
    let document = serde_json::to_value(&set).unwrap();
    assert_eq!((states(&document), set.exit_code()), (vec!["ok", "refused"], 7));
    assert_eq!(document["volumes"][1]["reason"], json!("malformed"));
    assert_eq!(document["complete"], json!(false));
}
