//! How large the parts of an object are.

/// Small enough for a function's memory, large enough that requests cost little; S3 wants at least 5 MiB.
pub(super) const FIRST_PART: u64 = 8 << 20;
/// Parts grow by [`FIRST_PART`] after so many, so that 10,000 of them hold the 5 TiB of the largest object.
const PARTS_OF_A_SIZE: u64 = 75;

/// Bytes of the part of this number, from 0.
pub(super) fn part_bytes(number: u64) -> u64 {
    FIRST_PART * (1 + number / PARTS_OF_A_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_parts_hold_the_largest_object() {
        let total: u64 = (0..10_000).map(part_bytes).sum();
        assert!(total >= 5 << 40, "{total}");
        assert!((0..10_000).all(|n| part_bytes(n) <= 5 << 30), "a part is at most 5 GiB");
        assert_eq!((part_bytes(0), part_bytes(74), part_bytes(75)), (8 << 20, 8 << 20, 16 << 20));
    }
}
