//! Transfer Family and Secrets Manager as their pages describe them, as far as the door needs them, on a port of their
//! own. Emulators have no ImportHostKey, and their servers never change state.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use ssh_key::{HashAlg, PrivateKey};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

pub(crate) const REGION: &str = "eu-central-1";
/// A server takes so many steps to start.
const START: u32 = 2;
/// A page of a list.
const PAGE: usize = 2;

#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    made: u64,
    servers: BTreeMap<String, Server>,
    /// None: the secret has no value yet.
    secrets: BTreeMap<String, Option<String>>,
    calls: Vec<(String, Value)>,
    /// The next call of this name fails with this code.
    fails: Option<(String, &'static str)>,
}

struct Server {
    request: Value,
    state: &'static str,
    steps: u32,
    /// Id, type, fingerprint.
    host_keys: Vec<(String, String, String)>,
}

/// `__type` and message of an error, which comes with status 400.
type Refusal = (&'static str, String);

impl Fake {
    pub(crate) async fn start(secret: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = State { secrets: [(secret.to_owned(), None)].into(), ..State::default() };
        let fake = Self { address, state: Arc::new(Mutex::new(state)) };
        let served = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(served.clone().serve(stream));
            }
        });
        fake
    }

    /// Lets time pass for every server.
    pub(crate) fn step(&self) {
        let mut state = self.state.lock().unwrap();
        state.servers.retain(|_, server| server.state != "STOPPING");
        for server in state.servers.values_mut().filter(|server| server.state == "STARTING") {
            server.steps += 1;
            if server.steps >= START {
                server.state = "ONLINE";
            }
        }
    }

    pub(crate) fn set_state(&self, id: &str, word: &'static str) {
        self.state.lock().unwrap().servers.get_mut(id).unwrap().state = word;
    }

    pub(crate) fn fail_next(&self, operation: &str, code: &'static str) {
        self.state.lock().unwrap().fails = Some((operation.to_owned(), code));
    }

    /// A server as CreateServer makes it of this request.
    pub(crate) fn make(&self, request: &Value) -> String {
        self.state.lock().unwrap().create(request).unwrap()["ServerId"].as_str().unwrap().to_owned()
    }

    pub(crate) fn secret(&self, id: &str) -> Option<String> {
        self.state.lock().unwrap().secrets[id].clone()
    }

    pub(crate) fn set_secret(&self, id: &str, value: &str) {
        self.state.lock().unwrap().secrets.insert(id.to_owned(), Some(value.to_owned()));
    }

    /// The bodies of all calls of this name so far.
    pub(crate) fn calls(&self, operation: &str) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        state.calls.iter().filter(|(name, _)| name == operation).map(|(_, body)| body.clone()).collect()
    }

    /// The fingerprints that clients of this server may be shown.
    pub(crate) fn fingerprints(&self, id: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.servers[id].host_keys.iter().map(|(_, _, fingerprint)| fingerprint.clone()).collect()
    }

    async fn serve(self, mut stream: TcpStream) {
        let Some((operation, body)) = read_request(&mut stream).await else { return };
        let (status, answer) = match self.state.lock().unwrap().answer(&operation, &body) {
            Ok(answer) => ("200 OK", answer),
            Err((kind, message)) => ("400 Bad Request", json!({ "__type": kind, "Message": message })),
        };
        let body = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        // Whoever asked may be gone.
        let _ = stream.write_all((head + &body).as_bytes()).await;
    }
}

/// The operation of `X-Amz-Target`, and the body.
async fn read_request(stream: &mut TcpStream) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let length: usize = header("content-length")?.parse().ok()?;
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let operation = header("x-amz-target")?.rsplit('.').next()?.to_owned();
    Some((operation, serde_json::from_slice(&bytes[end..end + length]).ok()?))
}

impl State {
    fn answer(&mut self, operation: &str, body: &Value) -> Result<Value, Refusal> {
        self.calls.push((operation.to_owned(), body.clone()));
        if let Some((_, code)) = self.fails.take_if(|(name, _)| name == operation) {
            return Err((code, "as the test wants it".into()));
        }
        match operation {
            "CreateServer" => self.create(body),
            "DescribeServer" => self.describe(body),
            "ListServers" => Ok(self.list(body)),
            "DeleteServer" => self.delete(body),
            "ImportHostKey" => self.import(body),
            "ListHostKeys" => self.list_host_keys(body),
            "DeleteHostKey" => self.delete_host_key(body),
            "TagResource" => self.tag(body),
            "GetSecretValue" => self.get_secret(body),
            "PutSecretValue" => self.put_secret(body),
            _ => Err(("UnknownOperationException", operation.to_owned())),
        }
    }

    fn create(&mut self, body: &Value) -> Result<Value, Refusal> {
        let invalid = |text: &str| Err(("InvalidRequestException", text.to_owned()));
        if body["IdentityProviderType"] == "AWS_LAMBDA" && !body["IdentityProviderDetails"]["Function"].is_string() {
            return invalid("Function is required for AWS_LAMBDA");
        }
        self.made += 1;
        let id = format!("s-{:017x}", self.made);
        let host_keys = match body["HostKey"].as_str() {
            Some(key) => vec![self.parse(key)?],
            // What it makes itself, one of each kind.
            None => ["ssh-rsa", "ecdsa-sha2-nistp256", "ssh-ed25519"].map(|kind| self.generated(kind)).into(),
        };
        let server = Server { request: body.clone(), state: "STARTING", steps: 0, host_keys };
        self.servers.insert(id.clone(), server);
        Ok(json!({ "ServerId": id }))
    }

    fn generated(&mut self, kind: &str) -> (String, String, String) {
        self.made += 1;
        (format!("hostkey-{:017x}", self.made), kind.into(), format!("SHA256:generated{}", self.made))
    }

    fn parse(&mut self, key: &str) -> Result<(String, String, String), Refusal> {
        let invalid = |_| ("InvalidRequestException", "Unsupported or invalid SSH private key".to_owned());
        let key = PrivateKey::from_openssh(key).map_err(invalid)?;
        self.made += 1;
        // With the padding that OpenSSH leaves out.
        let fingerprint = format!("{}=", key.fingerprint(HashAlg::Sha256));
        Ok((format!("hostkey-{:017x}", self.made), key.algorithm().as_str().into(), fingerprint))
    }

    fn server(&mut self, body: &Value) -> Result<(&str, &mut Server), Refusal> {
        let id = body["ServerId"].as_str().unwrap_or_default();
        let digits = id.strip_prefix("s-").unwrap_or_default();
        if digits.len() != 17 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(("InvalidRequestException", format!("{id:?} is no server id")));
        }
        match self.servers.get_key_value(id).map(|(id, _)| id.clone()) {
            Some(_) => {
                let (id, server) = self.servers.iter_mut().find(|(known, _)| *known == id).unwrap();
                Ok((id, server))
            }
            None => Err(("ResourceNotFoundException", format!("Unknown server {id}"))),
        }
    }

    fn describe(&mut self, body: &Value) -> Result<Value, Refusal> {
        let (id, server) = self.server(body)?;
        let mut described = server.request.clone();
        described["Arn"] = json!(format!("arn:aws:transfer:{REGION}:123456789012:server/{id}"));
        described["ServerId"] = json!(id);
        described["State"] = json!(server.state);
        described["HostKeyFingerprint"] = json!(server.host_keys.first().map(|(_, _, fingerprint)| fingerprint));
        described.as_object_mut().unwrap().remove("HostKey");
        Ok(json!({ "Server": described }))
    }

    fn list(&self, body: &Value) -> Value {
        let after = body["NextToken"].as_str().unwrap_or_default();
        let mut rest = self.servers.iter().filter(|(id, _)| id.as_str() > after);
        let page: Vec<_> = rest.by_ref().take(PAGE).collect();
        let next = rest.next().and(page.last()).map(|(id, _)| id.as_str());
        let servers: Vec<_> = page.iter().map(|(id, server)| listed(id, server)).collect();
        let mut answer = json!({ "Servers": servers });
        if let Some(next) = next {
            answer["NextToken"] = json!(next);
        }
        answer
    }

    fn delete(&mut self, body: &Value) -> Result<Value, Refusal> {
        let (id, server) = self.server(body)?;
        if server.state == "STOPPING" {
            return Err(("ConflictException", format!("{id} is being deleted")));
        }
        server.state = "STOPPING";
        Ok(json!({}))
    }

    fn import(&mut self, body: &Value) -> Result<Value, Refusal> {
        let key = self.parse(body["HostKeyBody"].as_str().unwrap_or_default())?;
        let (id, server) = self.server(body)?;
        if server.host_keys.iter().any(|(_, _, fingerprint)| *fingerprint == key.2) {
            return Err(("ResourceExistsException", "the key is there".into()));
        }
        let answer = json!({ "ServerId": id, "HostKeyId": key.0 });
        server.host_keys.push(key);
        Ok(answer)
    }

    fn list_host_keys(&mut self, body: &Value) -> Result<Value, Refusal> {
        let (id, server) = self.server(body)?;
        let from: usize = body["NextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let key = |(key, kind, fingerprint): &(String, String, String)| {
            let arn = format!("arn:aws:transfer:{REGION}:123456789012:host-key/{id}/{key}");
            json!({ "Arn": arn, "HostKeyId": key, "Type": kind, "Fingerprint": fingerprint })
        };
        let keys: Vec<_> = server.host_keys.iter().skip(from).take(PAGE).map(key).collect();
        let mut answer = json!({ "ServerId": id, "HostKeys": keys });
        if from + PAGE < server.host_keys.len() {
            answer["NextToken"] = json!((from + PAGE).to_string());
        }
        Ok(answer)
    }

    fn delete_host_key(&mut self, body: &Value) -> Result<Value, Refusal> {
        let (_, server) = self.server(body)?;
        let before = server.host_keys.len();
        server.host_keys.retain(|(key, _, _)| body["HostKeyId"] != *key);
        match server.host_keys.len() {
            after if after == before => Err(("ResourceNotFoundException", "Unknown host key".into())),
            0 => Err(("InvalidRequestException", "a server has a host key".into())),
            _ => Ok(json!({})),
        }
    }

    fn tag(&mut self, body: &Value) -> Result<Value, Refusal> {
        let id = body["Arn"].as_str().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default().to_owned();
        let (_, server) = self.server(&json!({ "ServerId": id }))?;
        let mut tags = server.request["Tags"].as_array().cloned().unwrap_or_default();
        for tag in body["Tags"].as_array().into_iter().flatten() {
            tags.retain(|known| known["Key"] != tag["Key"]);
            tags.push(tag.clone());
        }
        server.request["Tags"] = json!(tags);
        Ok(json!({}))
    }

    fn get_secret(&self, body: &Value) -> Result<Value, Refusal> {
        let id = body["SecretId"].as_str().unwrap_or_default();
        let not_found = |text: &str| ("ResourceNotFoundException", text.to_owned());
        let value =
            self.secrets.get(id).ok_or_else(|| not_found("Secrets Manager can't find the specified secret."))?;
        let none = "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT";
        let value = value.as_ref().ok_or_else(|| not_found(none))?;
        Ok(json!({ "ARN": id, "Name": id, "SecretString": value, "VersionStages": ["AWSCURRENT"] }))
    }

    fn put_secret(&mut self, body: &Value) -> Result<Value, Refusal> {
        let id = body["SecretId"].as_str().unwrap_or_default();
        let value = self.secrets.get_mut(id).ok_or(("ResourceNotFoundException", id.to_owned()))?;
        *value = body["SecretString"].as_str().map(str::to_owned);
        Ok(json!({ "ARN": id, "Name": id, "VersionStages": ["AWSCURRENT"] }))
    }
}

/// What ListServers tells: no tags.
fn listed(id: &str, server: &Server) -> Value {
    json!({
        "Arn": format!("arn:aws:transfer:{REGION}:123456789012:server/{id}"),
        "ServerId": id,
        "State": server.state,
        "Domain": "S3",
        "EndpointType": server.request["EndpointType"],
        "IdentityProviderType": server.request["IdentityProviderType"],
    })
}
