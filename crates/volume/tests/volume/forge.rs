//! A second writer, from the page alone, that signs whatever it is told to: for volumes that break the rules.

use crate::support::{EXPORT_ID, rng};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use volume::{Certificate, ExportKeys, ExportState, Protection};

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

pub(crate) fn b64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// What goes into a volume; every field may be changed before [`Forge::build`].
pub(crate) struct Forge {
    pub(crate) certificate: Certificate,
    pub(crate) signing_key: SigningKey,
    pub(crate) header: Value,
    pub(crate) stored: Vec<Vec<u8>>,
    pub(crate) edit_header: fn(&mut Vec<u8>),
    pub(crate) edit_catalogue: fn(&mut Vec<u8>),
    pub(crate) edit_seal: fn(&mut Value),
    pub(crate) edit_seal_bytes: fn(&mut Vec<u8>),
    pub(crate) edit_signature: fn(Signature) -> Vec<u8>,
    pub(crate) gap: Vec<u8>,
}

impl Forge {
    pub(crate) fn new(stored: Vec<Vec<u8>>) -> Self {
        let keys = ExportKeys::generate(EXPORT_ID, &Protection::default(), &mut rng(1)).unwrap();
        // Without a password the export state holds the signing key in clear.
        let state: Value = serde_json::from_slice(&ExportState::seal(&keys, b"", &mut rng(2)).unwrap()).unwrap();
        let signing_key = {
            use base64::Engine as _;
            let text = state["open"]["signing_key"].as_str().unwrap();
            SigningKey::from_slice(&base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap()
        };
        let certificate = keys.certificate().clone();
        let header = json!({
            "format": "mszip", "version": 1, "export_id": EXPORT_ID, "name": "n", "volume": 1,
            "created": "2026-01-02T03:04:05+01:00", "generator": "forge",
            "certificate_sha256": hex(certificate.sha256()), "cipher": "none", "salt": b64(&[3; 32]),
        });
        Self {
            certificate,
            signing_key,
            header,
            stored,
            edit_header: |_| {},
            edit_catalogue: |_| {},
            edit_seal: |_| {},
            edit_seal_bytes: |_| {},
            edit_signature: |signature| signature.normalize_s().to_der().as_bytes().to_vec(),
            gap: Vec::new(),
        }
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut header = serde_json::to_vec(&self.header).unwrap();
        (self.edit_header)(&mut header);
        let mut catalogue = [1u64.to_le_bytes(), (self.stored.len() as u64).to_le_bytes()].concat();
        for stored in &self.stored {
            catalogue.extend_from_slice(&(stored.len() as u64).to_le_bytes());
            catalogue.extend_from_slice(&sha256(stored));
        }
        (self.edit_catalogue)(&mut catalogue);
        let mails = self.stored.len();
        let mut seal = json!({
            "export_id": EXPORT_ID, "volume": 1, "header_sha256": hex(&sha256(&header)),
            "catalogue_sha256": hex(&sha256(&catalogue)), "first_mail": 1, "mails": mails, "raw_bytes": 0,
            "skipped": 0, "previous_seal_sha256": null, "last": true, "volumes": 1, "total_mails": mails,
            "total_raw_bytes": 0, "total_skipped": 0, "a member of the future": [1.5, {"x": null}],
        });
        (self.edit_seal)(&mut seal);
        let mut seal = serde_json::to_vec(&seal).unwrap();
        (self.edit_seal_bytes)(&mut seal);
        let signature = (self.edit_signature)(self.signing_key.sign(&seal));
        let mut entries = vec![("header.json".to_owned(), header)];
        entries.extend(self.stored.iter().enumerate().map(|(i, s)| (format!("mail/{:011}", i + 1), s.clone())));
        entries.extend([
            ("catalogue".to_owned(), catalogue),
            ("seal.json".to_owned(), seal),
            ("seal.sig".to_owned(), signature),
        ]);
        zip(&entries, &self.gap)
    }
}

/// One canonical ZIP, with a gap before the catalogue if asked for.
fn zip(entries: &[(String, Vec<u8>)], gap: &[u8]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        if name == "catalogue" {
            out.extend_from_slice(gap);
        }
        let offset = u32::try_from(out.len()).unwrap();
        let len = u32::try_from(content.len()).unwrap().to_le_bytes();
        let mut common = vec![10, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend_from_slice(&crc32fast::hash(content).to_le_bytes());
        common.extend_from_slice(&len);
        common.extend_from_slice(&len);
        common.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
        common.extend_from_slice(&[0, 0]);
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&common);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(content);
        directory.extend_from_slice(b"PK\x01\x02\x0a\x03");
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&[0; 6]);
        directory.extend_from_slice(&(0o100_644u32 << 16).to_le_bytes());
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let count = u16::try_from(entries.len()).unwrap().to_le_bytes();
    let start = u32::try_from(out.len()).unwrap();
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&count);
    out.extend_from_slice(&count);
    out.extend_from_slice(&u32::try_from(directory.len()).unwrap().to_le_bytes());
    out.extend_from_slice(&start.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out
}

/// The plaintext of an entry from any metadata and frame bytes.
pub(crate) fn plaintext(metadata: &[u8], frame: &[u8]) -> Vec<u8> {
    [&u32::try_from(metadata.len()).unwrap().to_le_bytes(), metadata, frame].concat()
}
