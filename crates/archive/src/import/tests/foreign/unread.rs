//! Uploads that may hold more than was read of them.

use super::*;
use crate::uploads::Upload;

#[tokio::test]
async fn an_upload_that_may_hold_more_mails_stays() {
    let world = world(None);
    let inner = zip(&[("1.eml", &mail(1))]);
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("a.zip", zip(&[("1.eml", &mail(2)), ("in.zip", &inner)]), "an archive or store within it was not read"),
        ("b.zip", zip(&[("a.pst", b"!BDN"), ("a.gz", b"\x1F\x8B\x08")]), "2 archives or stores within it were not"),
        ("c.zip", zip(&[("a.jpg", b"\xFF\xD8\xFF")]), "no mail was found in it"),
        ("d.zip", zip(&[("1.eml", &mail(3)), ("a.pdf", b"%PDF-")]), "the upload is deleted"),
    ];
    for (name, bytes, said) in cases {
        world.upload(name, bytes.into()).await;
        let view = world.import_file(name).await;
        assert_eq!((view.state, view.balanced, view.failed.len()), (ImportState::Finished, true, 0), "{name}");
        let lines = world.archive.process_lines(&view.process.unwrap(), None, 100).await.unwrap();
        assert!(lines.iter().any(|line| line.text.contains(said)), "{name}: {lines:?}");
    }
    let uploads = world.archive.uploads().await.unwrap();
    assert_eq!(uploads.iter().map(Upload::name).collect::<Vec<_>>(), ["a.zip", "b.zip", "c.zip"]);
    assert!(uploads.iter().all(|upload| upload.import.is_none() && upload.state == UploadState::Ready));
}
