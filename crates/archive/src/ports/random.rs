//! Unpredictable bytes.

pub trait Random: Send + Sync {
    /// Fills the slice with bytes fit for keys.
    fn fill(&self, bytes: &mut [u8]);
}
