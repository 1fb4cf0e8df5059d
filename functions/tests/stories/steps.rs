//! Steps that many stories take.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    arrival::{ADMIN_PASSWORD, Half as _, start_of, until},
    program::{Place as _, Served},
    source::{MAILBOX, Story},
    support::Stack,
};

/// A stack with an Admin and an officer who sees all mail.
pub(crate) struct Office<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) admin: String,
    pub(crate) seen: Served,
}

/// An export of so many mails, with a password.
pub(crate) fn exported(count: u64, size: usize, more: &[&str]) -> Story {
    let story = Story::new(count, size);
    let password = story.password_file();
    story.export(&[&["--password-file", password.as_str()], more].concat());
    story
}

impl<'a> Office<'a> {
    pub(crate) fn open(stack: &'a Stack) -> Self {
        let admin = stack.first_login();
        let officer = stack.member(&admin, "olga", "compliance");
        Self { stack, seen: stack.seen_by(&officer), admin }
    }

    /// The same people once more, who log in with the passwords that they have.
    pub(crate) fn again(stack: &'a Stack) -> Self {
        let log_in = |user: &str| stack.log_in(&json!({ "user": user, "password": ADMIN_PASSWORD }));
        Self { stack, admin: log_in("admin"), seen: stack.seen_by(&log_in("olga")) }
    }

    /// Puts the volumes into the bucket.
    pub(crate) fn upload(&self, story: &Story) {
        for volume in story.volumes() {
            self.put(&volume);
        }
    }

    /// Puts one volume into the bucket; its key.
    pub(crate) fn put(&self, volume: &str) -> String {
        let key = format!("olga/{}", name(volume));
        self.stack.put(&key, fs::read(volume).unwrap());
        key
    }

    /// The import that starts a volume by hand, once it was looked at, and its further volumes with it.
    pub(crate) fn start_with_further(&self, volume: &str, mut start: Value) {
        let upload = self.stack.looked_at(&self.admin, &name(volume));
        start["uploads"] = json!([upload["id"]]);
        start["auto_start"] = json!(true);
        let (status, started) = self.stack.ask("POST", "/imports", &self.admin, &start);
        assert_eq!(status, 202, "{started}");
    }

    /// Waits until there are so many imports, and each has ended.
    pub(crate) fn all_finished(&self, count: usize) -> Vec<Value> {
        let known = || self.stack.ask("GET", "/imports", &self.admin, &Value::Null).1.as_array().unwrap().clone();
        let all = until("the further imports", || Some(known()).filter(|all| all.len() >= count));
        let ids: Vec<_> = all.iter().map(|import| import["id"].as_str().unwrap().to_owned()).collect();
        self.finished(&ids)
    }

    /// Starts the import of all volumes together, once they were looked at: the imports' ids. One that a fault of the
    /// service kept from starting is started again, as an administrator would.
    pub(crate) fn start(&self, story: &Story) -> Vec<String> {
        let looked = |volume: &String| self.stack.looked_at(&self.admin, &name(volume))["id"].clone();
        let (mut left, mut ids): (Vec<Value>, _) = (story.volumes().iter().map(looked).collect(), Vec::new());
        while !left.is_empty() {
            let uploads: Vec<_> = left.iter().collect();
            let (status, started) = self.stack.ask("POST", "/imports", &self.admin, &start_of(story, &uploads));
            assert_eq!(status, 202, "{started}");
            let imports = started["imports"].as_array().unwrap();
            assert_eq!(imports.len(), left.len(), "{started}");
            let refused = |import: &&Value| import["id"].is_null();
            let passes = |import: &Value| import["code"] == "unavailable";
            assert!(imports.iter().filter(refused).all(passes), "{started}");
            ids.extend(imports.iter().filter_map(|import| import["id"].as_str().map(str::to_owned)));
            let kept: Vec<_> = imports.iter().map(|import| import["id"].is_null()).collect();
            left = left.into_iter().zip(kept).filter(|(_, again)| *again).map(|(upload, _)| upload).collect();
        }
        ids
    }

    pub(crate) fn finished(&self, ids: &[String]) -> Vec<Value> {
        ids.iter().map(|id| self.stack.finished(&self.admin, id)).collect()
    }

    /// Uploads and imports everything, and waits for it.
    pub(crate) fn import(&self, story: &Story) -> Vec<Value> {
        self.upload(story);
        self.finished(&self.start(story))
    }

    /// Restructures, and compares counts, places and the sum of all outcomes with the source.
    pub(crate) fn assert_whole(&self, story: &Story, imports: &[Value]) {
        let sum = |name: &str| imports.iter().map(|import| import[name].as_u64().unwrap()).sum::<u64>();
        assert_eq!((sum("in_volume"), sum("imported")), (story.files, story.mails.len() as u64), "{imports:?}");
        assert_eq!(sum("imported") + sum("already_there"), story.files);
        assert!(imports.iter().all(|import| import["balanced"] == true), "{imports:?}");
        assert_eq!(self.stack.ask("GET", "/uploads", &self.admin, &Value::Null).1, json!([]));
        assert_eq!(self.stack.json(&self.admin, &["restructure"])["reports_left"], 0);
        assert_eq!(self.seen.mails(MAILBOX, None).len(), story.mails.len());
        assert_eq!(Story::placed(&self.seen), story.places);
    }

    /// No job was given up, and none waits any more.
    pub(crate) fn assert_nothing_left(&self) {
        let queues = self.stack.made.queues().unwrap();
        let letters = self.stack.block(self.stack.made.receive(&queues.dead_letters, 10, std::time::Duration::ZERO));
        assert!(letters.as_ref().unwrap().is_empty(), "{letters:?}");
    }
}

fn name(volume: &str) -> String {
    Path::new(volume).file_name().unwrap().to_str().unwrap().to_owned()
}
