//! Keys: the content key of an export and everything that HKDF derives on the way to it and from it.

use zeroize::Zeroizing;

/// A 32-byte secret that is wiped when dropped.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// The key of an export, one for all its volumes; wiped when dropped and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ContentKey(Key);

impl ContentKey {
    /// From 32 bytes that a key store gave back.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The 32 bytes, for a key store to wrap.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContentKey(..)")
    }
}

/// What a reader holds to open a volume.
#[derive(Clone, Copy)]
pub enum Secret<'a> {
    /// Nothing: opens volumes with cipher "none".
    None,
    /// The password of the export.
    Password(&'a str),
    /// The private key of a recipient.
    RecipientKey(&'a p256::SecretKey),
    /// The content key itself, as a key store keeps it between steps.
    ContentKey(&'a ContentKey),
}

impl std::fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Password(_) => "Password(..)",
            Self::RecipientKey(_) => "RecipientKey(..)",
            Self::ContentKey(_) => "ContentKey(..)",
        })
    }
}
