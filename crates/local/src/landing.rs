//! Where the SFTP server writes uploads.

use std::{path::Path, sync::Arc};

use archive::Result;

use crate::Folder;

/// Files in the making below a folder of their own; whole ones are objects of the upload store.
#[derive(Debug)]
pub struct Landings {
    whole: Arc<Folder>,
}

impl Landings {
    /// `partial` is made if need be; it lies on the same file system as the folder of `whole`.
    pub fn open(_partial: &Path, whole: Arc<Folder>) -> Result<Self> {
        Ok(Self { whole })
    }
}
