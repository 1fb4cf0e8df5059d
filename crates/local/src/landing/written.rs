//! Which parts of a file have been written.

use std::collections::BTreeMap;

/// A client that leaves more gaps than this is not uploading a file. OpenSSH keeps 64 requests under way.
const MAX_GAPS: usize = 1024;

/// The beginning without a gap, and the stretches that were written ahead of it.
#[derive(Debug, Default)]
pub(super) struct Written {
    durable: u64,
    /// Start → end; apart from each other and from the beginning.
    ahead: BTreeMap<u64, u64>,
    end: u64,
}

impl Written {
    /// A file that has no gap.
    pub(super) fn through(end: u64) -> Self {
        Self { durable: end, ahead: BTreeMap::new(), end }
    }

    /// Up to the first gap.
    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// Where the file ends, gaps included.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Whether a block may begin here.
    pub(super) fn takes(&self, start: u64) -> bool {
        start <= self.durable || self.ahead.len() < MAX_GAPS
    }

    /// The bytes from `start` to `end` were written.
    pub(super) fn add(&mut self, mut start: u64, mut end: u64) {
        if start >= end {
            return;
        }
        self.end = self.end.max(end);
        while let Some((&begins, &ends)) = self.ahead.range(..=end).next_back()
            && ends >= start
        {
            self.ahead.remove(&begins);
            (start, end) = (start.min(begins), end.max(ends));
        }
        if start <= self.durable {
            self.durable = self.durable.max(end);
        } else {
            self.ahead.insert(start, end);
        }
    }

    /// The file was cut or extended to `size`.
    pub(super) fn resize(&mut self, size: u64) {
        self.durable = self.durable.min(size);
        self.ahead.retain(|start, end| {
            *end = size.min(*end);
            *start < *end
        });
        self.end = size;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_filled_gap_joins_what_lies_ahead() {
        let mut written = Written::through(4);
        written.add(8, 12);
        written.add(16, 20);
        written.add(14, 14);
        assert_eq!((written.durable(), written.end()), (4, 20));
        written.add(12, 16);
        written.add(2, 8);
        assert_eq!((written.durable(), written.end()), (20, 20));
        written.resize(30);
        assert_eq!((written.durable(), written.end()), (20, 30));
        written.resize(10);
        assert_eq!((written.durable(), written.end()), (10, 10));
    }

    #[test]
    fn gaps_are_bounded() {
        let mut written = Written::default();
        for i in 1..=MAX_GAPS as u64 {
            assert!(written.takes(i * 2));
            written.add(i * 2, i * 2 + 1);
        }
        assert!(!written.takes(1 << 20));
        assert!(written.takes(0));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_bitmap(steps in prop::collection::vec((0u64..64, 0u64..16, any::<bool>()), 0..40)) {
            let mut written = Written::default();
            let mut map: Vec<bool> = Vec::new();
            for (start, length, cut) in steps {
                if cut && length > 12 {
                    written.resize(start);
                    map.resize(usize::try_from(start).unwrap(), false);
                } else if length > 0 {
                    let end = start + length;
                    written.add(start, end);
                    map.resize(map.len().max(usize::try_from(end).unwrap()), false);
                    for at in start..end {
                        map[usize::try_from(at).unwrap()] = true;
                    }
                }
                let durable = map.iter().position(|b| !b).unwrap_or(map.len()) as u64;
                prop_assert_eq!((written.durable(), written.end()), (durable, map.len() as u64));
            }
        }
    }
}
