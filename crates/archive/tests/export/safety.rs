//! Who can open an export, and what it never overwrites.

use std::fs::{self};
use std::sync::atomic::{AtomicUsize, Ordering};

use archive::ErrorKind;
use archive::export::{Effect, ExportOptions, Progress};
use archive::ports::Random;
use volume::{Certificate, Secret};

use crate::place::*;

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
