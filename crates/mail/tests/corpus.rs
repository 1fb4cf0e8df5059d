//! Real and broken mails from public collections, if they lie beside the project: `../shared/corpus`.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mail::source::{Item, Layout, Options, open};
use mail::{Defect, Limits, has_attachment, looks_like_mail, message_date, scan_headers, summarize, view};

fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    if !path.is_dir() {
        eprintln!("skipped: no corpus at {}", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn every_file_of_the_corpus_is_read() {
    let Some(root) = corpus() else { return };
    let options = Options::new("corpus", tempfile::env::temp_dir());
    let (mut mails, mut failed) = (0, Vec::new());
    for item in open(&root, Layout::Eml, &options).unwrap() {
        let Item::Mail(found) = item else { continue };
        let raw = found.read(1 << 30).unwrap();
        let start = Instant::now();
        let view = view(&raw, &Limits::default());
        let scan = scan_headers(&raw, true);
        message_date(&scan, found.fallback_date);
        let summary = summarize(&raw, true);
        assert_eq!((&summary.subject, &summary.from), (&view.subject, &view.from), "{}", found.key);
        assert_eq!(view.headers.len(), scan.fields.len(), "{}", found.key);
        let coarse = view.defects.contains(Defect::NestedEnc) || view.defects.contains(Defect::HdrBom);
        let attached = has_attachment(&scan, &raw, &mut std::io::empty()).unwrap();
        assert!(coarse || attached != view.attachments.is_empty(), "{}", found.key);
        if view.defects.contains(Defect::ParserFailed) || start.elapsed() > Duration::from_secs(10) {
            failed.push(found.key);
        }
        mails += 1;
    }
    assert!(mails > 600, "{mails}");
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn truncations_of_small_corpus_files_never_panic() {
    let Some(root) = corpus() else { return };
    let options = Options::new("corpus", tempfile::env::temp_dir());
    for item in open(&root.join("stalwart-mail-parser"), Layout::Eml, &options).unwrap() {
        let Item::Mail(found) = item else { continue };
        let raw = found.read(1 << 30).unwrap();
        for end in (0..raw.len().min(3000)).step_by(7) {
            let cut = &raw[..end];
            looks_like_mail(cut);
            assert!(!view(cut, &Limits::default()).defects.contains(Defect::ParserFailed), "{} at {end}", found.key);
        }
    }
}
