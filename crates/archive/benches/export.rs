//! An export of 2,000 mails, from files in the page cache to durable volumes.
#![expect(clippy::unwrap_used, reason = "a measurement")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use archive::export::{ExportOptions, Surroundings, VolumeSize, export};
use archive::ports::{Clock, Random};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mail::source::{Layout, ZipEncoding};
use sha2::{Digest as _, Sha256};

const MAILS: u64 = 2_000;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> i64 {
        1_700_000_000
    }
    fn boot(&self) -> Duration {
        Duration::ZERO
    }
}

/// Never the same bytes twice in one process.
struct Counted;

static DRAWN: AtomicU64 = AtomicU64::new(0);

impl Random for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::digest(DRAWN.fetch_add(1, Ordering::Relaxed).to_le_bytes());
            for (to, from) in chunk.iter_mut().zip(block) {
                *to = from;
            }
        }
    }
}

/// Text in hex: half of it is left when compressed.
fn mail(number: u64, bytes: usize) -> Vec<u8> {
    let mut mail = format!("Date: Mon, 02 Jan 2023 10:00:00 +0000\r\nSubject: {number}\r\n\r\n");
    for block in 0u64.. {
        if mail.len() >= bytes {
            break;
        }
        let hash = Sha256::digest([number.to_le_bytes(), block.to_le_bytes()].concat());
        mail.extend(hash.iter().map(|byte| format!("{byte:02x}")));
        mail.push_str("\r\n");
    }
    mail.into_bytes()
}

fn options(from: &Path, to: &Path) -> ExportOptions {
    ExportOptions {
        from: from.to_owned(),
        to: to.to_owned(),
        name: "bench".parse().unwrap(),
        layout: Layout::Auto,
        user_archive: None,
        zip_encoding: ZipEncoding::default(),
        password: None,
        recipients: Vec::new(),
        volume_size: VolumeSize::default(),
        filter: None,
    }
}

fn exports(c: &mut Criterion) {
    let mut group = c.benchmark_group("export");
    group.sample_size(10);
    for (what, bytes) in [("mails of 2 KiB", 2 << 10), ("mails of 64 KiB", 64 << 10)] {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source/jane/Inbox");
        fs::create_dir_all(&source).unwrap();
        for number in 0..MAILS {
            fs::write(source.join(format!("{number}.eml")), mail(number, bytes)).unwrap();
        }
        let surroundings = Surroundings { clock: &Fixed, random: &Counted, generator: "bench 1", progress: &() };
        group.throughput(Throughput::Bytes(MAILS * bytes as u64));
        group.bench_function(what, |b| {
            let target = || tempfile::tempdir_in(dir.path()).unwrap();
            b.iter_batched(
                target,
                |to| {
                    let report = export(&options(&dir.path().join("source"), to.path()), &surroundings).unwrap();
                    assert_eq!(report.exported, MAILS);
                    to
                },
                BatchSize::PerIteration,
            );
        });
    }
}

criterion_group!(benches, exports);
criterion_main!(benches);
