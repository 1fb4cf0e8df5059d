//! The proof: what the archive gives back against what the samples are.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::source::Truth;
use crate::{
    client::{Client, broken, escaped},
    failure::Result,
    text,
};

/// Numbers that must be equal.
pub(super) struct Line {
    what: String,
    samples: u64,
    archive: u64,
}

/// What was compared.
#[derive(Default)]
pub(super) struct Proof {
    lines: Vec<Line>,
}

impl Proof {
    pub(super) fn compare(&mut self, what: impl Into<String>, samples: u64, archive: u64) {
        self.lines.push(Line { what: what.into(), samples, archive });
    }

    pub(super) fn closes(&self) -> bool {
        self.lines.iter().all(|line| line.samples == line.archive)
    }

    pub(super) fn table(&self) -> String {
        let row = |line: &Line| {
            let mark = if line.samples == line.archive { "=" } else { "DIFFERS" };
            vec![line.what.clone(), line.samples.to_string(), line.archive.to_string(), mark.to_owned()]
        };
        text::table(&["", "samples", "archive", ""], self.lines.iter().map(row))
    }

    pub(super) fn document(&self) -> Value {
        let line =
            |line: &Line| serde_json::json!({ "what": line.what, "samples": line.samples, "archive": line.archive });
        self.lines.iter().map(line).collect()
    }
}

/// Reads every mail back and hashes it: how many are byte for byte those of the samples, and how many bytes they have.
pub(super) async fn originals(truth: &Truth, reader: &Client) -> Result<(u64, u64)> {
    let (mut same, mut bytes) = (0, 0);
    for (hash, size) in &truth.mails {
        let (found, length) = digest(reader, hash).await?;
        if found == *hash && length == *size {
            same += 1;
            bytes += length;
        }
    }
    Ok((same, bytes))
}

async fn digest(reader: &Client, hash: &str) -> Result<(String, u64)> {
    let mut blocks = reader.stream(&format!("/mails/{}/raw", escaped(hash))).await?;
    let (mut digest, mut length) = (Sha256::new(), 0);
    while let Some(block) = blocks.try_next().await.map_err(broken)? {
        digest.update(&block);
        length += block.len() as u64;
    }
    Ok((archive::hash::to_hex(&<[u8; 32]>::from(digest.finalize())), length))
}

/// What the folders of one user archive were compared to.
#[derive(Default)]
pub(super) struct Placed {
    /// Mails that the samples have there.
    pub(super) wanted: u64,
    /// Those of them that the mailbox has in just that folder.
    pub(super) there: u64,
    /// Mails that the mailbox has in such a folder and the samples have not.
    pub(super) strangers: u64,
}

/// Compares each folder of a user archive with the folder of the mailbox that it became.
pub(super) async fn placements(truth: &Truth, archive: &str, mailbox: &str, reader: &Client) -> Result<Placed> {
    let mut placed = Placed::default();
    let folders = truth.places.iter().filter_map(|(segments, mails)| Some((segments.split_first()?, mails)));
    for ((_, folder), mails) in folders.filter(|((first, _), _)| *first == archive) {
        let found = hashes(reader, mailbox, folder).await?;
        placed.wanted += mails.len() as u64;
        placed.there += found.intersection(mails).count() as u64;
        placed.strangers += found.difference(mails).count() as u64;
    }
    Ok(placed)
}

/// The hashes of all mails in one folder, page by page.
async fn hashes(reader: &Client, mailbox: &str, folder: &[String]) -> Result<BTreeSet<String>> {
    let folder = serde_json::json!(folder).to_string();
    let list = format!("/mails?mailbox={}&folder={}&limit=1000", escaped(mailbox), escaped(&folder));
    let (mut found, mut page) = (BTreeSet::new(), reader.get(&list).await?);
    loop {
        let mails = page["mails"].as_array().into_iter().flatten();
        found.extend(mails.filter_map(|mail| mail["sha256"].as_str()).map(str::to_owned));
        let Some(next) = page["next"].as_str() else { return Ok(found) };
        page = reader.get(&format!("{list}&after={}", escaped(next))).await?;
    }
}

/// The sum of a number over the objects of a list.
pub(super) fn sum(objects: &Value, member: &str) -> u64 {
    objects.as_array().into_iter().flatten().filter_map(|object| object[member].as_u64()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_that_differs_is_enough() {
        let mut proof = Proof::default();
        proof.compare("mails", 3, 3);
        assert!(proof.closes());
        proof.compare("bytes", 3, 4);
        assert!(!proof.closes());
        assert!(proof.table().contains("DIFFERS"));
    }
}
