//! As much HTTP/1.1 as the tests need: one request, one answer, bodies of known length.

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A request or an answer.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// `GET /a HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub(crate) start: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.start).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    pub(crate) fn status(&self) -> u16 {
        self.start.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// The next message on the wire; none at its end. `bodiless` for the answer to a HEAD.
pub(crate) async fn read(wire: &mut (impl AsyncRead + Unpin), bodiless: bool) -> Option<Message> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(wire.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let start = lines.next()?.to_owned();
    let split = |line: &str| line.split_once(':').map(|(n, v)| (n.to_lowercase(), v.trim().to_owned()));
    let headers: Vec<_> = lines.filter_map(split).collect();
    let mut message = Message { start, headers, body: Vec::new() };
    if bodiless {
        return Some(message);
    }
    if message.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        message.body = chunks(wire).await?;
        message.headers.retain(|(name, _)| name != "transfer-encoding");
        message.headers.push(("content-length".into(), message.body.len().to_string()));
    } else if let Some(length) = message.header("content-length") {
        message.body = vec![0; length.parse().unwrap()];
        wire.read_exact(&mut message.body).await.ok()?;
    }
    Some(message)
}

async fn chunks(wire: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(wire.read_u8().await.ok()?);
        }
        let length = usize::from_str_radix(std::str::from_utf8(&line).ok()?.trim(), 16).ok()?;
        let mut chunk = vec![0; length + 2];
        wire.read_exact(&mut chunk).await.ok()?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunk.get(..length)?);
    }
}

/// Gets a URL of a plain server.
pub(crate) async fn get(url: &str) -> Message {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut wire = TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    wire.write_all(request.as_bytes()).await.unwrap();
    read(&mut wire, false).await.unwrap()
}
