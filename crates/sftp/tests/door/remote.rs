//! The client against our own server: what is cut off goes on, what differs is noticed, nothing is taken on trust.

use std::{fs, net::SocketAddr, path::Path, sync::Mutex, time::Duration};

use archive::{Error, ErrorKind, Result, ports::OpenMode};
use bytes::Bytes;
use sftp::{
    Options,
    remote::{
        Address, Courier, Fingerprint, KnownHosts, Line, LocalFile, Login, Meeting, Progress, Sent, SentState, Trust,
        UserKey,
    },
};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
};

use crate::server::{PASSWORD, Server, keygen, sample};

const SIZE: usize = 3 << 20;

/// What is done once so many bytes were taken.
type Trap<'a> = (u64, Box<dyn FnOnce() + 'a>);

/// Remembers where files began; may do something once some bytes were taken.
#[derive(Default)]
pub(crate) struct Watch<'a> {
    begun: Mutex<Vec<u64>>,
    losses: Mutex<u32>,
    at_bytes: Mutex<Option<Trap<'a>>>,
}

impl Progress for Watch<'_> {
    fn file(&self, _: usize, _: &LocalFile, from: u64) {
        self.begun.lock().unwrap().push(from);
    }
    fn sent(&self, bytes: u64) {
        let mut at = self.at_bytes.lock().unwrap();
        let Some((left, act)) = at.take() else { return };
        match left.checked_sub(bytes) {
            Some(left) => *at = Some((left, act)),
            None => act(),
        }
    }
    fn lost(&self, _: &str, _: Duration) {
        *self.losses.lock().unwrap() += 1;
    }
    fn waiting(&self, _: usize) {}
}

fn address(server: &Server) -> Address {
    address_at(server.address)
}

fn address_at(address: SocketAddr) -> Address {
    format!("sftp://anna@127.0.0.1:{}", address.port()).parse().unwrap()
}

/// A way to the server whose first connection breaks off after some bytes; the server hears of it only a moment later.
async fn breaking(server: &Server, after_bytes: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (here, there) = (listener.local_addr().unwrap(), server.address);
    tokio::spawn(async move {
        let mut limit = after_bytes;
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(there).await.unwrap();
            tokio::spawn(relay(near, far, std::mem::replace(&mut limit, u64::MAX)));
        }
    });
    here
}

async fn relay(near: TcpStream, far: TcpStream, limit: u64) {
    let ((near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
    let back = tokio::spawn(async move { tokio::io::copy(&mut far_in, &mut near_out).await });
    let _ = tokio::io::copy(&mut near_in.take(limit), &mut far_out).await;
    back.abort();
    tokio::time::sleep(Duration::from_secs(1)).await;
}

fn pinned(server: &Server) -> Trust {
    Trust::Fingerprint(server.fingerprint.parse().unwrap())
}

fn by_password(password: &str) -> Login {
    Login { password: Some(password.to_owned()), ..Login::default() }
}

async fn enter(server: &Server, login: Login) -> Result<Line> {
    match Meeting::with(&address(server), &pinned(server)).await? {
        Meeting::Trusted(trusted) => trusted.log_in(login, 3).await,
        Meeting::Stranger(_) => panic!("a fingerprint judges every key"),
    }
}

fn local(folder: &Path, name: &str, bytes: &[u8]) -> LocalFile {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    LocalFile::find(&path, name).unwrap()
}

async fn run(server: &Server, files: &[LocalFile], replace: bool, watch: &Watch<'_>) -> (Vec<Sent>, Option<Error>) {
    let line = enter(server, by_password(PASSWORD)).await.unwrap();
    let mut courier = Courier::new(line, files, replace, watch);
    if let Err(error) = courier.look().await {
        return (courier.end().await, Some(error));
    }
    let error = courier.send().await.err();
    (courier.end().await, error)
}

/// Uploads one file without trouble.
async fn uploaded(server: &Server, file: &LocalFile, replace: bool) -> Sent {
    let (mut sent, error) = run(server, std::slice::from_ref(file), replace, &Watch::default()).await;
    assert!(error.is_none(), "{error:?}");
    sent.remove(0)
}

async fn partial(server: &Server, name: &str, bytes: &[u8]) {
    let create = OpenMode { create: true, ..OpenMode::default() };
    let mut file = server.home().write(name, create).await.unwrap();
    file.write_at(0, Bytes::copy_from_slice(bytes)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_up_once() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (a, b) = (sample(SIZE), b"x".to_vec());
    let files = [local(folder.path(), "a.mszip", &a), local(folder.path(), "b ä.mszip", &b)];
    let (sent, error) = run(&server, &files, false, &Watch::default()).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(sent.iter().map(|sent| sent.sent_bytes).collect::<Vec<_>>(), [SIZE as u64, 1]);
    server.until(&[("(Pending) a.mszip", SIZE as u64), ("(Pending) b ä.mszip", 1)]).await;
    assert!(server.content("a.mszip").await == a);
    let again = uploaded(&server, &files[0], false).await;
    assert_eq!((again.already_there, again.sent_bytes, again.state), (true, 0, SentState::Pending));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_of_the_server_is_waited_for() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let files = [local(folder.path(), "a.mszip", &sample(SIZE))];
    let (watch, line) = (Watch::default(), enter(&server, by_password(PASSWORD)).await.unwrap());
    let mut courier = Courier::new(line, &files, false, &watch);
    courier.look().await.unwrap();
    courier.send().await.unwrap();
    courier.wait(Duration::ZERO).await.unwrap();
    assert_eq!(courier.sent()[0].state, SentState::Pending);
    server.memory.work(&server.archive).await.unwrap();
    courier.wait(Duration::from_mins(1)).await.unwrap();
    let sent = &courier.sent()[0];
    assert_eq!(sent.state, SentState::Rejected);
    assert!(sent.reason.as_deref().is_some_and(|reason| !reason.is_empty()), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_off_goes_on() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let bytes = sample(SIZE);
    let file = local(folder.path(), "a.mszip", &bytes);
    for durable in [1, 70_000, 1_000_000, SIZE] {
        partial(&server, "a.mszip", &bytes[..durable]).await;
        let sent = uploaded(&server, &file, false).await;
        assert_eq!((sent.resumed_from, sent.sent_bytes), (Some(durable as u64), (SIZE - durable) as u64));
        server.until(&[("(Pending) a.mszip", SIZE as u64)]).await;
        assert!(server.content("a.mszip").await == bytes);
        server.home().remove("a.mszip").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_another_volume_is_not_added_to() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (bytes, other) = (sample(SIZE), sample(SIZE + 8)[8..].to_vec());
    let file = local(folder.path(), "a.mszip", &bytes);
    let mut torn = bytes[..1_000_000].to_vec();
    torn[999_000..].fill(0);
    for beginning in [&other[..1_000_000], &other, &torn, &[&bytes[..], b"more"].concat()] {
        partial(&server, "a.mszip", beginning).await;
        let sent = uploaded(&server, &file, false).await;
        assert_eq!((sent.resumed_from, sent.replaced, sent.sent_bytes), (None, true, SIZE as u64));
        assert!(server.content("a.mszip").await == bytes);
        server.home().remove("a.mszip").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_file_is_written_over_only_if_told() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (first, second) = (sample(SIZE), sample(SIZE + 8)[8..].to_vec());
    uploaded(&server, &local(folder.path(), "a.mszip", &first), false).await;
    let files = [local(folder.path(), "b.mszip", b"b"), local(folder.path(), "a.mszip", &second)];
    let (sent, error) = run(&server, &files, false, &Watch::default()).await;
    assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Conflict));
    assert!(sent.iter().all(|sent| sent.state == SentState::NotSent && sent.sent_bytes == 0), "{sent:?}");
    assert!(server.content("a.mszip").await == first);
    assert!(uploaded(&server, &files[1], true).await.replaced);
    assert!(server.content("a.mszip").await == second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_file_goes_on_or_begins_anew() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let bytes = sample(SIZE);
    // A client that is broken off closes its file, and the server finds that it is none.
    uploaded(&server, &local(folder.path(), "a.mszip", &bytes[..1_000_000]), false).await;
    server.memory.work(&server.archive).await.unwrap();
    server.until(&[("(Rejected) a.mszip", 1_000_000)]).await;
    let file = local(folder.path(), "a.mszip", &bytes);
    assert_eq!(uploaded(&server, &file, false).await.resumed_from, Some(1_000_000));
    server.memory.work(&server.archive).await.unwrap();
    let again = uploaded(&server, &file, false).await;
    assert_eq!((again.already_there, again.sent_bytes), (false, SIZE as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_meanwhile_stays_partial() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let file = local(folder.path(), "a.mszip", &sample(SIZE));
    let watch = Watch::default();
    let act: Box<dyn FnOnce()> = Box::new(|| fs::write(&file.path, sample(SIZE + 1)).unwrap());
    *watch.at_bytes.lock().unwrap() = Some((0, act));
    let (sent, error) = run(&server, std::slice::from_ref(&file), false, &watch).await;
    assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Conflict));
    assert_eq!(sent[0].state, SentState::Failed);
    assert!(server.names().await.iter().all(|(name, _)| name == "a.mszip"), "{:?}", server.names().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_home_is_told_in_the_servers_words() {
    let options = Options { quota_bytes: Some(1 << 20), ..Options::default() };
    let (server, folder) = (Server::start_with(options).await, tempfile::tempdir().unwrap());
    let files = [local(folder.path(), "a.mszip", &sample(SIZE)), local(folder.path(), "b.mszip", b"b")];
    let (sent, error) = run(&server, &files, false, &Watch::default()).await;
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("quota"), "{error}");
    assert_eq!(sent.iter().map(|sent| sent.state).collect::<Vec<_>>(), [SentState::Failed, SentState::NotSent]);
    let names = server.names().await;
    assert!(names.iter().all(|(name, size)| name == "a.mszip" && *size <= 1 << 20), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_logs_in_with_the_wrong_proof() {
    let server = Server::start().await;
    let kind = |entered: Result<Line>| entered.err().map(|error| (error.kind(), error.machine_code()));
    let denied = Some((ErrorKind::Denied, "wrong_login"));
    assert_eq!(kind(enter(&server, by_password("guessed")).await), denied);
    assert_eq!(kind(enter(&server, Login::default()).await), denied);
    keygen(server.folder(), "stranger", "ed25519");
    let key = |name: &str| UserKey::read(&server.folder().join(name), || Ok(None)).unwrap();
    let by_key = |name| Login { key: Some(key(name)), ..Login::default() };
    assert_eq!(kind(enter(&server, by_key("stranger")).await), denied);
    assert_eq!(kind(enter(&server, by_key("anna")).await), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_judged_before_anything_is_said() {
    let server = Server::start().await;
    let (address, path) = (address(&server), server.folder().join("known_hosts"));
    let Meeting::Stranger(key) = Meeting::with(&address, &Trust::KnownHosts(KnownHosts::default())).await.unwrap()
    else {
        panic!("an unknown server is trusted")
    };
    assert_eq!(key.fingerprint().to_string(), server.fingerprint);
    KnownHosts::learn(&path, &address.known_as(), key.line()).unwrap();
    let trust = |path: &Path| {
        let mut known = KnownHosts::default();
        known.read(path).unwrap();
        Trust::KnownHosts(known)
    };
    assert!(matches!(Meeting::with(&address, &trust(&path)).await, Ok(Meeting::Trusted(_))));

    let other = keygen(server.folder(), "other-host", "ed25519");
    fs::write(&path, format!("{} {other}\n", address.known_as())).unwrap();
    let wrong: Fingerprint = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
    for trust in [trust(&path), Trust::Fingerprint(wrong)] {
        let error = Meeting::with(&address, &trust).await.err().unwrap();
        assert_eq!((error.kind(), error.machine_code()), (ErrorKind::Denied, "host_key_changed"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_made_anew() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let bytes = sample(4 * SIZE);
    let files = [local(folder.path(), "a.mszip", &bytes)];
    let way = address_at(breaking(&server, 6 << 20).await);
    let Meeting::Trusted(trusted) = Meeting::with(&way, &pinned(&server)).await.unwrap() else {
        panic!("a fingerprint judges every key")
    };
    let (watch, line) = (Watch::default(), trusted.log_in(by_password(PASSWORD), 9).await.unwrap());
    let mut courier = Courier::new(line, &files, false, &watch);
    courier.send().await.unwrap();
    let sent = courier.end().await.remove(0);
    assert!(*watch.losses.lock().unwrap() > 0);
    let begun = watch.begun.lock().unwrap().clone();
    assert!(begun.first() == Some(&0) && begun.last().is_some_and(|from| *from > 0), "{begun:?}");
    assert!(sent.resumed_from.is_some() && sent.sent_bytes >= bytes.len() as u64 / 2, "{sent:?}");
    assert!(server.content("a.mszip").await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_there_is_an_end() {
    let server = Server::start().await;
    let (address, trust) = (address(&server), pinned(&server));
    server.stop().await;
    let error = Meeting::with(&address, &trust).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}
