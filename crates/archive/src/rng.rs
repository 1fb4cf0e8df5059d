use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use uuid::Uuid;

use crate::ports::Random;

/// The port as the generator that the volume crate asks for.
pub(crate) struct Rng<'a>(pub(crate) &'a dyn Random);

impl Rng<'_> {
    /// A random UUID (RFC 9562, version 4).
    pub(crate) fn uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }
}

impl TryRng for Rng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.bytes()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

/// The port promises bytes fit for keys.
impl TryCryptoRng for Rng<'_> {}
