//! In-memory twins of the ports and their conformance suites.
