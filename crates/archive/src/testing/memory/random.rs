//! Random bytes that a test can have again.

use std::sync::Mutex;

use sha2::{Digest, Sha256};

use super::locked;
use crate::ports::Random;

/// SHA-256 of seed and counter, block after block.
#[derive(Debug)]
pub struct SeededRandom {
    seed: u64,
    drawn: Mutex<u64>,
}

impl SeededRandom {
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: Mutex::new(0) }
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let mut drawn = locked(&self.drawn);
        for block in bytes.chunks_mut(32) {
            let digest =
                Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(drawn.to_be_bytes()).finalize();
            block.iter_mut().zip(digest).for_each(|(byte, random)| *byte = random);
            *drawn += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_draw_equal_bytes() {
        let draw = |random: &SeededRandom| {
            let mut bytes = [0; 50];
            random.fill(&mut bytes);
            bytes
        };
        let (a, b, other) = (SeededRandom::new(1), SeededRandom::new(1), SeededRandom::new(2));
        let first = draw(&a);
        assert_eq!(first, draw(&b));
        assert_ne!(first, draw(&a));
        assert_ne!(first, draw(&other));
    }
}
