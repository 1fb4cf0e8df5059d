//! The contract of each port, as assertions.
