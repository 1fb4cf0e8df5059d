//! A server for a test, with users, and clients of it.

use std::{
    net::{Shutdown, SocketAddr, TcpStream as Socket},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use archive::{
    Archive,
    access::NewUser,
    job::Job,
    testing::{Memory, landing::MemoryLanding},
    uploads::Home,
};
use russh::{
    client::{self, AuthResult, Handle},
    keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate},
};
use russh_sftp::{client::RawSftpSession, protocol::FileAttributes, protocol::OpenFlags};
use sftp::{HostKey, Options, serve};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) fingerprint: String,
    pub(crate) memory: Memory,
    pub(crate) archive: Archive,
    pub(crate) landing: Arc<MemoryLanding>,
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<archive::Result<()>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let options = Options { refusal_delay: Duration::from_millis(50), ..Options::default() };
        Self::start_with(options).await
    }

    pub(crate) async fn start_with(options: Options) -> Self {
        let memory = Memory::new(1);
        let archive = memory.archive();
        let folder = tempfile::tempdir().unwrap();
        people(&archive, &keygen(folder.path(), "anna", "ed25519")).await;
        let landing = Arc::new(MemoryLanding::new(memory.uploads.clone(), memory.clock.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let key = HostKey::load_or_create(&folder.path().join("host.key"), memory.random.as_ref()).unwrap();
        let fingerprint = key.fingerprint();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        let serving = tokio::spawn(serve(listener, archive.clone(), landing.clone(), key, options, shutdown));
        Self { address, fingerprint, memory, archive, landing, folder, stop: Some(stop), serving }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder().join("anna")
    }

    pub(crate) fn home(&self) -> Home {
        Home::new(self.archive.clone(), self.landing.clone(), "anna", None).unwrap()
    }

    pub(crate) async fn names(&self) -> Vec<(String, u64)> {
        let entries = self.home().list().await.unwrap();
        let mut names: Vec<_> = entries.into_iter().map(|entry| (entry.name, entry.size_bytes)).collect();
        names.sort();
        names
    }

    /// How many looks at uploads were asked for since this was last called.
    pub(crate) fn looks(&self) -> usize {
        self.memory.queue.drain().iter().filter(|job| matches!(job, Job::Intake { .. })).count()
    }

    pub(crate) async fn content(&self, name: &str) -> Vec<u8> {
        let size = self.home().stat(name).await.unwrap().size_bytes;
        self.home().read(name, 0, usize::try_from(size).unwrap()).await.unwrap().to_vec()
    }

    /// Waits until the listing is as expected: a connection that was cut is noticed a moment later.
    pub(crate) async fn until(&self, expected: &[(&str, u64)]) {
        for _ in 0..200 {
            let writable = self.home().list().await.unwrap();
            let mut seen: Vec<_> = writable.iter().map(|entry| (entry.name.as_str(), entry.size_bytes)).collect();
            seen.sort_unstable();
            if seen == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{:?} expected, {:?} found", expected, self.names().await);
    }

    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        self.serving.await.unwrap().unwrap();
    }
}

async fn people(archive: &Archive, key: &str) {
    archive.create_first_user("the first one").await.unwrap();
    let person = |name: &str, group: &str| NewUser {
        name: name.into(),
        groups: vec![group.into()],
        password: Some(PASSWORD.into()),
        keys: vec![key.into()],
        mfa: name == "mfa",
    };
    for (name, group) in [("anna", "compliance"), ("mfa", "compliance"), ("rita", "readers")] {
        archive.add_user(person(name, group)).await.unwrap();
    }
}

/// Makes a key pair and answers its public line.
pub(crate) fn keygen(folder: &Path, name: &str, kind: &str) -> String {
    let path = folder.join(name);
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-C", "me@there", "-f"]).arg(&path).status();
    assert!(made.expect("ssh-keygen is installed").success());
    std::fs::read_to_string(path.with_extension("pub")).unwrap().trim().to_owned()
}

pub(crate) struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;
    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// A connection that can be cut.
pub(crate) struct Line {
    pub(crate) ssh: Handle<Trusting>,
    socket: Socket,
}

impl Line {
    pub(crate) async fn open(server: &Server) -> Self {
        let socket = TcpStream::connect(server.address).await.unwrap().into_std().unwrap();
        let twin = socket.try_clone().unwrap();
        let stream = TcpStream::from_std(socket).unwrap();
        let ssh = client::connect_stream(Arc::default(), stream, Trusting).await.unwrap();
        Self { ssh, socket: twin }
    }

    pub(crate) async fn by_password(&mut self, user: &str, password: &str) -> bool {
        self.ssh.authenticate_password(user, password).await.is_ok_and(|result| result.success())
    }

    pub(crate) async fn by_key(&mut self, user: &str, file: &Path) -> bool {
        let key = PrivateKey::read_openssh_file(file).unwrap();
        let hash = self.ssh.best_supported_rsa_hash().await.unwrap().flatten();
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
        self.ssh.authenticate_publickey(user, key).await.is_ok_and(|result: AuthResult| result.success())
    }

    pub(crate) async fn sftp(&self) -> RawSftpSession {
        let channel = self.ssh.channel_open_session().await.unwrap();
        channel.request_subsystem(true, "sftp").await.unwrap();
        let sftp = RawSftpSession::new(channel.into_stream());
        sftp.init().await.unwrap();
        sftp
    }

    pub(crate) fn cut(self) {
        self.socket.shutdown(Shutdown::Both).unwrap();
    }
}

/// Logged in as anna, with an SFTP session.
pub(crate) async fn anna(server: &Server) -> (Line, RawSftpSession) {
    let mut line = Line::open(server).await;
    assert!(line.by_key("anna", &server.key_file()).await);
    let sftp = line.sftp().await;
    (line, sftp)
}

pub(crate) async fn open(sftp: &RawSftpSession, name: &str, flags: OpenFlags) -> String {
    sftp.open(name, flags, FileAttributes::empty()).await.unwrap().handle
}

/// Bytes that repeat nowhere near.
pub(crate) fn sample(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
