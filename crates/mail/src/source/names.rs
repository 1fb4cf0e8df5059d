//! The names in one directory, in byte order. A directory may hold a million: all names lie in one buffer, so that each
//! costs eleven bytes and itself.

use std::ffi::OsString;
use std::fs::{self, FileType};
use std::io;
use std::path::Path;

/// What a name in a directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    Directory,
    File,
    Link,
    /// A pipe, a socket or a device.
    Special,
    /// A file whose mail may have been there under two names: see [`Names::mark_twins`] and [`Names::mark_doubles`].
    Twin,
}

const KINDS: [EntryKind; 5] =
    [EntryKind::Directory, EntryKind::File, EntryKind::Link, EntryKind::Special, EntryKind::Twin];

/// What is left of the names of a directory.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// For each name one byte of its kind, two of its length, and the name.
    buffer: Vec<u8>,
    /// Where each name begins in the buffer, in reverse order of the names.
    order: Vec<usize>,
    /// The error that ended the reading before its end.
    pub(super) broken: Option<io::Error>,
}

impl Names {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut names = Self::default();
        for entry in fs::read_dir(path)? {
            match entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))) {
                Ok((name, file_type)) => names.add(name, file_type.into())?,
                Err(error) => names.broken = Some(error),
            }
        }
        let Self { buffer, order, .. } = &mut names;
        order.sort_unstable_by(|left, right| name_at(buffer, *right).cmp(name_at(buffer, *left)));
        buffer.shrink_to_fit();
        order.shrink_to_fit();
        Ok(names)
    }

    /// Marks each file of which `is_twin` says that the same mail has another name somewhere.
    pub(super) fn mark_twins(&mut self, is_twin: impl Fn(&[u8]) -> bool) {
        for at in &self.order {
            let is_file = self.buffer.get(*at) == Some(&(EntryKind::File as u8));
            if is_file
                && is_twin(name_at(&self.buffer, *at))
                && let Some(kind) = self.buffer.get_mut(*at)
            {
                *kind = EntryKind::Twin as u8;
            }
        }
    }

    /// Marks each file that has the same name as the one before or behind it but for what `base` leaves out.
    pub(super) fn mark_doubles(&mut self, base: impl Fn(&[u8]) -> &[u8]) {
        let Self { buffer, order, .. } = self;
        let is_double = |pair: &[usize]| match pair {
            [one, other] => base(name_at(buffer, *one)) == base(name_at(buffer, *other)),
            _ => false,
        };
        let doubles: Vec<usize> = order.windows(2).filter(|pair| is_double(pair)).flatten().copied().collect();
        for at in doubles {
            if let Some(kind) = buffer.get_mut(at).filter(|kind| **kind == EntryKind::File as u8) {
                *kind = EntryKind::Twin as u8;
            }
        }
    }

    /// The names that begin so, in their order.
    pub(super) fn beginning<'a>(&'a self, start: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let before = self.order.partition_point(|at| name_at(&self.buffer, *at) >= start);
        let names = self.order.get(..before).unwrap_or_default().iter().rev().map(|at| name_at(&self.buffer, *at));
        names.take_while(move |name| name.starts_with(start))
    }

    fn add(&mut self, name: OsString, kind: EntryKind) -> io::Result<()> {
        let name = to_bytes(name);
        let length = u16::try_from(name.len()).map_err(io::Error::other)?;
        self.order.push(self.buffer.len());
        self.buffer.push(kind as u8);
        self.buffer.extend_from_slice(&length.to_be_bytes());
        self.buffer.extend_from_slice(&name);
        Ok(())
    }
}

impl Iterator for Names {
    type Item = (OsString, EntryKind);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.order.pop()?;
        let kind = KINDS.into_iter().find(|kind| self.buffer.get(at) == Some(&(*kind as u8)))?;
        Some((from_bytes(name_at(&self.buffer, at)), kind))
    }
}

fn name_at(buffer: &[u8], at: usize) -> &[u8] {
    let Some([_, high, low, rest @ ..]) = buffer.get(at..) else { return &[] };
    rest.get(..usize::from(u16::from_be_bytes([*high, *low]))).unwrap_or_default()
}

impl From<FileType> for EntryKind {
    fn from(file_type: FileType) -> Self {
        if file_type.is_dir() {
            Self::Directory
        } else if file_type.is_file() {
            Self::File
        } else if file_type.is_symlink() {
            Self::Link
        } else {
            Self::Special
        }
    }
}

#[cfg(unix)]
fn to_bytes(name: OsString) -> Vec<u8> {
    std::os::unix::ffi::OsStringExt::into_vec(name)
}

#[cfg(unix)]
fn from_bytes(bytes: &[u8]) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}

#[cfg(windows)]
fn to_bytes(name: OsString) -> Vec<u8> {
    std::os::windows::ffi::OsStrExt::encode_wide(name.as_os_str()).flat_map(u16::to_be_bytes).collect()
}

#[cfg(windows)]
fn from_bytes(bytes: &[u8]) -> OsString {
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
    std::os::windows::ffi::OsStringExt::from_wide(&units)
}
