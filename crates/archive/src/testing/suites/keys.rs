//! The contract of a key keeper.

use p256::{
    PublicKey, SecretKey,
    ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier as _},
    elliptic_curve::sec1::ToSec1Point as _,
};

use super::fails;
use crate::{ErrorKind, ports::Keys};

/// Everything that [`Keys`] promises.
pub async fn keys(keys: &dyn Keys) {
    only_the_context_opens_what_was_wrapped(keys).await;
    signatures_verify(keys).await;
    both_sides_agree(keys).await;
}

async fn only_the_context_opens_what_was_wrapped(keys: &dyn Keys) {
    for plain in [vec![7], vec![0; 32], vec![0xFF; 4096]] {
        let wrapped = keys.wrap(&plain, "import i1").await.unwrap();
        assert_eq!(keys.unwrap(&wrapped, "import i1").await.unwrap(), plain);
        assert_ne!(keys.wrap(&plain, "import i1").await.unwrap(), wrapped, "equal texts must not show as equal");
        fails(keys.unwrap(&wrapped, "import i2").await, ErrorKind::Denied);
        fails(keys.unwrap(&wrapped, "").await, ErrorKind::Denied);
        for at in [0, wrapped.len() / 2, wrapped.len() - 1] {
            let mut changed = wrapped.clone();
            *changed.get_mut(at).unwrap() ^= 1;
            fails(keys.unwrap(&changed, "import i1").await, ErrorKind::Denied);
            fails(keys.unwrap(wrapped.get(..at).unwrap(), "import i1").await, ErrorKind::Denied);
        }
    }
    fails(keys.wrap(&[0; 4097], "import i1").await, ErrorKind::Invalid);
}

async fn signatures_verify(keys: &dyn Keys) {
    let public = keys.public().await.unwrap();
    assert_eq!(public, keys.public().await.unwrap());
    let verifier = VerifyingKey::from_sec1_bytes(&public.signing).unwrap();
    for round in 0..16u8 {
        let digest = [round; 32];
        let signature = Signature::from_der(&keys.sign(&digest).await.unwrap()).unwrap();
        verifier.verify_prehash(&digest, &signature).unwrap();
        assert_eq!(signature, signature.normalize_s(), "s is low");
        assert!(verifier.verify_prehash(&[0xEE; 32], &signature).is_err());
    }
}

async fn both_sides_agree(keys: &dyn Keys) {
    let public = keys.public().await.unwrap();
    assert_ne!(public.agreement, public.signing, "a key that signs never agrees");
    for point in [&public.agreement, &public.signing] {
        assert_eq!((point.len(), point.first()), (65, Some(&4)));
    }
    let ours = PublicKey::from_sec1_bytes(&public.agreement).unwrap();
    let other = SecretKey::from_slice(&[0x5A; 32]).unwrap();
    let peer = other.public_key().to_sec1_point(false);
    let agreed = keys.agree(peer.as_bytes()).await.unwrap();
    assert_eq!(agreed, other.diffie_hellman(&ours).raw_secret_bytes().to_vec());
    let compressed = other.public_key().to_sec1_point(true);
    let mut off_curve = peer.as_bytes().to_vec();
    *off_curve.last_mut().unwrap() ^= 1;
    for wrong in [compressed.as_bytes(), &off_curve, &[], &[0], &[4; 65], peer.as_bytes().get(..64).unwrap()] {
        fails(keys.agree(wrong).await, ErrorKind::Invalid);
    }
}
