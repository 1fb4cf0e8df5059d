//! Folders that outlast a power cut.

use std::{
    fs::{DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};

/// Makes the folder (0700) and those above it that are missing, each durable. One that is there stays as it is.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    match create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            make(path.parent().ok_or(e)?)?;
            create(path)?;
            sync_above(path)
        }
        made => made.and_then(|()| sync_above(path)),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn create(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

fn sync_above(path: &Path) -> io::Result<()> {
    match path.parent() {
        // Above a relative path of one name lies the working folder.
        Some(above) if above.as_os_str().is_empty() => sync(Path::new(".")),
        Some(above) => sync(above),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn what_is_missing_is_made_and_what_is_there_stays() {
        let tmp = tempfile::tempdir().unwrap();
        let deep = tmp.path().join("a").join("b").join("c");
        make(&deep).unwrap();
        assert_eq!(fs::metadata(deep.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&deep, fs::Permissions::from_mode(0o750)).unwrap();
        fs::write(deep.join("file"), "").unwrap();
        make(&deep).unwrap();
        assert_eq!(fs::metadata(&deep).unwrap().permissions().mode() & 0o777, 0o750);
        assert_eq!(make(&deep.join("file")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(make(&deep.join("file").join("x")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        assert!(make(Path::new("")).is_err());
    }
}
