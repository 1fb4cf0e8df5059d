//! The exporter from outside: what stands in the volumes, and what becomes of an export that is cut off.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use archive::ErrorKind;
use archive::export::{Effect, ExportOptions, ExportReport, Progress, Surroundings, VolumeSize, dry_run, export};
use archive::ports::{Clock, Random};
use mail::source::Layout;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use volume::{Certificate, HEAD_BYTES, Metadata, Parts, Secret, TAIL_BYTES, Volume};

struct At(i64);

impl Clock for At {
    fn now(&self) -> i64 {
        self.0
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
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

/// A source and a target.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("source")).unwrap();
        Self { dir }
    }

    fn source(&self) -> PathBuf {
        self.dir.path().join("source")
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("target")
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.source().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn options(&self) -> ExportOptions {
        ExportOptions {
            from: self.source(),
            to: self.target(),
            name: "out".parse().unwrap(),
            layout: Layout::Auto,
            user_archive: None,
            password: None,
            recipients: Vec::new(),
            volume_size: VolumeSize::default(),
        }
    }

    fn split(&self) -> ExportOptions {
        ExportOptions { volume_size: "1MiB".parse().unwrap(), ..self.options() }
    }

    fn files(&self) -> BTreeSet<String> {
        let Ok(entries) = fs::read_dir(self.target()) else { return BTreeSet::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn volumes(&self) -> Vec<PathBuf> {
        let paths = self.files().into_iter().map(|name| self.target().join(name));
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "mszip")).collect()
    }

    fn certificate(&self) -> Certificate {
        Certificate::parse(&fs::read(self.target().join("out.cer")).unwrap()).unwrap()
    }

    /// Every mail of every volume, with its raw bytes; a reference's are those of the mail that it names.
    fn mails(&self, secret: Secret<'_>) -> Vec<Vec<(u64, Metadata, Vec<u8>)>> {
        let certificate = self.certificate();
        self.volumes().iter().map(|path| mails_of(path, &certificate, secret)).collect()
    }

    /// The set must be complete, and each volume whole.
    fn verify(&self, secret: Secret<'_>) {
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

fn mails_of(path: &Path, certificate: &Certificate, secret: Secret<'_>) -> Vec<(u64, Metadata, Vec<u8>)> {
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

fn open_volume(file: &mut File, certificate: &Certificate, secret: Secret<'_>) -> Volume {
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

fn run_with(options: &ExportOptions, progress: &dyn Progress) -> archive::Result<ExportReport> {
    export(options, &Surroundings { clock: &At(1_700_000_000), random: &Counted, generator: "test 1", progress })
}

fn run(options: &ExportOptions) -> archive::Result<ExportReport> {
    run_with(options, &())
}

fn kind(result: archive::Result<ExportReport>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// Calls back before each effect.
struct Hook<F>(F);

impl<F: Fn(&Effect) -> io::Result<()> + Sync> Progress for Hook<F> {
    fn before(&self, effect: &Effect) -> io::Result<()> {
        (self.0)(effect)
    }
}

/// Ends the export before its `n`-th effect; counts them.
struct CutOff {
    at: usize,
    seen: AtomicUsize,
}

impl CutOff {
    fn at(at: usize) -> Self {
        Self { at, seen: AtomicUsize::new(0) }
    }
}

impl Progress for CutOff {
    fn before(&self, _: &Effect) -> io::Result<()> {
        if self.seen.fetch_add(1, Ordering::SeqCst) == self.at { Err(io::Error::other("cut off")) } else { Ok(()) }
    }
}

/// A mail whose body does not compress.
fn noisy(seed: u64, bytes: usize) -> Vec<u8> {
    let mut mail = format!("Date: Mon, 02 Jan 2023 10:00:00 +0000\r\nSubject: {seed}\r\n\r\n").into_bytes();
    for block in 0u64.. {
        if mail.len() >= bytes {
            break;
        }
        mail.extend_from_slice(&Sha256::digest([seed.to_le_bytes(), block.to_le_bytes()].concat()));
    }
    mail
}

fn small(seed: u64) -> Vec<u8> {
    format!("From: a@b.test\nDate: Mon, 02 Jan 2023 10:00:00 +0000\nSubject: {seed}\n\nbody\n").into_bytes()
}

/// Seven mails of 300,000 bytes that make three volumes of 1 MiB, and a copy of the first one in each volume.
fn three_volumes() -> Place {
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

fn assert_closes(report: &ExportReport) {
    assert_eq!(report.in_source, report.filtered + report.exported + report.skipped.len() as u64);
    assert_eq!(report.exported, report.volumes.iter().map(|volume| volume.mails).sum::<u64>());
    assert!(report.complete);
}

#[test]
fn bytes_places_and_dates_are_kept() {
    let place = Place::new();
    let mails: [(&str, &[u8]); 5] = [
        ("jane/Inbox/Ä b/1.eml", b"Date: Mon, 02 Jan 2023 10:00:00 +0100\r\nSubject: x\r\n\r\nhello\r\n"),
        ("jane/Sent/2.EML", b"X-MailStore-Date: 20220304050607\nDate: Mon, 02 Jan 2023 10:00:00 +0100\n\n\0\xff"),
        ("max/3.eml", b"\xef\xbb\xbfSubject: bom\r\rcr only"),
        ("max/Inbox/4.eml", b"not a header at all"),
        ("5.eml", b"Date: nonsense\n\nno valid date"),
    ];
    for (path, bytes) in mails {
        place.put(path, bytes);
    }
    let report = run(&place.options()).unwrap();
    assert_closes(&report);
    assert_eq!((report.in_source, report.unique_mails, report.skipped.len()), (5, Some(5), 0));
    place.verify(Secret::None);

    let found = place.mails(Secret::None).remove(0);
    for (path, bytes) in mails {
        let (_, metadata, raw) = found.iter().find(|(_, m, _)| m.source_key.as_deref() == Some(path)).unwrap();
        assert_eq!(raw, bytes, "{path}");
        let mut place: Vec<&str> = path.split('/').collect();
        place.pop();
        let expected = if place.is_empty() { vec!["out"] } else { place };
        assert_eq!(metadata.locations, [expected], "{path}");
        assert_eq!(metadata.archive_date, None);
    }
    let dates: Vec<_> = found.iter().map(|(_, m, _)| (m.message_date, m.message_date_source.as_deref())).collect();
    assert_eq!(dates[1], (Some(1_672_650_000), Some("date")));
    assert_eq!(dates[2], (Some(1_646_370_367), Some("x-mailstore-date")));
    assert_eq!(dates[0].1, Some("file"));
    let page = fs::read_to_string(place.target().join("out.report.html")).unwrap();
    assert!(page.contains("Every mail of the source is in the volumes") && page.contains("Inbox"));
    let expected = ["out-0001.mszip", "out.cer", "out.report.html", "out.report.json"];
    assert_eq!(place.files(), expected.map(str::to_owned).into());
}

#[test]
fn a_full_volume_is_followed_by_the_next_and_copies_refer_within_one() {
    let place = three_volumes();
    let report = run(&place.split()).unwrap();
    assert_closes(&report);
    assert_eq!((report.in_source, report.exported, report.unique_mails), (10, 9, Some(7)));
    assert_eq!(report.skipped[0].source, "jane/Inbox/6 empty.eml");
    assert_eq!(report.skipped[0].reason, "empty");
    assert_eq!(report.not_mail[0].source, "jane/Inbox/notes.xyz");
    place.verify(Secret::None);
    let volumes = place.mails(Secret::None);
    assert_eq!(volumes.len(), 3);
    for (path, volume) in place.volumes().iter().zip(&report.volumes) {
        assert_eq!(fs::metadata(path).unwrap().len(), volume.bytes);
        assert!(volume.bytes <= 1 << 20);
    }
    let all: Vec<_> = volumes.iter().flatten().collect();
    let keys: Vec<_> = all.iter().map(|(_, m, _)| m.source_key.clone().unwrap()).collect();
    assert!(keys.is_sorted());
    assert!(all.iter().zip(1..).all(|((number, ..), expected)| *number == expected));
    // The copy beside the first mail refers to it; the one two volumes later stands for itself.
    let references: Vec<_> = all.iter().filter_map(|(number, m, _)| m.reference.map(|r| (*number, r))).collect();
    assert_eq!(references, [(2, 1)]);
    let last = all.iter().find(|(_, m, _)| m.source_key.as_deref() == Some("jane/Inbox/6 copy.eml")).unwrap();
    assert_eq!(last.2, noisy(0, 300_000));
}

#[test]
fn cut_off_before_any_effect_it_ends_like_an_undisturbed_run() {
    let place = three_volumes();
    let undisturbed = {
        let counter = CutOff::at(usize::MAX);
        let report = run_with(&place.split(), &counter).unwrap();
        (report, place.mails(Secret::None), place.files(), counter.seen.into_inner())
    };
    assert!(undisturbed.3 > 15, "{}", undisturbed.3);
    for at in 0..undisturbed.3 {
        fs::remove_dir_all(place.target()).unwrap();
        let options = place.split();
        run_with(&options, &CutOff::at(at)).unwrap_err();
        // A second time, somewhere else, before it may end.
        let _ = run_with(&options, &CutOff::at(at % 5));
        let report = run(&options).unwrap();
        assert_closes(&report);
        assert_eq!(place.files(), undisturbed.2, "cut off before effect {at}");
        assert_eq!(place.mails(Secret::None), undisturbed.1, "cut off before effect {at}");
        let same = ExportReport {
            export_id: undisturbed.0.export_id.clone(),
            certificate_sha256: undisturbed.0.certificate_sha256.clone(),
            volumes: undisturbed.0.volumes.clone(),
            ..report.clone()
        };
        assert_eq!(same, undisturbed.0, "cut off before effect {at}");
        place.verify(Secret::None);
        assert_eq!(run(&options).unwrap(), report, "the report is repeated");
    }
}

/// An export that was cut off when its first volumes were finished.
fn unfinished(options: &ExportOptions) {
    let error = run_with(
        options,
        &Hook(|effect: &Effect| match effect {
            Effect::Publish(name) if name == "out-0003.mszip" => Err(io::Error::other("cut off")),
            _ => Ok(()),
        }),
    );
    assert_eq!(kind(error), ErrorKind::Unavailable);
}

#[test]
fn other_options_do_not_resume() {
    let place = three_volumes();
    let options = ExportOptions { password: Some("geheim".into()), ..place.split() };
    unfinished(&options);
    let with_password =
        |password: Option<&str>| ExportOptions { password: password.map(str::to_owned), ..options.clone() };
    assert_eq!(kind(run(&with_password(Some("falsch")))), ErrorKind::Denied);
    assert_eq!(run(&with_password(None)).unwrap_err().machine_code(), "password_needed");
    for other in [
        ExportOptions { volume_size: "2MiB".parse().unwrap(), ..options.clone() },
        ExportOptions { layout: Layout::Eml, ..options.clone() },
        ExportOptions { user_archive: Some("jane".into()), ..options.clone() },
        ExportOptions { from: place.source().join("jane"), ..options.clone() },
    ] {
        assert_eq!(kind(run(&other)), ErrorKind::Invalid);
    }
    let report = run(&options).unwrap();
    assert_closes(&report);
    place.verify(Secret::Password("geheim"));
    assert_eq!(kind(run(&place.options())), ErrorKind::Invalid);
    assert_eq!(run(&options).unwrap(), report);
}

#[test]
fn a_finished_volume_that_was_moved_away_is_named() {
    let place = three_volumes();
    let options = place.split();
    unfinished(&options);
    let volume = |number: u64| place.target().join(format!("out-000{number}.mszip"));
    let away = |number: u64| place.dir.path().join(format!("away-{number}"));
    for moved in [vec![1], vec![2], vec![1, 2]] {
        for number in &moved {
            fs::rename(volume(*number), away(*number)).unwrap();
        }
        let error = run(&options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains(&format!("out-000{}.mszip", moved[0])), "{error}");
        for number in &moved {
            fs::rename(away(*number), volume(*number)).unwrap();
        }
    }
    assert_closes(&run(&options).unwrap());
    place.verify(Secret::None);
}

#[test]
fn a_finished_volume_that_was_changed_stops_the_resume() {
    let place = three_volumes();
    let options = place.split();
    unfinished(&options);
    let path = place.target().join("out-0001.mszip");
    let whole = fs::read(&path).unwrap();
    let mut changed = whole.clone();
    changed[500_000] ^= 1;
    fs::write(&path, &changed).unwrap();
    let error = run(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("out-0001.mszip"), "{error}");
    fs::copy(place.target().join("out-0002.mszip"), &path).unwrap();
    assert_eq!(kind(run(&options)), ErrorKind::Invalid);
    fs::write(&path, whole).unwrap();
    assert_closes(&run(&options).unwrap());
}

#[test]
fn a_source_that_changed_between_two_runs_is_told_truthfully() {
    let place = three_volumes();
    let options = place.split();
    unfinished(&options);
    fs::remove_file(place.source().join("jane/Inbox/0.eml")).unwrap();
    place.put("jane/Inbox/1.eml", &small(1));
    place.put("jane/Inbox/0 new.eml", &small(99));
    place.put("jane/Inbox/6 empty.eml", &small(6));
    let report = run(&options).unwrap();
    assert_closes(&report);
    // Ten mails before: one gone that is in a volume, one new, one that can be read now.
    assert_eq!((report.in_source, report.exported, report.vanished), (11, 11, 1));
    assert_eq!(report.changed.len(), 1);
    assert_eq!(report.changed[0].source, "jane/Inbox/1.eml");
    place.verify(Secret::None);
    let mails: Vec<_> = place.mails(Secret::None).into_iter().flatten().collect();
    let raw = |key: &str| mails.iter().find(|(_, m, _)| m.source_key.as_deref() == Some(key)).unwrap().2.clone();
    assert_eq!(raw("jane/Inbox/0.eml"), noisy(0, 300_000));
    assert_eq!(raw("jane/Inbox/1.eml"), noisy(1, 300_000));
    assert_eq!(raw("jane/Inbox/0 new.eml"), small(99));
}

#[test]
fn a_mail_that_goes_away_is_named_and_a_source_that_goes_away_stops_all() {
    let place = Place::new();
    for seed in 0..4 {
        place.put(&format!("jane/{seed}.eml"), &small(seed));
    }
    let options = ExportOptions { layout: Layout::Eml, ..place.options() };
    let (source, hidden) = (place.source(), place.dir.path().join("hidden"));
    let error = run_with(
        &options,
        &Hook(|effect: &Effect| match effect {
            Effect::Publish(name) if name == "out.cer" => fs::rename(&source, &hidden),
            _ => Ok(()),
        }),
    );
    assert_eq!(kind(error), ErrorKind::NotFound);
    assert_eq!(kind(run(&options)), ErrorKind::NotFound);
    fs::rename(&hidden, &source).unwrap();
    let changing = Watch(|step: archive::export::Step<'_>| {
        if step.mails == 1 {
            let _ = fs::remove_file(source.join("jane/3.eml"));
        }
    });
    let report = run_with(&options, &changing).unwrap();
    assert_closes(&report);
    assert_eq!(report.in_source, report.exported + report.skipped.len() as u64);
    place.verify(Secret::None);
}

/// Calls back after each mail.
struct Watch<F>(F);

impl<F: Fn(archive::export::Step<'_>) + Sync> Progress for Watch<F> {
    fn advance(&self, step: archive::export::Step<'_>) {
        (self.0)(step);
    }
}

#[test]
fn a_source_that_was_never_there_leaves_nothing_behind() {
    let place = Place::new();
    let options = ExportOptions { from: place.dir.path().join("missing"), ..place.options() };
    assert_eq!(kind(run(&options)), ErrorKind::NotFound);
    assert!(!place.target().exists());
    let unbuilt = ExportOptions { layout: Layout::Mbox, ..place.options() };
    assert_eq!(kind(run(&unbuilt)), ErrorKind::Invalid);
    assert!(!place.target().exists());
}

#[test]
fn an_empty_source_makes_one_empty_volume() {
    let place = Place::new();
    let report = run(&place.options()).unwrap();
    assert_closes(&report);
    assert_eq!((report.in_source, report.volumes.len()), (0, 1));
    place.verify(Secret::None);
}

#[test]
fn large_mails_are_spooled_and_what_fits_no_volume_is_named() {
    let place = Place::new();
    place.put("jane/1.eml", &small(1));
    place.put("jane/2.eml", &noisy(2, 20_000_000));
    place.put("jane/3.eml", &small(3));
    place.put("jane/4.eml", &noisy(2, 20_000_000));
    let report = run(&ExportOptions { password: Some("p".into()), ..place.options() }).unwrap();
    assert_closes(&report);
    assert_eq!((report.exported, report.unique_mails), (4, Some(3)));
    let mails = place.mails(Secret::Password("p")).remove(0);
    assert_eq!(mails[1].2, noisy(2, 20_000_000));
    assert_eq!(mails[1].1.message_date, Some(1_672_653_600));
    assert_eq!(mails[3].1.reference, Some(2));
    place.verify(Secret::Password("p"));

    fs::remove_dir_all(place.target()).unwrap();
    let report = run(&place.split()).unwrap();
    assert_closes(&report);
    assert_eq!((report.exported, report.skipped.len(), report.volumes.len()), (2, 2, 1));
    assert!(report.skipped[0].reason.contains("does not fit"));
}

#[test]
fn password_and_recipients_each_open_the_volumes() {
    let place = Place::new();
    place.put("jane/1.eml", b"Subject: a secret subject\n\nbody\n");
    let key = p256::SecretKey::from_slice(&[7; 32]).unwrap();
    let recipient = {
        let mut rng = Generator;
        Certificate::issue_for_agreement(&key.public_key(), "archive", &mut rng).unwrap()
    };
    let options = ExportOptions {
        password: Some("geheim".into()),
        recipients: vec![recipient.clone(), recipient.clone()],
        ..place.options()
    };
    let report = run_with(&options, &state_is_private(&place, false)).unwrap();
    assert!(report.encrypted);
    place.verify(Secret::Password("geheim"));
    place.verify(Secret::RecipientKey(&key));

    fs::remove_dir_all(place.target()).unwrap();
    let options = ExportOptions { recipients: vec![recipient; 9], ..place.options() };
    run_with(&options, &state_is_private(&place, true)).unwrap();
    place.verify(Secret::RecipientKey(&key));

    for wrong in ["", &"x".repeat(1_025)] {
        let options = ExportOptions { password: Some(wrong.to_owned()), name: "b".parse().unwrap(), ..place.options() };
        assert_eq!(kind(run(&options)), ErrorKind::Invalid);
    }
    assert_eq!(place.files().len(), 4);
}

/// The state file is the owner's alone, and holds the options in clear only without a password.
fn state_is_private(place: &Place, readable: bool) -> impl Progress + use<> {
    let state = place.target().join("out.export-state");
    Hook(move |effect: &Effect| {
        if matches!(effect, Effect::Flush(_)) {
            let bytes = fs::read(&state)?;
            assert_eq!(bytes.windows(9).any(|window| window == b"\"options\""), readable);
            #[cfg(unix)]
            {
                use std::os::unix::fs::MetadataExt as _;
                assert_eq!(fs::metadata(&state)?.mode() & 0o777, 0o600);
            }
        }
        Ok(())
    })
}

struct Generator;

impl rand_core::TryRng for Generator {
    type Error = std::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        Counted.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        Counted.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        Counted.fill(bytes);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Generator {}

#[test]
fn a_name_belongs_to_one_export() {
    let place = Place::new();
    place.put("jane/1.eml", &small(1));
    let options = place.options();
    // A second exporter while the first one runs.
    let second = options.clone();
    let tried = AtomicUsize::new(0);
    run_with(
        &options,
        &Hook(|effect: &Effect| {
            if matches!(effect, Effect::Publish(name) if name == "out-0001.mszip") {
                tried.fetch_add(1, Ordering::SeqCst);
                assert_eq!(kind(run(&second)), ErrorKind::Unavailable);
            }
            Ok(())
        }),
    )
    .unwrap();
    assert_eq!(tried.into_inner(), 1);
    for taken in ["a.cer", "b-0004.mszip", "c.report.html", "d-0001.mszip.part"] {
        fs::write(place.target().join(taken), "foreign").unwrap();
        let options = ExportOptions { name: taken[..1].parse().unwrap(), ..place.options() };
        assert_eq!(kind(run(&options)), ErrorKind::Invalid, "{taken}");
    }
    fs::write(place.target().join("e.report.json"), "{}").unwrap();
    assert_eq!(kind(run(&ExportOptions { name: "e".parse().unwrap(), ..place.options() })), ErrorKind::Invalid);
    assert_eq!(place.files().iter().filter(|name| name.contains("export-state")).count(), 0);
    #[cfg(unix)]
    {
        let victim = place.dir.path().join("victim");
        fs::write(&victim, "mine").unwrap();
        std::os::unix::fs::symlink(&victim, place.target().join("f.export-state.part")).unwrap();
        assert_eq!(kind(run(&ExportOptions { name: "f".parse().unwrap(), ..place.options() })), ErrorKind::Invalid);
        assert_eq!(fs::read(&victim).unwrap(), b"mine");
    }
}

#[test]
fn a_full_disk_leaves_an_export_that_goes_on() {
    let place = three_volumes();
    let options = place.split();
    let error = run_with(
        &options,
        &Hook(|effect: &Effect| match effect {
            Effect::Flush(name) if name.starts_with("out-0002") => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }),
    )
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.advice().unwrap().contains("make room"));
    assert_closes(&run(&options).unwrap());
    place.verify(Secret::None);
}

#[test]
fn a_dry_run_writes_nothing() {
    let place = three_volumes();
    let nobody = Surroundings { clock: &At(0), random: &Counted, generator: "test 1", progress: &() };
    let report = dry_run(&place.split(), &nobody).unwrap();
    assert_eq!((report.in_source, report.exported, report.skipped.len()), (10, 9, 1));
    assert_eq!((report.volumes_expected, report.complete), (Some(3), false));
    assert!(report.raw_bytes >= 2_700_000);
    assert!(!place.target().exists());
}

#[test]
fn a_target_inside_the_source_is_refused() {
    let place = Place::new();
    let options = ExportOptions { to: place.source().join("a/b"), ..place.options() };
    assert_eq!(kind(run(&options)), ErrorKind::Invalid);
    assert!(!place.source().join("a").exists());
}
