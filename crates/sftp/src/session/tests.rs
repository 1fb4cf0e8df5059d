use std::sync::Arc;

use archive::{
    access::{NewUser, Role},
    ports::Objects as _,
    testing::{Memory, landing::MemoryLanding},
};
use russh_sftp::{
    client::{RawSftpSession, error::Error},
    protocol::{FileAttributes, OpenFlags},
};
use tokio::{io::DuplexStream, task::JoinHandle};

use super::*;

const WRITE: OpenFlags = OpenFlags::WRITE;
const IDLE: Duration = Duration::from_secs(30);

async fn of_anna(memory: &Memory) -> Session {
    let archive = memory.archive();
    archive.add_group("compliance", [Role::Compliance].into()).await.unwrap();
    let (groups, keys) = (vec!["compliance".to_owned()], vec!["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKs".to_owned()]);
    let anna = NewUser { name: "anna".into(), groups, keys, ..NewUser::default() };
    archive.add_user(anna).await.unwrap();
    let landing = Arc::new(MemoryLanding::new(memory.uploads.clone(), memory.clock.clone()));
    let home = Home::new(archive.clone(), landing, "anna", Some(1 << 20)).unwrap();
    Session::new(archive, home)
}

async fn begin(memory: &Memory) -> (DuplexStream, JoinHandle<io::Result<()>>) {
    let (client, server) = tokio::io::duplex(1 << 16);
    (client, tokio::spawn(of_anna(memory).await.run(server, IDLE)))
}

async fn connected() -> RawSftpSession {
    let client = RawSftpSession::new(begin(&Memory::new(1)).await.0);
    let version = client.init().await.unwrap();
    assert_eq!(version.version, 3);
    assert_eq!(version.extensions.get("posix-rename@openssh.com").map(String::as_str), Some("1"));
    client
}

async fn create(client: &RawSftpSession, name: &str, data: &[u8]) {
    let flags = WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let handle = client.open(name, flags, FileAttributes::empty()).await.unwrap().handle;
    client.write(&handle, 0, data.to_vec()).await.unwrap();
    client.close(handle).await.unwrap();
}

async fn upload_state(client: &RawSftpSession, path: &str) -> String {
    let path = russh_sftp::extensions::StatvfsExtension { path: path.to_owned() };
    match client.extended(extensions::UPLOAD_STATE, path.try_into().unwrap()).await.unwrap() {
        Packet::ExtendedReply(reply) => {
            russh_sftp::de::from_bytes::<extensions::UploadState>(&mut reply.data.into()).unwrap().state
        }
        other => panic!("a state expected, not {other:?}"),
    }
}

fn code<T>(result: Result<T, Error>) -> (StatusCode, String) {
    match result {
        Err(Error::Status(status)) => (status.status_code, status.error_message),
        Err(other) => panic!("a status expected, not {other}"),
        Ok(_) => panic!("a refusal expected"),
    }
}

#[tokio::test]
async fn a_home_looks_like_one_flat_folder() {
    let client = connected().await;
    create(&client, "/a.zip", b"hello").await;
    create(&client, "b.zip", b"").await;
    let handle = client.opendir(".").await.unwrap().handle;
    let names: Vec<_> = client.readdir(&handle).await.unwrap().files.into_iter().map(|file| file.filename).collect();
    assert_eq!(names, [".", "..", "(Pending) a.zip", "(Pending) b.zip"]);
    assert_eq!(code(client.readdir(&handle).await).0, StatusCode::Eof);
    client.close(handle).await.unwrap();

    let attrs = client.stat("/../(Pending) a.zip").await.unwrap().attrs;
    assert_eq!((attrs.size, attrs.is_regular()), (Some(5), true));
    assert!(client.lstat("/").await.unwrap().attrs.is_dir());
    for (path, real) in [(".", "/"), ("", "/"), ("../../etc//passwd", "/etc/passwd"), ("x/./y/..", "/x")] {
        assert_eq!(client.realpath(path).await.unwrap().files[0].filename, real);
    }
    for path in ["/etc/passwd", "../../etc/passwd", "bob/a.zip", "nothing"] {
        assert_eq!(code(client.stat(path).await).0, StatusCode::NoSuchFile, "{path}");
    }
    assert_eq!(code(client.opendir("/sub").await).0, StatusCode::NoSuchFile);
    assert_eq!(code(client.mkdir("/sub", FileAttributes::empty()).await).0, StatusCode::PermissionDenied);
    assert_eq!(code(client.rmdir("/").await).0, StatusCode::PermissionDenied);
    assert_eq!(code(client.symlink("/a.zip", "/etc/passwd").await).0, StatusCode::OpUnsupported);
    assert_eq!(code(client.readlink("/a.zip").await).0, StatusCode::OpUnsupported);
    assert_eq!(code(client.hardlink("/a.zip", "/c").await).0, StatusCode::OpUnsupported);
    assert_eq!(code(client.remove("/").await).0, StatusCode::Failure);
}

#[tokio::test]
async fn names_that_no_file_can_have_are_refused() {
    let client = connected().await;
    let long = "x".repeat(300);
    for name in ["a\0b", "a\nb", "(Pending) ", "a\u{fffd}", &long] {
        let opened = client.open(name, WRITE | OpenFlags::CREATE, FileAttributes::empty()).await;
        let (status, text) = code(opened);
        assert_eq!(status, StatusCode::Failure, "{name:?}");
        assert!(text.contains("file name"), "{text}");
    }
}

#[tokio::test]
async fn a_file_is_read_back_and_changed() {
    let client = connected().await;
    create(&client, "a.zip", b"hello").await;
    let handle = client.open("a.zip", OpenFlags::READ, FileAttributes::empty()).await.unwrap().handle;
    assert_eq!(client.read(&handle, 1, 100).await.unwrap().data, b"ello");
    assert_eq!(code(client.read(&handle, 5, 100).await).0, StatusCode::Eof);
    assert_eq!(code(client.read(&handle, u64::MAX, u32::MAX).await).0, StatusCode::Eof);
    assert_eq!(code(client.write(&handle, 0, vec![1]).await).0, StatusCode::Failure);
    assert_eq!(client.fstat(&handle).await.unwrap().attrs.size, Some(5));
    client.close(&handle).await.unwrap();
    assert_eq!(code(client.close(&handle).await).0, StatusCode::Failure);

    let times = FileAttributes { atime: Some(1), mtime: Some(2), permissions: Some(0o644), ..FileAttributes::empty() };
    client.setstat("a.zip", times.clone()).await.unwrap();
    assert_eq!(code(client.setstat("b.zip", times).await).0, StatusCode::NoSuchFile);
    let owner = FileAttributes { uid: Some(0), gid: Some(0), ..FileAttributes::empty() };
    assert_eq!(code(client.setstat("a.zip", owner).await).0, StatusCode::PermissionDenied);
    client.setstat("a.zip", FileAttributes { size: Some(2), ..FileAttributes::empty() }).await.unwrap();
    assert_eq!(client.stat("a.zip").await.unwrap().attrs.size, Some(2));
}

#[tokio::test]
async fn appended_blocks_go_to_the_end_whatever_their_offset() {
    let client = connected().await;
    let flags = OpenFlags::APPEND | OpenFlags::CREATE;
    for _ in 0..2 {
        let handle = client.open("log", flags, FileAttributes::empty()).await.unwrap().handle;
        client.write(&handle, 0, b"ab".to_vec()).await.unwrap();
        client.write(&handle, 0, b"cd".to_vec()).await.unwrap();
        client.close(handle).await.unwrap();
    }
    let handle = client.open("log", OpenFlags::READ, FileAttributes::empty()).await.unwrap().handle;
    assert_eq!(client.read(handle, 0, 100).await.unwrap().data, b"abcdabcd");
}

#[tokio::test]
async fn renames_follow_version_three_and_posix() {
    let client = connected().await;
    create(&client, "a", b"a").await;
    create(&client, "b", b"bb").await;
    assert!(code(client.rename("a", "b").await).1.contains("exists"));
    let paths = russh_sftp::extensions::HardlinkExtension { oldpath: "/a".into(), newpath: "/(Pending) b".into() };
    let renamed = client.extended("posix-rename@openssh.com", paths.try_into().unwrap()).await.unwrap();
    assert!(matches!(renamed, Packet::Status(status) if status.status_code == StatusCode::Ok));
    assert_eq!(client.stat("b").await.unwrap().attrs.size, Some(1));
    assert_eq!(code(client.stat("a").await).0, StatusCode::NoSuchFile);
    assert_eq!(code(client.rename("a", "c").await).0, StatusCode::NoSuchFile);
    assert_eq!(code(client.rename("b", "x/c").await).0, StatusCode::NoSuchFile);
}

#[tokio::test]
async fn extensions_answer() {
    let client = connected().await;
    let limits = client.limits().await.unwrap();
    assert_eq!((limits.max_packet_len, limits.max_write_len, limits.max_open_handles), (262_144, 261_120, 64));
    let room = client.statvfs("/").await.unwrap();
    assert_eq!((room.blocks, room.blocks_avail), (256, 256));
    let handle = client.open("a", WRITE | OpenFlags::CREATE, FileAttributes::empty()).await.unwrap().handle;
    client.fsync(&handle).await.unwrap();
    assert_eq!(code(client.fsync("nothing").await).0, StatusCode::Failure);
    assert_eq!(upload_state(&client, "a").await, "partial");
    client.close(handle).await.unwrap();
    assert_eq!(upload_state(&client, "/(Pending) a").await, "pending");
    let refusals = [
        ("upload-state@postkahn", StatusCode::BadMessage),
        ("copy-data", StatusCode::OpUnsupported),
        ("statvfs@openssh.com", StatusCode::BadMessage),
        ("posix-rename@openssh.com", StatusCode::BadMessage),
    ];
    for (name, refusal) in refusals {
        let answer = client.extended(name, vec![0, 0, 0, 9]).await.unwrap();
        assert!(matches!(answer, Packet::Status(status) if status.status_code == refusal), "{name}");
    }
}

#[tokio::test]
async fn handles_are_bounded() {
    let client = connected().await;
    for i in 0..64 {
        client.open(format!("f{i}"), WRITE | OpenFlags::CREATE, FileAttributes::empty()).await.unwrap();
    }
    let more = client.open("more", WRITE | OpenFlags::CREATE, FileAttributes::empty()).await;
    assert!(code(more).1.contains("too many open handles"));
    assert_eq!(code(client.stat("more").await).0, StatusCode::NoSuchFile);
    let other = connected().await;
    for _ in 0..4 {
        other.opendir("/").await.unwrap();
    }
    assert!(code(other.opendir("/").await).1.contains("too many open handles"));
}

#[tokio::test]
async fn a_second_writer_is_told_why_not() {
    let client = connected().await;
    client.open("a", WRITE | OpenFlags::CREATE, FileAttributes::empty()).await.unwrap();
    let (status, text) = code(client.open("a", WRITE, FileAttributes::empty()).await);
    assert_eq!(status, StatusCode::Failure);
    assert!(text.contains("is being written"), "{text}");
}

#[tokio::test]
async fn the_quota_refuses_and_the_file_stays_partial() {
    let client = connected().await;
    let handle = client.open("a", WRITE | OpenFlags::CREATE, FileAttributes::empty()).await.unwrap().handle;
    for i in 0..4 {
        client.write(&handle, i << 18, vec![7; 1 << 18 >> 1]).await.unwrap();
        client.write(&handle, (i << 18) + (1 << 17), vec![7; 1 << 17]).await.unwrap();
    }
    let (status, text) = code(client.write(&handle, 1 << 20, vec![7]).await);
    assert_eq!(status, StatusCode::Failure);
    assert!(text.contains("quota"), "{text}");
    assert!(code(client.close(handle).await).1.contains("not complete"));
    let listing = client.opendir("/").await.unwrap().handle;
    let files = client.readdir(listing).await.unwrap().files;
    assert_eq!(files.last().map(|file| (file.filename.as_str(), file.attrs.size)), Some(("a", Some(1 << 20))));
}

/// What a client sends that is none of a client's.
async fn raw(packets: &[&[u8]]) -> (Vec<u8>, io::Result<()>) {
    let (mut client, session) = begin(&Memory::new(1)).await;
    for packet in packets {
        client.write_u32(u32::try_from(packet.len()).unwrap()).await.unwrap();
        client.write_all(packet).await.unwrap();
    }
    client.shutdown().await.unwrap();
    let mut answers = Vec::new();
    client.read_to_end(&mut answers).await.unwrap();
    (answers, session.await.unwrap())
}

#[tokio::test]
async fn every_request_is_answered_under_its_id() {
    let id = [0, 0, 0, 42];
    for (kind, status) in [(99, 8), (101, 8), (104, 8), (3, 5), (6, 5), (200, 5)] {
        let (answers, ended) = raw(&[&[[kind].as_slice(), &id].concat()]).await;
        ended.unwrap();
        assert_eq!(answers.get(4..13), Some([&[101][..], &id, &[0, 0, 0, status]].concat().as_slice()), "{kind}");
    }
    let string_without_end = [&[3][..], &id, &[0xff; 4], b"abc"].concat();
    let (answers, _) = raw(&[&string_without_end, &[1, 0, 0, 0, 3]]).await;
    assert_eq!(answers.get(4..9), Some([101, 0, 0, 0, 42].as_slice()));
    assert!(answers.windows(5).any(|window| window == [2, 0, 0, 0, 3]), "the session goes on");
}

#[tokio::test]
async fn broken_framing_ends_the_session() {
    for length in [[0, 0, 0, 0], [0xff; 4], [0, 4, 0, 1]] {
        let (mut client, session) = begin(&Memory::new(1)).await;
        client.write_all(&length).await.unwrap();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(session.await.unwrap().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
    let (mut client, session) = begin(&Memory::new(1)).await;
    client.write_all(&[0, 0, 0, 9, 1]).await.unwrap();
    drop(client);
    session.await.unwrap().unwrap();
}

/// Everything that changes something, each in a session of its own.
#[tokio::test]
async fn who_may_upload_no_longer_is_sent_away() {
    for request in 0..8 {
        let memory = Memory::new(1);
        let (stream, session) = begin(&memory).await;
        let client = RawSftpSession::new(stream);
        client.init().await.unwrap();
        create(&client, "a", b"abc").await;
        let handle = client.open("b", WRITE | OpenFlags::CREATE, FileAttributes::empty()).await.unwrap().handle;
        let archive = memory.archive();
        archive.add_group("admins", [Role::Admin].into()).await.unwrap();
        let admin = NewUser { name: "admin".into(), groups: vec!["admins".into()], ..NewUser::default() };
        archive.add_user(admin).await.unwrap();
        if request % 2 == 0 {
            archive.set_groups("anna", ["admins".to_owned()].into()).await.unwrap();
        } else {
            archive.remove_user("anna").await.unwrap();
        }
        assert_eq!(client.stat("a").await.unwrap().attrs.size, Some(3));
        let size = FileAttributes { size: Some(1), ..FileAttributes::empty() };
        let paths = russh_sftp::extensions::HardlinkExtension { oldpath: "/a".into(), newpath: "/c".into() };
        let refused = match request {
            0 => code(client.open("a", WRITE, FileAttributes::empty()).await),
            1 => code(client.open("c", OpenFlags::APPEND | OpenFlags::CREATE, FileAttributes::empty()).await),
            2 => code(client.rename("a", "c").await),
            3 => code(client.remove("a").await),
            4 => code(client.setstat("a", size).await),
            5 => code(client.fsetstat(&handle, size).await),
            6 => code(client.close(&handle).await),
            _ => match client.extended("posix-rename@openssh.com", paths.try_into().unwrap()).await.unwrap() {
                Packet::Status(status) => (status.status_code, status.error_message),
                _ => panic!("a status expected"),
            },
        };
        assert_eq!(refused.0, StatusCode::PermissionDenied, "{request}: {}", refused.1);
        assert_eq!(session.await.unwrap().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        let meta = memory.uploads.list("", None, 9).await.unwrap();
        assert_eq!(meta.iter().map(|meta| (meta.key.as_str(), meta.size_bytes)).collect::<Vec<_>>(), [("anna/a", 3)]);
    }
}

#[tokio::test(start_paused = true)]
async fn silence_ends_the_session() {
    let (client, session) = begin(&Memory::new(1)).await;
    assert_eq!(session.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    drop(client);
}

/// Its files are free for a resume at once.
#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_sent_ends_the_session() {
    let (mut client, requests) = tokio::io::duplex(1 << 16);
    let (gone, answers) = tokio::io::duplex(1 << 16);
    drop(gone);
    client.write_all(&[0, 0, 0, 5, 1, 0, 0, 0, 3]).await.unwrap();
    let session = of_anna(&Memory::new(1)).await;
    crate::client::serve(session, tokio::io::join(requests, answers), IDLE).await.unwrap();
    drop(client);
}
