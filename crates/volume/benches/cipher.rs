//! AES-256-GCM and SHA-256 over 1 MiB chunks: `aws-lc-rs` against RustCrypto (docs/decisions/0001-aes-gcm.md).
#![expect(clippy::unwrap_used, reason = "a measurement")]

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aws_lc_rs::{aead, digest};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sha2::Digest as _;
use std::hint::black_box;

const CHUNK: usize = 1 << 20;
const KEY: [u8; 32] = [7; 32];
const NONCE: [u8; 12] = [9; 12];

fn aes_256_gcm(c: &mut Criterion) {
    let mut group = c.benchmark_group("aes-256-gcm seal 1 MiB");
    group.throughput(Throughput::Bytes(CHUNK as u64));
    let mut chunk = vec![1u8; CHUNK];
    let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, &KEY).unwrap());
    group.bench_function("aws-lc-rs", |b| {
        b.iter(|| {
            let nonce = aead::Nonce::assume_unique_for_key(NONCE);
            key.seal_in_place_separate_tag(nonce, aead::Aad::empty(), black_box(&mut chunk)).unwrap()
        });
    });
    let key = aes_gcm::Aes256Gcm::new(&KEY.into());
    group.bench_function("RustCrypto", |b| {
        b.iter(|| {
            let chunk: &mut [u8] = black_box(&mut chunk);
            key.encrypt_inout_detached(&NONCE.into(), &[], chunk.into()).unwrap()
        });
    });
}

fn sha_256(c: &mut Criterion) {
    let mut group = c.benchmark_group("sha-256 of 1 MiB");
    group.throughput(Throughput::Bytes(CHUNK as u64));
    let chunk = vec![1u8; CHUNK];
    group.bench_function("aws-lc-rs", |b| b.iter(|| digest::digest(&digest::SHA256, black_box(&chunk))));
    group.bench_function("RustCrypto", |b| b.iter(|| sha2::Sha256::digest(black_box(&chunk))));
}

criterion_group!(benches, aes_256_gcm, sha_256);
criterion_main!(benches);
