//! Errors of the file system, told as what the caller should do.

use std::{fmt::Display, io};

use archive::{Error, ErrorKind};

/// The error of an operation on `what` (a path or a key, for the message), with a hint where one helps.
pub fn from_io(what: impl Display, error: io::Error) -> Error {
    let (kind, hint) = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => (ErrorKind::NotFound, None),
        io::ErrorKind::AlreadyExists => (ErrorKind::Conflict, None),
        io::ErrorKind::PermissionDenied => (ErrorKind::Denied, Some("look at the owner and mode of the folder")),
        io::ErrorKind::ReadOnlyFilesystem => (ErrorKind::Denied, Some("the file system is mounted read-only")),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::Unavailable, Some("the disk is full: free some space and try again"))
        }
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => {
            (ErrorKind::Invalid, None)
        }
        _ => (ErrorKind::Unavailable, None),
    };
    let error = Error::new(kind, format!("{what}")).caused_by(error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_passes_and_a_read_only_one_needs_permission() {
        for (of, kind) in [
            (io::ErrorKind::StorageFull, ErrorKind::Unavailable),
            (io::ErrorKind::ReadOnlyFilesystem, ErrorKind::Denied),
            (io::ErrorKind::NotFound, ErrorKind::NotFound),
        ] {
            let error = from_io("x", of.into());
            assert_eq!(error.kind(), kind);
        }
        assert!(from_io("x", io::ErrorKind::StorageFull.into()).advice().is_some());
    }
}
