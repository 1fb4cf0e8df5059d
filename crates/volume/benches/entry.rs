//! One mail on its way into a volume and out of it: its frame, its sealed entry, and both again when it is verified.
#![expect(clippy::unwrap_used, reason = "a measurement")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use std::hint::black_box;
use std::io::{self, Cursor};
use volume::{
    Closing, Compressor, ExportKeys, Metadata, PasswordCost, Protection, Secret, Totals, VolumeStart, VolumeWriter,
    verify,
};

const SIZES: [(&str, usize); 3] = [("2 KiB", 2 << 10), ("64 KiB", 64 << 10), ("4 MiB", 4 << 20)];
const PASSWORD: &str = "bench";

/// Base64-like text, of which three quarters are left when compressed.
fn mail(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    ChaCha20Rng::seed_from_u64(7).fill_bytes(&mut noise);
    noise.iter().map(|byte| b' ' + byte % 64).collect()
}

fn keys() -> ExportKeys {
    let cost = PasswordCost { memory_kib: 19_456, passes: 2, lanes: 1 };
    let protection = Protection { password: Some(PASSWORD), password_cost: cost, ..Protection::default() };
    let mut rng = ChaCha20Rng::seed_from_u64(8);
    ExportKeys::generate("11111111-1111-4111-8111-111111111111", &protection, &mut rng).unwrap()
}

fn writer(keys: &ExportKeys) -> VolumeWriter<Cursor<Vec<u8>>> {
    let start = VolumeStart {
        name: "bench".to_owned(),
        number: 1,
        created: "2026-01-01T00:00:00Z".to_owned(),
        generator: "bench 1".to_owned(),
        first_mail: 1,
        limit_bytes: u64::MAX,
        salt: [1; 32],
    };
    VolumeWriter::new(Cursor::new(Vec::new()), keys, &start).unwrap()
}

fn metadata(raw: &[u8], sha256: [u8; 32]) -> Metadata {
    Metadata {
        sha256,
        size_bytes: raw.len() as u64,
        message_date: None,
        message_date_source: None,
        archive_date: None,
        locations: vec![vec!["jane".to_owned(), "Inbox".to_owned()]],
        flags: Vec::new(),
        source_key: Some("jane/Inbox/1.eml".to_owned()),
        reference: None,
    }
}

fn entries(c: &mut Criterion) {
    let keys = keys();
    for (size, bytes) in SIZES {
        let mut group = c.benchmark_group(format!("a mail of {size}"));
        group.throughput(Throughput::Bytes(bytes as u64));
        let raw = mail(bytes);
        let mut compressor = Compressor::new().unwrap();
        group.bench_function("hash and frame", |b| {
            b.iter(|| compressor.compress(&mut raw.as_slice(), raw.len() as u64, &mut io::sink()).unwrap());
        });
        let mut frame = Vec::new();
        let sha256 = compressor.compress(&mut raw.as_slice(), raw.len() as u64, &mut frame).unwrap();
        let metadata = metadata(&raw, sha256);
        let append = |mut volume: VolumeWriter<_>| {
            volume.append(&metadata, &mut black_box(frame.as_slice()), frame.len() as u64).unwrap();
            volume
        };
        group.bench_function("seal", |b| b.iter_batched(|| writer(&keys), append, BatchSize::PerIteration));
        let last = Some(Totals { mails: 1, raw_bytes: bytes as u64, skipped: 0 });
        let volume = append(writer(&keys)).finish(Closing { last, ..Closing::default() }).unwrap().out.into_inner();
        let secret = Secret::ContentKey(keys.content_key().unwrap());
        group.bench_function("verify and open, with the whole volume", |b| {
            b.iter(|| {
                verify(&mut Cursor::new(&volume), volume.len() as u64, Some(keys.certificate()), secret).unwrap()
            });
        });
    }
}

criterion_group!(benches, entries);
criterion_main!(benches);
