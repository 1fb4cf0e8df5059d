//! KMS as its API reference describes it, as far as it is used here: three fixed keys, behind the JSON protocol.
//!
//! The stand-ins lack `DeriveSharedSecret`. Behind this fake are the keys of the archive's own tests.

use archive::{ports::Keys as _, testing::MemoryKeys};
use aws_smithy_types::base64;
use p256::ecdsa::Signature;
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};

use super::http::{Message, read};

pub(crate) const WRAP: &str = "arn:aws:kms:eu-central-1:123456789012:key/wrap";
pub(crate) const SIGNING: &str = "arn:aws:kms:eu-central-1:123456789012:key/signing";
pub(crate) const AGREEMENT: &str = "arn:aws:kms:eu-central-1:123456789012:key/agreement";

const SPKI_HEX: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

/// What went wrong, by the name that the API reference gives it.
type Answer = Result<Value, &'static str>;

/// Listens on a port of its own and answers its address.
pub(crate) async fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((wire, _)) = listener.accept().await {
            tokio::spawn(serve(wire));
        }
    });
    address
}

async fn serve(mut wire: TcpStream) {
    while let Some(request) = read(&mut wire, false).await {
        let target = request.header("x-amz-target").unwrap().to_owned();
        let (status, body) = match call(&target, &serde_json::from_slice(&request.body).unwrap()).await {
            Ok(body) => ("200 OK", body),
            Err(code) => ("400 Bad Request", json!({"__type": code, "message": "refused"})),
        };
        let body = body.to_string().into_bytes();
        let headers = vec![
            ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
            ("content-length".to_owned(), body.len().to_string()),
        ];
        let answer = Message { start: format!("HTTP/1.1 {status}"), headers, body };
        if wire.write_all(&answer.to_bytes()).await.is_err() {
            return;
        }
    }
}

async fn call(target: &str, request: &Value) -> Answer {
    let key = request["KeyId"].as_str().unwrap();
    if ![WRAP, SIGNING, AGREEMENT].contains(&key) {
        return Err("NotFoundException");
    }
    let usable = |by: &str| if key == by { Ok(()) } else { Err("InvalidKeyUsageException") };
    match target {
        "TrentService.Encrypt" => usable(WRAP).map(|()| encrypt(request))?.await,
        "TrentService.Decrypt" => usable(WRAP).map(|()| decrypt(request))?.await,
        "TrentService.Sign" => usable(SIGNING).map(|()| sign(request))?.await,
        "TrentService.DeriveSharedSecret" => usable(AGREEMENT).map(|()| derive(request))?.await,
        "TrentService.GetPublicKey" => public(key).await,
        _ => Err("UnknownOperationException"),
    }
}

async fn encrypt(request: &Value) -> Answer {
    let plain = blob(request, "Plaintext");
    if plain.is_empty() || plain.len() > 4096 {
        return Err("ValidationException");
    }
    let sealed = MemoryKeys.wrap(&plain, &context(request)?).await.unwrap();
    Ok(json!({"CiphertextBlob": base64::encode(sealed), "KeyId": WRAP, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}))
}

async fn decrypt(request: &Value) -> Answer {
    let sealed = blob(request, "CiphertextBlob");
    if sealed.is_empty() || sealed.len() > 6144 {
        return Err("ValidationException");
    }
    let plain = MemoryKeys.unwrap(&sealed, &context(request)?).await.map_err(|_| "InvalidCiphertextException")?;
    Ok(json!({"Plaintext": base64::encode(plain), "KeyId": WRAP, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}))
}

/// ECDSA has two signatures for each, and KMS promises neither: here every other one has a high s.
async fn sign(request: &Value) -> Answer {
    let digest: Result<[u8; 32], _> = blob(request, "Message").try_into();
    let (Ok(digest), "DIGEST", "ECDSA_SHA_256") =
        (digest, request["MessageType"].as_str().unwrap(), request["SigningAlgorithm"].as_str().unwrap())
    else {
        return Err("ValidationException");
    };
    let low = Signature::from_der(&MemoryKeys.sign(&digest).await.unwrap()).unwrap();
    let (r, s) = low.split_scalars();
    let either = if digest[0] % 2 == 0 { low } else { Signature::from_scalars(r, -s).unwrap() };
    let der = either.to_der().as_bytes().to_vec();
    Ok(json!({"Signature": base64::encode(der), "KeyId": SIGNING, "SigningAlgorithm": "ECDSA_SHA_256"}))
}

async fn derive(request: &Value) -> Answer {
    let der = blob(request, "PublicKey");
    let point = der.strip_prefix(spki().as_slice()).ok_or("ValidationException")?;
    if request["KeyAgreementAlgorithm"] != "ECDH" {
        return Err("ValidationException");
    }
    let secret = MemoryKeys.agree(point).await.map_err(|_| "ValidationException")?;
    Ok(json!({"SharedSecret": base64::encode(secret), "KeyId": AGREEMENT, "KeyAgreementAlgorithm": "ECDH"}))
}

async fn public(key: &str) -> Answer {
    let public = MemoryKeys.public().await.unwrap();
    let (point, usage) = match key {
        SIGNING => (public.signing, "SIGN_VERIFY"),
        AGREEMENT => (public.agreement, "KEY_AGREEMENT"),
        _ => return Err("UnsupportedOperationException"),
    };
    let der = [spki(), point].concat();
    Ok(json!({"PublicKey": base64::encode(der), "KeyId": key, "KeySpec": "ECC_NIST_P256", "KeyUsage": usage}))
}

/// The encryption context as one text; its pairs have no order, and no value is empty.
fn context(request: &Value) -> Result<String, &'static str> {
    let pairs = request["EncryptionContext"].as_object().cloned().unwrap_or_default();
    if pairs.values().any(|value| value.as_str().is_none_or(str::is_empty)) {
        return Err("ValidationException");
    }
    Ok(Value::Object(pairs).to_string())
}

fn blob(request: &Value, name: &str) -> Vec<u8> {
    base64::decode(request[name].as_str().unwrap()).unwrap()
}

fn spki() -> Vec<u8> {
    let digits = SPKI_HEX.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
