use std::{
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use russh_sftp::protocol::OpenFlags;
use sftp::Options;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::server::{Line, PASSWORD, Server, anna, keygen, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_password_or_a_key_lets_in() {
    let server = Server::start().await;
    assert!(server.fingerprint.starts_with("SHA256:"));
    assert!(Line::open(&server).await.by_password("anna", PASSWORD).await);
    assert!(Line::open(&server).await.by_key("anna", &server.key_file()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rsa_and_ecdsa_keys_let_in() {
    let server = Server::start().await;
    for kind in ["rsa", "ecdsa"] {
        let line = keygen(server.folder(), kind, kind);
        let user = archive::access::NewUser {
            name: kind.into(),
            groups: vec!["compliance".into()],
            keys: vec![line],
            ..Default::default()
        };
        server.archive.add_user(user).await.unwrap();
        assert!(Line::open(&server).await.by_key(kind, &server.folder().join(kind)).await, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_refused_whatever_they_show() {
    let server = Server::start().await;
    keygen(server.folder(), "stranger", "ed25519");
    let begun = Instant::now();
    for (user, password) in
        [("anna", "wrong"), ("anna", ""), ("nobody", PASSWORD), ("mfa", PASSWORD), ("rita", PASSWORD), ("", "")]
    {
        assert!(!Line::open(&server).await.by_password(user, password).await, "{user}");
    }
    assert!(begun.elapsed() >= 6 * Duration::from_millis(50), "each refusal takes its time");
    for (user, file) in [("anna", "stranger"), ("mfa", "anna"), ("rita", "anna"), ("nobody", "anna")] {
        assert!(!Line::open(&server).await.by_key(user, &server.folder().join(file)).await, "{user}");
    }
    assert!(!Line::open(&server).await.ssh.authenticate_none("anna").await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_ends_the_connection_and_then_the_patience() {
    let server = Server::start_with(Options { refusal_delay: Duration::ZERO, ..Options::default() }).await;
    let mut line = Line::open(&server).await;
    for _ in 0..12 {
        assert!(!line.by_password("anna", "wrong").await);
    }
    assert!(!line.by_password("anna", PASSWORD).await, "the connection is over");
    for _ in 0..30 {
        Line::open(&server).await.by_password("anna", "wrong").await;
    }
    assert!(!Line::open(&server).await.by_password("anna", PASSWORD).await, "this peer waits now");
}

/// Over a connection that stays open, a user who lost the role.
#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_taken_away_end_the_session() {
    let server = Server::start().await;
    let (line, sftp) = anna(&server).await;
    let channel = line.ssh.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let mut raw = channel.into_stream();
    server.archive.set_groups("anna", ["readers".to_owned()].into()).await.unwrap();
    assert!(sftp.stat("/").await.is_ok());
    // SSH_FXP_REMOVE of "a", under id 9.
    raw.write_all(&[0, 0, 0, 10, 13, 0, 0, 0, 9, 0, 0, 0, 1, b'a']).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), raw.read_to_end(&mut answer)).await.unwrap().unwrap();
    // SSH_FXP_STATUS: SSH_FX_PERMISSION_DENIED.
    assert_eq!(answer.get(4..13), Some([101, 0, 0, 0, 9, 0, 0, 0, 3].as_slice()), "the answer, then the end");
    assert!(line.ssh.channel_open_session().await.is_err(), "nor is there another session");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_but_sftp() {
    let server = Server::start().await;
    let (line, sftp) = anna(&server).await;
    let channel = line.ssh.channel_open_session().await.unwrap();
    for refused in [channel.exec(true, "id").await, channel.request_shell(true).await] {
        assert!(refused.is_ok(), "the request was sent");
    }
    let mut output = Vec::new();
    channel.into_stream().read_to_end(&mut output).await.unwrap();
    assert_eq!(output, b"");
    assert!(line.ssh.channel_open_direct_tcpip("127.0.0.1", 22, "127.0.0.1", 1).await.is_err());
    assert!(line.ssh.tcpip_forward("127.0.0.1", 0).await.is_err());
    assert!(sftp.stat("/").await.is_ok(), "the session beside it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_bounded() {
    let options = Options { max_connections_per_peer: 2, ..Options::default() };
    let server = Server::start_with(options).await;
    let (_one, two) = (Line::open(&server).await, Line::open(&server).await);
    let mut third = tokio::net::TcpStream::connect(server.address).await.unwrap();
    assert!(matches!(third.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    two.cut();
    for attempt in 0.. {
        let mut again = tokio::net::TcpStream::connect(server.address).await.unwrap();
        if again.read(&mut [0; 4]).await.is_ok_and(|n| n > 0) {
            break;
        }
        assert!(attempt < 100, "the place is never given back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_log_in_has_to_go() {
    let options = Options { login_timeout: Duration::from_millis(300), ..Options::default() };
    let server = Server::start_with(options).await;
    let mut silent = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let mut greeting = Vec::new();
    silent.read_to_end(&mut greeting).await.unwrap();
    assert_eq!(greeting, b"SSH-2.0-Postkahn\r\n");
    let line = Line::open(&server).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(line.ssh.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_end() {
    let options = Options { idle_timeout: Duration::from_millis(300), ..Options::default() };
    let server = Server::start_with(options).await;
    let (line, sftp) = anna(&server).await;
    open(&sftp, "a", OpenFlags::WRITE | OpenFlags::CREATE).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(line.ssh.is_closed());
    drop(server.home().write("a", archive::ports::OpenMode::default()).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_all_and_leaves_files_partial() {
    let server = Server::start().await;
    let (line, sftp) = anna(&server).await;
    let handle = open(&sftp, "a", OpenFlags::WRITE | OpenFlags::CREATE).await;
    sftp.write(handle, 0, b"abc".to_vec()).await.unwrap();
    let home = server.home();
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(9));
    let entry = home.stat("a").await.unwrap();
    assert_eq!((entry.name.as_str(), entry.size_bytes), ("a", 3));
    assert!(line.ssh.is_closed());
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut *self.0.lock().unwrap(), bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// On one thread, so that everything is logged here.
#[tokio::test]
async fn the_log_says_why_a_login_was_refused_and_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let server = Server::start().await;
    assert!(!Line::open(&server).await.by_password("mfa", PASSWORD).await);
    assert!(!Line::open(&server).await.by_key("mfa", &server.key_file()).await);
    assert!(!Line::open(&server).await.by_password("rita", PASSWORD).await);
    assert!(!Line::open(&server).await.by_password("anna", "not the password").await);
    keygen(server.folder(), "stranger", "ed25519");
    assert!(!Line::open(&server).await.by_key("anna", &server.folder().join("stranger")).await);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.matches("has a second factor switched on").count(), 2, "{log}");
    assert!(log.contains("rita lacks the role Compliance"), "{log}");
    let of = |reason| log.lines().filter(move |line| line.contains(reason)).collect::<Vec<_>>();
    let (password, key) = (of("user name or password is wrong"), of("user name or key is wrong"));
    assert!(password.len() == 1 && password[0].contains("127.0.0.1:"), "{log}");
    assert!(key.len() == 1 && key[0].contains("\"anna\"") && key[0].contains("SHA256:"), "{log}");
    assert!(!log.contains(PASSWORD) && !log.contains("not the password"), "{log}");
}

/// An agent offers key after key; that is no guessing.
#[tokio::test(flavor = "multi_thread")]
async fn strange_keys_do_not_use_up_the_patience() {
    let server = Server::start_with(Options { refusal_delay: Duration::ZERO, ..Options::default() }).await;
    keygen(server.folder(), "stranger", "ed25519");
    for _ in 0..40 {
        assert!(!Line::open(&server).await.by_key("anna", &server.folder().join("stranger")).await);
    }
    assert!(Line::open(&server).await.by_key("anna", &server.key_file()).await);
}
