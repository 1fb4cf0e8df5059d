//! The volumes that are to be sent: found by name, and looked at before anything leaves the house.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use archive::{Error, Result};
use serde_json::{Value, json};
use sftp::remote::LocalFile;
use volume::Certificate;

use crate::{
    commands::{
        inspect::kind_of,
        verify::{certificate_bytes, open},
    },
    text,
};

const EXTENSION: &str = "mszip";
/// What lies beside the volumes of an export and proves or opens them: it never goes the same way as they do.
const COMPANIONS: [&str; 6] = [".cer", ".crt", ".pem", ".export-state", ".report.json", ".report.html"];

/// A file that is a whole volume, as far as that can be seen without its certificate.
struct Volume {
    path: PathBuf,
    name: String,
    export: String,
    number: u64,
    /// How many there are; only the last one says it.
    volumes: Option<u64>,
}

/// Volumes of one or more exports.
pub(super) struct Volumes(Vec<Volume>);

impl Volumes {
    /// Finds volumes by the names of exports, folders and files, all below `from`, and looks at each. `NotFound` if there
    /// is none by a name, `Invalid` and the like if a file is not what it should be.
    pub(super) fn find(from: Option<&Path>, names: &[PathBuf]) -> Result<Self> {
        let base = from.unwrap_or(Path::new(""));
        let mut paths = BTreeSet::new();
        if names.is_empty() {
            paths.extend(of_folder(base)?);
        }
        for name in names {
            paths.extend(by_name(&base.join(name))?);
        }
        let volumes = paths.iter().map(|path| look(path)).collect::<Result<Vec<_>>>()?;
        one_of_each(&volumes)?;
        Ok(Self(volumes))
    }

    /// The files, exports one after the other, each in the order of its volumes.
    pub(super) fn files(&self) -> Result<Vec<LocalFile>> {
        let mut volumes: Vec<_> = self.0.iter().collect();
        volumes.sort_by(|a, b| (&a.export, a.number).cmp(&(&b.export, b.number)));
        volumes.into_iter().map(|volume| LocalFile::find(&volume.path, &volume.name)).collect()
    }

    /// Names and numbers of the volumes that are not here; null stands for the last one of an export.
    pub(super) fn missing(&self) -> Value {
        let of_one = |(export, numbers, is_last_here): (String, Vec<u64>, bool)| json!({ "export_id": export, "volumes": numbers, "last_seen": is_last_here });
        self.gaps().into_iter().map(of_one).collect()
    }

    pub(super) fn is_whole(&self) -> bool {
        self.gaps().is_empty()
    }

    /// `Invalid` if a volume is missing.
    pub(super) fn need_all(&self) -> Result<()> {
        if self.is_whole() {
            return Ok(());
        }
        Err(Error::invalid(self.told().trim_end().to_owned())
            .code("incomplete")
            .hint("finish the export, or send what is here with --partial"))
    }

    /// What is missing, one line an export.
    pub(super) fn told(&self) -> String {
        let line = |(export, numbers, is_last_here): (String, Vec<u64>, bool)| {
            let numbers = (!numbers.is_empty()).then(|| format!("volumes missing: {}", text::cell(&json!(numbers))));
            let last = (!is_last_here).then(|| "the last volume is not here".to_owned());
            let gaps = numbers.into_iter().chain(last).collect::<Vec<_>>().join(", ");
            format!("export {export} is not whole: {gaps}\n")
        };
        self.gaps().into_iter().map(line).collect()
    }

    /// Of each export that is not whole the numbers below its highest that are missing, and whether the last one is here.
    fn gaps(&self) -> Vec<(String, Vec<u64>, bool)> {
        let mut exports: BTreeMap<&str, Vec<&Volume>> = BTreeMap::new();
        for volume in &self.0 {
            exports.entry(&volume.export).or_default().push(volume);
        }
        let gap = |(export, volumes): (&str, Vec<&Volume>)| {
            let here: BTreeSet<u64> = volumes.iter().map(|volume| volume.number).collect();
            let stated = volumes.iter().find_map(|volume| volume.volumes);
            let highest = stated.or(here.last().copied()).unwrap_or_default().min(volume::MAX_VOLUMES);
            let missing: Vec<u64> = (1..=highest).filter(|number| !here.contains(number)).collect();
            (!missing.is_empty() || stated.is_none()).then(|| (export.to_owned(), missing, stated.is_some()))
        };
        exports.into_iter().filter_map(gap).collect()
    }
}

/// The volumes of an export of that name, else of the folder, else the file itself.
fn by_name(path: &Path) -> Result<Vec<PathBuf>> {
    refuse_companion(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let stem = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let is_of_export = |name: &str| name.strip_prefix(stem).is_some_and(is_numbered);
    let of_export = if stem.is_empty() { Vec::new() } else { listed(folder, is_of_export).unwrap_or_default() };
    if !of_export.is_empty() {
        return Ok(of_export);
    }
    if path.is_dir() {
        return of_folder(path);
    }
    if path.exists() {
        return Ok(vec![path.to_owned()]);
    }
    Err(Error::not_found(format!("there are no volumes of {}", path.display()))
        .hint("name the export, as in `--name` of the export, its folder, or single volumes"))
}

/// `-0001.mszip` and so on.
fn is_numbered(rest: &str) -> bool {
    let digits = rest.strip_prefix('-').and_then(|rest| rest.strip_suffix(&format!(".{EXTENSION}")));
    digits.is_some_and(|digits| digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn of_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let is_volume = |name: &str| Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case(EXTENSION));
    let unreadable = |error| Error::not_found(format!("folder {}", folder.display())).caused_by(error);
    let found = listed(folder, is_volume).map_err(unreadable)?;
    if found.is_empty() {
        return Err(Error::not_found(format!("there are no volumes in {}", folder.display())));
    }
    Ok(found)
}

fn listed(folder: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<PathBuf>> {
    let read = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut found = Vec::new();
    for entry in fs::read_dir(read)? {
        let name = entry?.file_name();
        if name.to_str().is_some_and(&wanted) {
            found.push(folder.join(name));
        }
    }
    Ok(found)
}

fn refuse_companion(path: &Path) -> Result<()> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default().to_lowercase();
    if COMPANIONS.iter().any(|end| name.ends_with(end)) && path.exists() {
        return Err(stays_here(&format!("{} is no volume", path.display())));
    }
    Ok(())
}

fn stays_here(what: &str) -> Error {
    Error::invalid(format!("{what} and is not sent")).code("never_sent").hint(
        "certificate, state and reports of an export stay here: the certificate is given when the import is started",
    )
}

/// Opens a file and reads its two ends.
fn look(path: &Path) -> Result<Volume> {
    let shown = path.display();
    let unreadable = |error| Error::not_found(format!("{shown}: cannot be read")).caused_by(error);
    let found = open(path).and_then(|(mut file, size)| volume::inspect(&mut file, size)).map_err(unreadable)?;
    let found = found.map_err(|error| {
        if certificate_bytes(path).is_ok_and(|bytes| Certificate::parse(&bytes).is_ok()) {
            return stays_here(&format!("{shown} is a certificate"));
        }
        let error = Error::new(kind_of(&error), format!("{shown} is no whole volume: {error}")).code(error.code());
        error.hint("export it again, or leave it out")
    })?;
    let name = path.file_name().and_then(OsStr::to_str).map(str::to_owned);
    let name = name.ok_or_else(|| Error::invalid(format!("the name of {shown} is not UTF-8")))?;
    let (header, seal) = (&found["header"], &found["seal"]);
    Ok(Volume {
        path: path.to_owned(),
        name,
        export: header["export_id"].as_str().unwrap_or_default().to_owned(),
        number: header["volume"].as_u64().unwrap_or_default(),
        volumes: seal["volumes"].as_u64().filter(|_| seal["last"] == true),
    })
}

/// `Conflict` if two files would get one name, or are the same volume.
fn one_of_each(volumes: &[Volume]) -> Result<()> {
    let (mut names, mut numbers) = (BTreeMap::new(), BTreeMap::new());
    for volume in volumes {
        let path = volume.path.as_path();
        let other = names.insert(&volume.name, path).or(numbers.insert((&volume.export, volume.number), path));
        if let Some(other) = other {
            let text = format!("{} and {} are the same volume, or have the same name", other.display(), path.display());
            return Err(Error::conflict(text).hint("name the files or folders that are to be sent"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(export: &str, number: u64, volumes: Option<u64>) -> Volume {
        let name = format!("{export}-{number:04}.mszip");
        Volume { path: name.clone().into(), name, export: export.to_owned(), number, volumes }
    }

    #[test]
    fn an_export_is_whole_with_its_last_volume_and_all_before() {
        let whole = Volumes(vec![volume("a", 2, Some(2)), volume("b", 1, Some(1)), volume("a", 1, None)]);
        assert!(whole.is_whole() && whole.need_all().is_ok());
        let gap = Volumes(vec![volume("a", 1, None), volume("a", 4, Some(4)), volume("b", 1, Some(1))]);
        assert_eq!(gap.gaps(), [("a".to_owned(), vec![2, 3], true)]);
        let unfinished = Volumes(vec![volume("a", 1, None)]);
        assert_eq!(unfinished.gaps(), [("a".to_owned(), vec![], false)]);
        assert_eq!(unfinished.need_all().unwrap_err().machine_code(), "incomplete");
    }

    #[test]
    fn two_files_never_become_one() {
        assert!(one_of_each(&[volume("a", 1, None), volume("a", 2, None), volume("b", 1, None)]).is_ok());
        assert!(one_of_each(&[volume("a", 1, None), volume("a", 1, None)]).is_err());
        let renamed = Volume { name: "copy.mszip".to_owned(), ..volume("a", 1, None) };
        assert!(one_of_each(&[volume("a", 1, None), renamed]).is_err());
    }

    #[test]
    fn volumes_are_found_by_name_folder_and_file() {
        let dir = tempfile::tempdir().unwrap();
        let names =
            ["old-0001.mszip", "old-0002.mszip", "old-10000.mszip", "older-0001.mszip", "old-1.mszip", "old.cer"];
        for name in names {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let found = |name: &str| {
            let mut found = by_name(&dir.path().join(name)).unwrap();
            found.sort();
            found.into_iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found("old"), ["old-0001.mszip", "old-0002.mszip", "old-10000.mszip"]);
        assert_eq!(found("old-1.mszip"), ["old-1.mszip"]);
        assert_eq!(of_folder(dir.path()).unwrap().len(), 5);
        let code = |name: &str| by_name(&dir.path().join(name)).unwrap_err().machine_code();
        assert_eq!((code("old.cer"), code("new")), ("never_sent", "not_found"));
    }
}
