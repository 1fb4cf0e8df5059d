//! The client against OpenSSH's server, which shows files and says nothing about them.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use archive::ErrorKind;
use sftp::remote::{Address, Courier, KnownHosts, LocalFile, Login, Meeting, SentState, Trust, UserKey};
use tempfile::TempDir;

use crate::{
    remote::Watch,
    server::{keygen, sample},
};

const SSHD: &str = "/usr/sbin/sshd";
const SIZE: usize = 3 << 20;

/// A server of OpenSSH for this user alone; ended when dropped.
struct Sshd {
    process: Child,
    folder: TempDir,
    address: Address,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Sshd {
    /// None, and loudly so, where it is not installed.
    fn start() -> Option<Self> {
        if !Path::new(SSHD).exists() {
            eprintln!("SKIPPED: OpenSSH's sshd is not installed, so nothing is known about it");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (_host, user) = (keygen(folder.path(), "host", "ecdsa"), keygen(folder.path(), "user", "ed25519"));
        fs::write(path("authorized"), user).unwrap();
        fs::create_dir(path("in")).unwrap();
        // As root it separates privileges, and wants a folder for it.
        let _ = fs::create_dir_all("/run/sshd");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
             PasswordAuthentication no\nSubsystem sftp internal-sftp\n",
            path("host"),
            path("authorized")
        );
        fs::write(path("config"), config).unwrap();
        let mut command = Command::new(SSHD);
        let process = command.args(["-D", "-e", "-f", &path("config")]).stderr(Stdio::null()).spawn().unwrap();
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
        let address = format!("sftp://{}@127.0.0.1:{port}{}", user.trim(), path("in")).parse().unwrap();
        let stands = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        assert!((0..200).any(|_| stands() || {
            std::thread::sleep(Duration::from_millis(50));
            false
        }));
        Some(Self { process, folder, address })
    }

    async fn courier<'a>(&self, files: &'a [LocalFile], replace: bool, watch: &'a Watch<'_>) -> Courier<'a> {
        let mut known = KnownHosts::default();
        let list = self.folder.path().join("known_hosts");
        let host = fs::read_to_string(self.folder.path().join("host.pub")).unwrap();
        fs::write(&list, format!("{} {host}", self.address.known_as())).unwrap();
        // Names are noted as hashes on many systems.
        let hashed = Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&list).stdout(Stdio::null()).status();
        assert!(hashed.unwrap().success() && fs::read_to_string(&list).unwrap().starts_with("|1|"));
        known.read(&list).unwrap();
        let Meeting::Trusted(trusted) = Meeting::with(&self.address, &Trust::KnownHosts(known)).await.unwrap() else {
            panic!("a known server is a stranger")
        };
        let key = UserKey::read(&self.folder.path().join("user"), || Ok(None)).unwrap();
        let line = trusted.log_in(Login { key: Some(key), ..Login::default() }, 0).await.unwrap();
        Courier::new(line, files, replace, watch)
    }

    fn there(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("in").join(name)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_takes_volumes_and_goes_on_where_they_end() {
    let Some(sshd) = Sshd::start() else { return };
    let bytes = sample(SIZE);
    let path = sshd.folder.path().join("a.mszip");
    fs::write(&path, &bytes).unwrap();
    let files = [LocalFile::find(&path, "a.mszip").unwrap()];
    let watch = Watch::default();
    for (there, resumed_from, sent_bytes) in
        [(None, None, SIZE), (Some(1_000_000), Some(1_000_000), SIZE - 1_000_000), (Some(SIZE), None, 0)]
    {
        if let Some(len) = there {
            fs::write(sshd.there("a.mszip"), &bytes[..len]).unwrap();
        }
        let mut courier = sshd.courier(&files, false, &watch).await;
        courier.look().await.unwrap();
        courier.send().await.unwrap();
        courier.wait(Duration::ZERO).await.unwrap();
        let sent = courier.end().await.remove(0);
        assert_eq!(
            (sent.resumed_from, sent.sent_bytes, sent.state),
            (resumed_from, sent_bytes as u64, SentState::Sent)
        );
        assert_eq!(sent.already_there, there == Some(SIZE));
        assert!(fs::read(sshd.there("a.mszip")).unwrap() == bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_at_openssh_is_left_alone() {
    let Some(sshd) = Sshd::start() else { return };
    let (bytes, other) = (sample(SIZE), sample(SIZE + 8)[8..].to_vec());
    let path = sshd.folder.path().join("a.mszip");
    fs::write(&path, &bytes).unwrap();
    let files = [LocalFile::find(&path, "a.mszip").unwrap()];
    for there in [&other[..], &other[..1_000_000], &[&bytes[..], b"more"].concat()] {
        fs::write(sshd.there("a.mszip"), there).unwrap();
        let watch = Watch::default();
        let mut courier = sshd.courier(&files, false, &watch).await;
        assert_eq!(courier.look().await.err().map(|error| error.kind()), Some(ErrorKind::Conflict));
        courier.end().await;
        assert!(fs::read(sshd.there("a.mszip")).unwrap() == there);
        let mut courier = sshd.courier(&files, true, &watch).await;
        courier.send().await.unwrap();
        assert!(courier.end().await.remove(0).replaced);
        assert!(fs::read(sshd.there("a.mszip")).unwrap() == bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_that_comes_after_the_look_is_left_alone_and_told() {
    let Some(sshd) = Sshd::start() else { return };
    let path = sshd.folder.path().join("a.mszip");
    fs::write(&path, sample(SIZE)).unwrap();
    let files = [LocalFile::find(&path, "a.mszip").unwrap()];
    let watch = Watch::default();
    let mut courier = sshd.courier(&files, false, &watch).await;
    courier.look().await.unwrap();
    let other = sample(SIZE + 8)[8..].to_vec();
    fs::write(sshd.there("a.mszip"), &other).unwrap();
    assert_eq!(courier.send().await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(courier.end().await.remove(0).state, SentState::Failed);
    assert!(fs::read(sshd.there("a.mszip")).unwrap() == other);
}

/// A bucket behind Transfer Family has no names with prefixes, but objects beside the files.
#[tokio::test(flavor = "multi_thread")]
async fn markers_beside_the_files_tell_their_state() {
    let Some(sshd) = Sshd::start() else { return };
    let path = sshd.folder.path().join("a.mszip");
    fs::write(&path, sample(SIZE)).unwrap();
    let files = [LocalFile::find(&path, "a.mszip").unwrap()];
    let watch = Watch::default();
    fs::write(sshd.there("a.mszip"), sample(SIZE)).unwrap();
    for (marker, text, state) in
        [("(Pending) a.mszip", "", SentState::Pending), ("(Rejected) a.mszip", "no volume", SentState::Rejected)]
    {
        fs::write(sshd.there(marker), text).unwrap();
        let mut courier = sshd.courier(&files, false, &watch).await;
        if state == SentState::Rejected {
            courier.send().await.unwrap();
            assert!(!sshd.there(marker).exists(), "the mark of the file before is gone");
            assert_eq!(courier.sent()[0].sent_bytes, SIZE as u64);
            fs::write(sshd.there(marker), text).unwrap();
        } else {
            courier.look().await.unwrap();
        }
        courier.wait(Duration::ZERO).await.unwrap();
        let sent = courier.end().await.remove(0);
        assert_eq!((sent.state, sent.reason.as_deref().unwrap_or_default()), (state, text));
        fs::remove_file(sshd.there(marker)).unwrap();
    }
}
