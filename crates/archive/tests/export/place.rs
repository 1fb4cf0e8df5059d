//! A source and a target, and what the tests do with them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use archive::ErrorKind;
use archive::export::{Counts, Effect, ExportOptions, ExportReport, Progress, Surroundings, VolumeSize, export};
use archive::ports::{Clock, Random};
use mail::source::Layout;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use volume::{Certificate, HEAD_BYTES, Metadata, Parts, Secret, TAIL_BYTES, Volume};

pub(crate) struct At(pub(crate) i64);

impl Clock for At {
    fn now(&self) -> i64 {
        self.0
    }
    fn boot(&self) -> Duration {
        Duration::ZERO
    }
}

/// Never the same bytes twice in one process.
pub(crate) struct Counted;

pub(crate) static DRAWN: AtomicU64 = AtomicU64::new(0);

impl Random for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::digest(DRAWN.fetch_add(1, Ordering::Relaxed).to_le_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

/// A source and a target.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("source")).unwrap();
        Self { dir }
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.dir.path().join("source")
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.dir.path().join("target")
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.source().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn options(&self) -> ExportOptions {
        ExportOptions {
            from: self.source(),
            to: self.target(),
            name: "out".parse().unwrap(),
            layout: Layout::Auto,
            user_archive: None,
            zip_encoding: mail::source::ZipEncoding::default(),
            password: None,
            recipients: Vec::new(),
            volume_size: VolumeSize::default(),
            filter: None,
        }
    }

    pub(crate) fn split(&self) -> ExportOptions {
        ExportOptions { volume_size: "1MiB".parse().unwrap(), ..self.options() }
    }

    pub(crate) fn files(&self) -> BTreeSet<String> {
        let Ok(entries) = fs::read_dir(self.target()) else { return BTreeSet::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    pub(crate) fn volumes(&self) -> Vec<PathBuf> {
        let paths = self.files().into_iter().map(|name| self.target().join(name));
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "mszip")).collect()
    }

    pub(crate) fn certificate(&self) -> Certificate {
        Certificate::parse(&fs::read(self.target().join("out.cer")).unwrap()).unwrap()
    }

    /// Every mail of every volume, with its raw bytes; a reference's are those of the mail that it names.
    pub(crate) fn mails(&self, secret: Secret<'_>) -> Vec<Vec<(u64, Metadata, Vec<u8>)>> {
        let certificate = self.certificate();
        self.volumes().iter().map(|path| mails_of(path, &certificate, secret)).collect()
    }

    /// The set must be complete, and each volume whole.
    pub(crate) fn verify(&self, secret: Secret<'_>) {
        let certificate = self.certificate();
        let check = |path: &PathBuf| {
            let mut file = File::open(path).unwrap();
            let size = file.metadata().unwrap().len();
            let check = volume::verify(&mut file, size, Some(&certificate), secret).unwrap();
            (path.display().to_string(), check)
        };
        let set = volume::verify_set(self.volumes().iter().map(check).collect());
        assert!(set.complete, "{set:?}");
        assert_eq!(set.exit_code(), 0, "{set:?}");
    }
}

pub(crate) fn mails_of(path: &Path, certificate: &Certificate, secret: Secret<'_>) -> Vec<(u64, Metadata, Vec<u8>)> {
    let mut file = File::open(path).unwrap();
    let volume = open_volume(&mut file, certificate, secret);
    let mut mails: Vec<(u64, Metadata, Vec<u8>)> = Vec::new();
    for number in volume.verified().numbers() {
        let stored = volume.verified().stored(number).unwrap();
        file.seek(SeekFrom::Start(stored.offset)).unwrap();
        let (mut raw, mut frame) = (Vec::new(), io::sink());
        let metadata = volume.open_entry(number, &mut (&mut file).take(stored.len), &mut frame, &mut raw).unwrap();
        if let Some(target) = metadata.reference {
            let (_, named, bytes) = mails.iter().find(|(number, ..)| *number == target).unwrap();
            volume.check_reference(number, &metadata, named).unwrap();
            raw.clone_from(bytes);
        }
        mails.push((number, metadata, raw));
    }
    mails
}

pub(crate) fn open_volume(file: &mut File, certificate: &Certificate, secret: Secret<'_>) -> Volume {
    let size = file.metadata().unwrap().len();
    let mut range = |range: std::ops::Range<u64>| {
        file.seek(SeekFrom::Start(range.start)).unwrap();
        let mut bytes = Vec::new();
        file.take(range.end - range.start).read_to_end(&mut bytes).unwrap();
        bytes
    };
    let plan =
        volume::locate(&range(0..HEAD_BYTES.min(size)), &range(size.saturating_sub(TAIL_BYTES)..size), size).unwrap();
    let (header, seal, signature) =
        (range(plan.header.clone()), range(plan.seal.clone()), range(plan.signature.clone()));
    let catalogue = range(plan.catalogue.clone());
    let parts = Parts { header: &header, catalogue, seal: &seal, signature: &signature };
    plan.verify(parts, Some(certificate)).unwrap().unlock(secret).unwrap()
}

pub(crate) fn run_with(options: &ExportOptions, progress: &dyn Progress) -> archive::Result<ExportReport> {
    export(options, &Surroundings { clock: &At(1_700_000_000), random: &Counted, generator: "test 1", progress })
}

pub(crate) fn run(options: &ExportOptions) -> archive::Result<ExportReport> {
    run_with(options, &())
}

pub(crate) fn kind(result: archive::Result<ExportReport>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// Calls back before each effect.
pub(crate) struct Hook<F>(pub(crate) F);

impl<F: Fn(&Effect) -> io::Result<()> + Sync> Progress for Hook<F> {
    fn before(&self, effect: &Effect) -> io::Result<()> {
        (self.0)(effect)
    }
}

/// Ends the export before its `n`-th effect; counts them.
pub(crate) struct CutOff {
    at: usize,
    pub(crate) seen: AtomicUsize,
}

impl CutOff {
    pub(crate) fn at(at: usize) -> Self {
        Self { at, seen: AtomicUsize::new(0) }
    }
}

impl Progress for CutOff {
    fn before(&self, _: &Effect) -> io::Result<()> {
        if self.seen.fetch_add(1, Ordering::SeqCst) == self.at { Err(io::Error::other("cut off")) } else { Ok(()) }
    }
}

/// A mail whose body does not compress.
pub(crate) fn noisy(seed: u64, bytes: usize) -> Vec<u8> {
    let mut mail = format!("Date: Mon, 02 Jan 2023 10:00:00 +0000\r\nSubject: {seed}\r\n\r\n").into_bytes();
    for block in 0u64.. {
        if mail.len() >= bytes {
            break;
        }
        mail.extend_from_slice(&Sha256::digest([seed.to_le_bytes(), block.to_le_bytes()].concat()));
    }
    mail
}

pub(crate) fn small(seed: u64) -> Vec<u8> {
    format!("From: a@b.test\nDate: Mon, 02 Jan 2023 10:00:00 +0000\nSubject: {seed}\n\nbody\n").into_bytes()
}

/// Seven mails of 300,000 bytes that make three volumes of 1 MiB, and a copy of the first one in each volume.
pub(crate) fn three_volumes() -> Place {
    let place = Place::new();
    for seed in 0..7 {
        place.put(&format!("jane/Inbox/{seed}.eml"), &noisy(seed, 300_000));
    }
    place.put("jane/Inbox/0 copy.eml", &noisy(0, 300_000));
    place.put("jane/Inbox/6 copy.eml", &noisy(0, 300_000));
    place.put("jane/Inbox/6 empty.eml", b"");
    place.put("jane/Inbox/notes.xyz", b"\x01\x02");
    place
}

pub(crate) fn assert_closes(report: &ExportReport) {
    assert_eq!(report.in_source, report.filtered + report.exported + report.skipped.len() as u64);
    assert_eq!(report.exported, report.volumes.iter().map(|volume| volume.mails).sum::<u64>());
    assert!(report.complete);
    assert_places_close(report);
}

/// Over all places, and over the folders of each user archive, the numbers have the sums of the whole.
pub(crate) fn assert_places_close(report: &ExportReport) {
    let sums = |all: &mut dyn Iterator<Item = &Counts>| {
        all.fold([0; 4], |sums, counts| {
            assert_eq!(counts.in_source, counts.filtered + counts.exported + counts.skipped);
            let counts = [counts.in_source, counts.filtered, counts.exported, counts.skipped];
            std::array::from_fn(|at| sums[at] + counts[at])
        })
    };
    let whole = [report.in_source, report.filtered, report.exported, report.skipped.len() as u64];
    assert_eq!(sums(&mut report.user_archives.iter().map(|archive| &archive.counts)), whole);
    for archive in &report.user_archives {
        assert!(!archive.user_archive.is_empty());
        let counts = &archive.counts;
        let whole = [counts.in_source, counts.filtered, counts.exported, counts.skipped];
        assert_eq!(sums(&mut archive.folders.iter().map(|folder| &folder.counts)), whole);
    }
}
/// Calls back after each mail.
pub(crate) struct Watch<F>(pub(crate) F);

impl<F: Fn(archive::export::Step<'_>) + Sync> Progress for Watch<F> {
    fn advance(&self, step: archive::export::Step<'_>) {
        (self.0)(step);
    }
}
