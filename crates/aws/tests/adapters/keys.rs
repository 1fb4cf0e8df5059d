//! KMS: the contract of the port against a fake with the documented behaviour, and against the stand-ins as far as they
//! go.

use archive::{ErrorKind, ports::Keys as _, testing::suites};
use aws::{KeyArns, KmsKeys};
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use p256::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier as _};
use sha2::{Digest as _, Sha256};

use crate::support::{clients, emulators, is_moto, kms};

fn fake_arns() -> KeyArns {
    let arn = |name: &str| Some(name.to_owned());
    KeyArns { wrap: arn(kms::WRAP), agreement: arn(kms::AGREEMENT), signing: arn(kms::SIGNING) }
}

#[tokio::test(flavor = "multi_thread")]
async fn kms_as_documented_keeps_the_contract() {
    let keys = KmsKeys::new(&clients(&kms::start().await), fake_arns());
    suites::keys(&keys).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn public_keys_are_asked_for_once() {
    let clients = clients(&kms::start().await);
    let keys = KmsKeys::new(&clients, fake_arns());
    for _ in 0..3 {
        keys.public().await.unwrap();
    }
    assert_eq!(clients.meter().take().requests("KMS"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_is_none_never_reaches_kms() {
    let clients = clients(&kms::start().await);
    let keys = KmsKeys::new(&clients, fake_arns());
    assert_eq!(keys.agree(&[4; 65]).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert!(clients.meter().take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_uses_the_keys_that_it_was_given() {
    let clients = clients(&kms::start().await);
    let none = KmsKeys::new(&clients, KeyArns { agreement: fake_arns().agreement, ..KeyArns::default() });
    assert_eq!(none.wrap(b"1", "a").await.unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(none.sign(&[0; 32]).await.unwrap_err().kind(), ErrorKind::Internal);
    let public = none.public().await.unwrap();
    assert_eq!((public.agreement.len(), public.signing.len()), (65, 0));
    let exchanged = KeyArns { wrap: fake_arns().signing, signing: fake_arns().wrap, agreement: None };
    let exchanged = KmsKeys::new(&clients, exchanged);
    assert!(exchanged.wrap(b"1", "a").await.is_err() && exchanged.public().await.is_err());
    let unknown = KmsKeys::new(&clients, KeyArns { wrap: Some("unknown".into()), ..KeyArns::default() });
    assert_eq!(unknown.wrap(b"1", "a").await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn made(endpoint: &str) -> KeyArns {
    let kms = clients(endpoint).kms();
    let make = async |spec: KeySpec, usage: KeyUsageType| {
        let made = kms.create_key().key_spec(spec).key_usage(usage).send().await.unwrap();
        made.key_metadata.unwrap().arn
    };
    KeyArns {
        wrap: make(KeySpec::SymmetricDefault, KeyUsageType::EncryptDecrypt).await,
        signing: make(KeySpec::EccNistP256, KeyUsageType::SignVerify).await,
        agreement: None,
    }
}

/// All but `agree`, which moto lacks. moto also looks for the key that a ciphertext's first bytes name, and does not find
/// it if they were changed, where KMS says that this is no ciphertext; and it signs the hash of what it is told is a hash.
#[tokio::test(flavor = "multi_thread")]
async fn stand_ins_wrap_and_sign() {
    for endpoint in emulators() {
        let keys = KmsKeys::new(&clients(&endpoint), made(&endpoint).await);
        for plain in [vec![7], vec![0; 32], vec![0xFF; 4096]] {
            let wrapped = keys.wrap(&plain, "import i1").await.unwrap();
            assert_ne!(keys.wrap(&plain, "import i1").await.unwrap(), wrapped);
            assert_eq!(keys.unwrap(&wrapped, "import i1").await.unwrap(), plain);
            let mut changed = wrapped.clone();
            *changed.last_mut().unwrap() ^= 1;
            let cut = wrapped.get(..wrapped.len() - 1).unwrap();
            for (wrapped, context) in [
                (wrapped.as_slice(), "import i2"),
                (&wrapped, ""),
                (&changed, "import i1"),
                (cut, "import i1"),
                (&[], ""),
            ] {
                let error = keys.unwrap(wrapped, context).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Denied, "{endpoint}: {error}");
            }
        }
        let unbound = keys.wrap(b"1", "").await.unwrap();
        assert_eq!(keys.unwrap(&unbound, "").await.unwrap(), b"1");
        assert_eq!(keys.wrap(&[0; 4097], "import i1").await.unwrap_err().kind(), ErrorKind::Invalid);

        let verifier = VerifyingKey::from_sec1_bytes(&keys.public().await.unwrap().signing).unwrap();
        for round in 0..16u8 {
            let signature = Signature::from_der(&keys.sign(&[round; 32]).await.unwrap()).unwrap();
            let twice = Sha256::digest([round; 32]).to_vec();
            let signed = if is_moto(&endpoint) { twice } else { vec![round; 32] };
            verifier.verify_prehash(&signed, &signature).unwrap();
            assert_eq!(signature, signature.normalize_s(), "s is low");
        }
    }
}
