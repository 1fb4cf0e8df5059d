//! The archive's adapters on AWS.
