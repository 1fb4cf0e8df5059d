use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use archive::ports::OpenMode;
use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::server::{Server, sample};

/// False, and loudly so, where the client is not installed.
fn is_here() -> bool {
    let found = Command::new("sftp").arg("-h").stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("SKIPPED: OpenSSH's sftp is not installed, so nothing is known about it");
    }
    found
}

/// Runs the commands one by one; stops at the first that fails unless it begins with `-`.
async fn sftp(server: &Server, extra: &[&str], batch: &str) -> Output {
    let script = server.folder().join("batch");
    fs::write(&script, batch).unwrap();
    let mut command = Command::new("sftp");
    command.args(["-q", "-P", &server.address.port().to_string(), "-o", "StrictHostKeyChecking=no"]);
    command.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes", "-F", "/dev/null"]);
    command.args(extra).arg("-i").arg(server.key_file()).arg("-b").arg(script).arg("anna@127.0.0.1");
    command.current_dir(server.folder()).stdin(Stdio::null());
    spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn succeeds(server: &Server, extra: &[&str], batch: &str) -> String {
    let output = sftp(server, extra, batch).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

async fn fails(server: &Server, batch: &str) -> String {
    let output = sftp(server, &[], batch).await;
    assert!(!output.status.success(), "{batch}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn local(server: &Server, name: &str, bytes: &[u8]) {
    fs::write(server.folder().join(name), bytes).unwrap();
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_up_and_comes_back() {
    if !is_here() {
        return;
    }
    let server = Server::start().await;
    let bytes = sample(3_000_001);
    local(&server, "a b+c%20ä.zip", &bytes);
    let said =
        succeeds(&server, &[], "put -pf \"a b+c%20ä.zip\"\nls -1\nls -l\ndf\nget \"(Pending) a b+c%20ä.zip\" back\n")
            .await;
    assert!(said.contains("(Pending) a b+c%20ä.zip"), "{said}");
    assert!(said.contains("-rw-------"), "{said}");
    assert!(read(server.folder(), "back") == bytes);
    assert_eq!(server.looks(), 1);
    succeeds(&server, &[], "rename \"a b+c%20ä.zip\" b.zip\nrm b.zip\n").await;
    assert_eq!(server.names().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_exchanged_anew_in_mid_upload() {
    if !is_here() {
        return;
    }
    let server = Server::start().await;
    let bytes = sample(24 << 20);
    local(&server, "big", &bytes);
    succeeds(&server, &["-o", "RekeyLimit=1M"], "put big\nget big back\n").await;
    assert!(read(server.folder(), "back") == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_and_small_blocks_arrive() {
    if !is_here() {
        return;
    }
    let server = Server::start().await;
    let bytes = sample(1 << 20);
    local(&server, "f", &bytes);
    for (block, requests) in [("512", "200"), ("32768", "64"), ("261120", "16")] {
        succeeds(&server, &["-B", block, "-R", requests], "put f\nget f back\n").await;
        assert!(read(server.folder(), "back") == bytes, "{block}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reput_goes_on_where_the_file_ends() {
    if !is_here() {
        return;
    }
    let server = Server::start().await;
    let bytes = sample(1_000_000);
    local(&server, "a.mszip", &bytes);
    let create = OpenMode { create: true, ..OpenMode::default() };
    let mut file = server.home().write("a.mszip", create).await.unwrap();
    file.write_at(0, Bytes::copy_from_slice(&bytes[..400_000])).await.unwrap();
    drop(file);
    assert_eq!(server.names().await, [("a.mszip".to_owned(), 400_000)]);
    succeeds(&server, &[], "reput a.mszip\n").await;
    assert_eq!(server.names().await, [("(Pending) a.mszip".to_owned(), 1_000_000)]);
    assert!(server.content("a.mszip").await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn reput_goes_on_after_a_cut_file_was_closed() {
    if !is_here() {
        return;
    }
    let server = Server::start().await;
    let bytes = sample(1_000_000);
    // The client closes a file that the user broke off, so it comes in as if it were whole.
    local(&server, "a.mszip", &bytes[..300_000]);
    succeeds(&server, &[], "put a.mszip\n").await;
    server.memory.work(&server.archive).await.unwrap();
    assert_eq!(server.names().await, [("(Rejected) a.mszip".to_owned(), 300_000)]);
    local(&server, "a.mszip", &bytes);
    succeeds(&server, &[], "reput a.mszip\n").await;
    assert!(server.content("a.mszip").await == bytes);
    assert_eq!(server.names().await, [("(Pending) a.mszip".to_owned(), 1_000_000)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outside_the_home_is_reached() {
    if !is_here() {
        return;
    }
    let server = Server::start().await;
    local(&server, "f", b"x");
    for batch in
        ["get ../../../etc/passwd x\n", "put f ../../tmp/f\n", "cd sub\n", "mkdir sub\n", "ln f g\n", "ln -s f g\n"]
    {
        fails(&server, batch).await;
    }
    fails(&server, "-put f\nchown 0 f\n").await;
    succeeds(&server, &[], "put f /../g\n").await;
    let names = server.names().await;
    assert_eq!(names, [("(Pending) f".to_owned(), 1), ("(Pending) g".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_runs() {
    if !is_here() {
        return;
    }
    let server = Server::start().await;
    let mut command = Command::new("ssh");
    command.args(["-q", "-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
    command.args(["-o", "BatchMode=yes", "-p", &server.address.port().to_string(), "-i"]).arg(server.key_file());
    command.args(["anna@127.0.0.1", "id"]).stdin(Stdio::null());
    let output = spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(!output.status.success());
    assert_eq!(output.stdout, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn scp_uploads_over_sftp() {
    if !is_here() {
        return;
    }
    let server = Server::start().await;
    let bytes = sample(500_000);
    local(&server, "f.zip", &bytes);
    let port = server.address.port().to_string();
    for (from, to) in [("f.zip", "anna@127.0.0.1:"), ("anna@127.0.0.1:f.zip", "back")] {
        let mut command = Command::new("scp");
        command.args(["-s", "-q", "-p", "-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-P", &port]);
        command.args(["-o", "UserKnownHostsFile=/dev/null", "-i"]).arg(server.key_file()).args([from, to]);
        command.current_dir(server.folder()).stdin(Stdio::null());
        let output = spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(read(server.folder(), "back") == bytes);
}
