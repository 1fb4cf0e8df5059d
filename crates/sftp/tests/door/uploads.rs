use std::time::{Duration, Instant};

use archive::uploads::UploadState;
use russh_sftp::{client::RawSftpSession, protocol::FileAttributes, protocol::OpenFlags};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::server::{Line, Server, anna, open, sample};

const FRESH: OpenFlags = OpenFlags::WRITE.union(OpenFlags::CREATE).union(OpenFlags::TRUNCATE);
const RESUME: OpenFlags = OpenFlags::WRITE.union(OpenFlags::CREATE);
const BLOCK: usize = 32 << 10;
const SIZE: usize = 2_000_000;

async fn send(sftp: &RawSftpSession, handle: &str, from: usize, bytes: &[u8]) {
    for (i, block) in bytes.chunks(BLOCK).enumerate() {
        sftp.write(handle, (from + i * BLOCK) as u64, block.to_vec()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_cut_off_is_resumed() {
    let server = Server::start().await;
    let bytes = sample(SIZE);
    // The last: every byte is there, only the close is missing.
    for sent in [SIZE / 10, SIZE / 2, SIZE - SIZE / 1000, SIZE] {
        let (line, sftp) = anna(&server).await;
        let handle = open(&sftp, "a.mszip", FRESH).await;
        send(&sftp, &handle, 0, &bytes[..sent]).await;
        line.cut();
        server.until(&[("a.mszip", sent as u64)]).await;
        assert_eq!(server.looks(), 0, "a file that was cut off is never taken for whole");

        let (line, sftp) = anna(&server).await;
        let size = usize::try_from(sftp.stat("a.mszip").await.unwrap().attrs.size.unwrap()).unwrap();
        assert_eq!(size, sent);
        let handle = reopen(&sftp, "a.mszip").await;
        send(&sftp, &handle, size, &bytes[size..]).await;
        sftp.close(handle).await.unwrap();
        line.cut();
        server.until(&[("(Pending) a.mszip", SIZE as u64)]).await;
        assert_eq!(server.looks(), 1);
        assert!(server.content("a.mszip").await == bytes);
    }
}

/// The server may take a moment to notice that the former writer is gone.
async fn reopen(sftp: &RawSftpSession, name: &str) -> String {
    for _ in 0..100 {
        match sftp.open(name, RESUME, FileAttributes::empty()).await {
            Ok(handle) => return handle.handle,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    panic!("the file is never free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_name_becomes_an_upload_by_its_rename() {
    let server = Server::start().await;
    let (_line, sftp) = anna(&server).await;
    for (temporary, last) in
        [("a.zip.filepart", "a.zip"), ("b.zip.Xa1.partial", "b.zip"), (".in.c.zip", "c.zip"), ("d.zip~", "d.zip")]
    {
        let handle = open(&sftp, temporary, FRESH).await;
        send(&sftp, &handle, 0, b"abc").await;
        sftp.close(handle).await.unwrap();
        assert_eq!(server.looks(), 0, "{temporary}");
        sftp.rename(temporary, last).await.unwrap();
        assert_eq!(server.looks(), 1, "{last}");
    }
    let pending = ["(Pending) a.zip", "(Pending) b.zip", "(Pending) c.zip", "(Pending) d.zip"];
    server.until(&pending.map(|name| (name, 3))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_takes_one_writer_over_all_connections() {
    let server = Server::start().await;
    let (one, sftp) = anna(&server).await;
    let handle = open(&sftp, "a", FRESH).await;
    send(&sftp, &handle, 0, b"abc").await;
    let (_two, other) = anna(&server).await;
    for flags in [FRESH, RESUME] {
        let refused = other.open("a", flags, FileAttributes::empty()).await.unwrap_err().to_string();
        assert!(refused.contains("\"a\" is being written"), "{refused}");
    }
    assert!(other.remove("a").await.is_err());
    assert!(other.rename("a", "b").await.is_err());
    send(&sftp, &handle, 3, b"def").await;
    one.cut();
    let handle = reopen(&other, "a").await;
    other.close(handle).await.unwrap();
    assert_eq!(server.content("a").await, b"abcdef");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_out_of_order_make_the_same_file() {
    let server = Server::start().await;
    let (line, sftp) = anna(&server).await;
    let bytes = sample(5 * BLOCK);
    let block = |i: usize| bytes[i * BLOCK..(i + 1) * BLOCK].to_vec();
    let handle = open(&sftp, "a", FRESH).await;
    for i in [0, 2, 4, 2] {
        sftp.write(&handle, (i * BLOCK) as u64, block(i)).await.unwrap();
    }
    assert_eq!(sftp.fstat(&handle).await.unwrap().attrs.size, Some(5 * BLOCK as u64));
    line.cut();
    server.until(&[("a", BLOCK as u64)]).await;

    let (_line, sftp) = anna(&server).await;
    let handle = reopen(&sftp, "a").await;
    for i in [4, 3, 1, 1, 2] {
        sftp.write(&handle, (i * BLOCK) as u64, block(i)).await.unwrap();
    }
    sftp.close(handle).await.unwrap();
    assert!(server.content("a").await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_close_answers_at_once() {
    let server = Server::start().await;
    let (_line, sftp) = anna(&server).await;
    let handle = open(&sftp, "a", FRESH).await;
    send(&sftp, &handle, 0, &sample(20 << 20)).await;
    let begun = Instant::now();
    sftp.close(handle).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_states_show() {
    let server = Server::start().await;
    let (_line, sftp) = anna(&server).await;
    for (name, content) in [("foreign.zip", b"PK\x05\x06".as_slice()), ("empty.zip", b"")] {
        let handle = open(&sftp, name, FRESH).await;
        send(&sftp, &handle, 0, content).await;
        sftp.close(handle).await.unwrap();
    }
    server.until(&[("(Pending) empty.zip", 0), ("(Pending) foreign.zip", 4)]).await;
    server.memory.work(&server.archive).await.unwrap();
    let states: Vec<_> = server.archive.uploads().await.unwrap().into_iter().map(|upload| upload.state).collect();
    assert!(states.iter().all(|state| *state != UploadState::Pending), "{states:?}");
    let names = server.names().await;
    assert!(names.iter().any(|(name, _)| name == "(Rejected) empty.zip"), "{names:?}");
    for form in ["(Pending) empty.zip", "(Rejected) empty.zip", "empty.zip"] {
        assert_eq!(sftp.stat(form).await.unwrap().attrs.size, Some(0));
    }
    let handle = open(&sftp, "(Rejected) empty.zip", RESUME).await;
    send(&sftp, &handle, 0, b"x").await;
    assert!(server.names().await.iter().any(|(name, size)| name == "empty.zip" && *size == 1));
}

/// As paramiko does: it bounds what is under way by the connection alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_send_all_its_blocks_before_it_waits() {
    const WRITES: u32 = 20_000;
    const LENGTH: u32 = 600;
    let server = Server::start().await;
    let mut line = Line::open(&server).await;
    assert!(line.by_key("anna", &server.key_file()).await);
    let channel = line.ssh.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let (mut answers, mut requests) = tokio::io::split(channel.into_stream());
    let sending = tokio::spawn(async move {
        let mut packets = vec![0, 0, 0, 5, 1, 0, 0, 0, 3];
        packets.extend([0, 0, 0, 18, 3, 0, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 0, 0x1a, 0, 0, 0, 0]);
        for id in 1..=WRITES {
            packets.extend((1 + 4 + 5 + 8 + 4 + LENGTH).to_be_bytes());
            packets.push(6);
            packets.extend(id.to_be_bytes());
            packets.extend([0, 0, 0, 1, b'1']);
            packets.extend((u64::from(id - 1) * u64::from(LENGTH)).to_be_bytes());
            packets.extend(LENGTH.to_be_bytes());
            packets.resize(packets.len() + LENGTH as usize, 7);
            requests.write_all(&packets).await.unwrap();
            packets.clear();
        }
        requests.shutdown().await.unwrap();
    });
    let mut read = Vec::new();
    let reading = tokio::time::timeout(Duration::from_mins(1), answers.read_to_end(&mut read));
    reading.await.expect("client and server wait for each other").unwrap();
    sending.await.unwrap();
    server.until(&[("a", u64::from(WRITES * LENGTH))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_no_answers_harms_itself_alone() {
    let server = Server::start().await;
    let mut flooding = Line::open(&server).await;
    assert!(flooding.by_key("anna", &server.key_file()).await);
    let channel = flooding.ssh.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    // 1,000 requests for the attributes of the home in each packet.
    let request = [[0, 0, 0, 10, 17].as_slice(), &[0, 0, 0, 1], &[0, 0, 0, 1], b"/"].concat();
    let packet = request.repeat(1000);
    let mut stream = channel.into_stream();
    let flood = tokio::spawn(async move { while stream.write_all(&packet).await.is_ok() {} });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (_line, sftp) = anna(&server).await;
    tokio::time::timeout(Duration::from_secs(10), sftp.stat("/")).await.unwrap().unwrap();
    flood.abort();
    flooding.cut();
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(9));
}
