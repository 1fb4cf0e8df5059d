//! A second client, over libssh2.

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use archive::ports::OpenMode;
use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::server::{PASSWORD, Server, sample};

/// False, and loudly so, where curl cannot do SFTP.
fn is_here() -> bool {
    let version = Command::new("curl").arg("-V").output();
    let found = version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).contains(" sftp "));
    if !found {
        eprintln!("SKIPPED: curl with SFTP is not installed, so nothing is known about it");
    }
    found
}

async fn curl(server: &Server, arguments: &[&str], path: &str) -> Output {
    let mut command = Command::new("curl");
    command.args(["-sS", "-k", "-u", &format!("anna:{PASSWORD}")]).args(arguments);
    command.arg(format!("sftp://{}/{path}", server.address)).current_dir(server.folder()).stdin(Stdio::null());
    spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn succeeds(server: &Server, arguments: &[&str], path: &str) -> Vec<u8> {
    let output = curl(server, arguments, path).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_uploads_lists_renames_and_reads() {
    if !is_here() {
        return;
    }
    let server = Server::start().await;
    let bytes = sample(2_000_001);
    fs::write(server.folder().join("f"), &bytes).unwrap();
    succeeds(&server, &["-T", "f", "-Q", "-rename /a.part /a.zip"], "a.part").await;
    assert_eq!(server.looks(), 1);
    let listing = String::from_utf8(succeeds(&server, &[], "").await).unwrap();
    assert!(listing.contains("2000001") && listing.contains("(Pending) a.zip"), "{listing}");
    assert!(succeeds(&server, &[], "a.zip").await == bytes);
    succeeds(&server, &["-Q", "-rm /a.zip"], "").await;
    assert_eq!(server.names().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_resumes_and_appends() {
    if !is_here() {
        return;
    }
    let server = Server::start().await;
    let bytes = sample(1_000_000);
    fs::write(server.folder().join("f"), &bytes).unwrap();
    let create = OpenMode { create: true, ..OpenMode::default() };
    let mut file = server.home().write("a.zip", create).await.unwrap();
    file.write_at(0, Bytes::copy_from_slice(&bytes[..123_456])).await.unwrap();
    drop(file);
    succeeds(&server, &["-T", "f", "-C", "-"], "a.zip").await;
    assert!(server.content("a.zip").await == bytes);
    assert_eq!(server.names().await, [("(Pending) a.zip".to_owned(), 1_000_000)]);
    succeeds(&server, &["-T", "f", "--append"], "a.zip").await;
    assert!(server.content("a.zip").await == [bytes.as_slice(), &bytes].concat());
}
