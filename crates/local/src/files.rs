//! Files of this machine as objects, for `import FILE`.

use std::path::{Path, PathBuf};

use archive::{Result, ports::ObjectKey};

/// Any readable file of this machine; read-only. The key is the absolute path without its leading `/`.
/// `get`, `stream`, `head` work as in every store; `list`, `put`, `create`, `delete` are `Denied`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files;

impl Files {
    /// The key of a file. Relative paths count from the working folder; links are followed. `NotFound` if there is no
    /// such file, `Invalid` if its path is no UTF-8 or longer than a key may be.
    pub fn key(path: &Path) -> Result<ObjectKey> {
        todo!()
    }
}
