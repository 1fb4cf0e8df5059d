//! The servers that this user knows already: OpenSSH's `known_hosts` (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use archive::{Error, Result};
use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::{
    Algorithm, PublicKey,
    ssh_key::known_hosts::{Entry, HostPatterns, Marker},
};
use sha1::Sha1;

use super::Address;

/// Larger files are no list of hosts.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// What is known of servers.
#[derive(Clone, Debug, Default)]
pub struct KnownHosts(Vec<Entry>);

/// What the list says of a server that shows a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Known,
    /// Nothing is known of the server.
    Unknown,
    /// The server is known by other keys.
    Changed,
    Revoked,
}

impl KnownHosts {
    /// Adds what a file says; one that is not there says nothing. Lines that cannot be read are left out, as OpenSSH
    /// does, and so are authorities: host certificates are not asked for.
    pub fn read(&mut self, path: &Path) -> Result<()> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(|error| unreadable(path, error))?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(Error::invalid(format!("{} is larger than {MAX_FILE_BYTES} bytes", path.display())));
        }
        self.add(&String::from_utf8_lossy(&bytes));
        Ok(())
    }

    /// Notes the key of a server in a file, which is made if need be (mode 0600, its folder 0700).
    pub fn learn(path: &Path, known_as: &str, key: &str) -> Result<()> {
        append(path, &format!("{known_as} {key}\n")).map_err(|error| unreadable(path, error))
    }

    fn add(&mut self, text: &str) {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        let entries = words.filter_map(|line| line.parse::<Entry>().ok());
        self.0.extend(entries.filter(|entry| entry.marker() != Some(&Marker::CertAuthority)));
    }

    pub(crate) fn judge(&self, address: &Address, key: &PublicKey) -> Standing {
        let is_this = |entry: &Entry| entry.public_key().key_data() == key.key_data();
        let is_revoked = |entry: &Entry| entry.marker() == Some(&Marker::Revoked);
        let with_port = address.known_as();
        // OpenSSH, too, accepts a key that is noted for the host without its port.
        let without_port = self.of(address.host()).filter(|entry| is_this(entry));
        let (revoked, valid): (Vec<_>, Vec<_>) =
            self.of(&with_port).chain(without_port).partition(|entry| is_revoked(entry));
        if revoked.into_iter().any(is_this) {
            Standing::Revoked
        } else if valid.is_empty() {
            Standing::Unknown
        } else if valid.into_iter().any(is_this) {
            Standing::Known
        } else {
            Standing::Changed
        }
    }

    /// The kinds of keys that are noted for a server, so that it is asked for one of these.
    pub(crate) fn algorithms(&self, address: &Address) -> Vec<Algorithm> {
        let names = [address.known_as(), address.host().to_owned()];
        names.iter().flat_map(|name| self.of(name)).map(|entry| entry.public_key().algorithm()).collect()
    }

    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |entry| is_meant(entry.host_patterns(), name))
    }
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::unavailable(format!("{}", path.display())).caused_by(error)
}

fn is_meant(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            Hmac::<Sha1>::new_from_slice(salt).is_ok_and(|mac| mac.chain_update(name).verify_slice(hash).is_ok())
        }
        HostPatterns::Patterns(patterns) => {
            let refused = |pattern: &String| pattern.strip_prefix('!').is_some_and(|pattern| fits(pattern, name));
            !patterns.iter().any(refused) && patterns.iter().any(|pattern| fits(pattern, name))
        }
    }
}

/// Whether a pattern with `*` and `?` fits the whole name; in time of the one length times the other.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.as_bytes());
    // `reach[i]`: the pattern so far fits the first `i` bytes.
    let mut reach = vec![false; name.len() + 1];
    if let Some(first) = reach.first_mut() {
        *first = true;
    }
    for wanted in pattern.bytes() {
        let mut next = vec![false; name.len() + 1];
        let mut before = false;
        for (i, slot) in next.iter_mut().enumerate() {
            let here = reach.get(i).copied().unwrap_or_default();
            let step = i.checked_sub(1).and_then(|i| Some((*reach.get(i)?, *name.get(i)?)));
            *slot = match wanted {
                b'*' => here || before,
                b'?' => step.is_some_and(|(reached, _)| reached),
                byte => step.is_some_and(|(reached, found)| reached && found == byte),
            };
            before = *slot;
        }
        reach = next;
    }
    reach.last().copied().unwrap_or_default()
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let ends_in_mid_line = file.seek(SeekFrom::End(-1)).is_ok() && {
        let mut last = [0];
        file.read_exact(&mut last)?;
        last != *b"\n"
    };
    let line = if ends_in_mid_line { format!("\n{line}") } else { line.to_owned() };
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

    fn standing(text: &str, to: &str) -> Standing {
        let mut known = KnownHosts::default();
        known.add(text);
        known.judge(&to.parse().unwrap(), &KEY.parse().unwrap())
    }

    #[test]
    fn a_server_is_known_by_name_and_port() {
        use Standing::{Changed, Known, Unknown};
        for (line, to, expected) in [
            (format!("mail.example {KEY}"), "sftp://a@Mail.example", Known),
            (format!("other,mail.example {KEY} a comment"), "sftp://a@mail.example", Known),
            (format!("mail.example {OTHER}"), "sftp://a@mail.example", Changed),
            (format!("mail.example {OTHER}\nmail.example {KEY}"), "sftp://a@mail.example", Known),
            (format!("other.example {KEY}"), "sftp://a@mail.example", Unknown),
            (format!("[mail.example]:2022 {KEY}"), "sftp://a@mail.example:2022", Known),
            (format!("[mail.example]:2022 {OTHER}"), "sftp://a@mail.example:2022", Changed),
            (format!("[mail.example]:2022 {KEY}"), "sftp://a@mail.example", Unknown),
            (format!("mail.example {KEY}"), "sftp://a@mail.example:2022", Known),
            (format!("mail.example {OTHER}"), "sftp://a@mail.example:2022", Unknown),
            (format!("*.example {KEY}"), "sftp://a@mail.example", Known),
            (format!("m??l.ex*,!x {KEY}"), "sftp://a@mail.example", Known),
            (format!("*.example,!mail.example {KEY}"), "sftp://a@mail.example", Unknown),
            (format!("# mail.example {KEY}"), "sftp://a@mail.example", Unknown),
            (format!("@cert-authority *.example {OTHER}"), "sftp://a@mail.example", Unknown),
            (format!("not a line\n\nmail.example\t{KEY}"), "sftp://a@mail.example", Known),
        ] {
            assert_eq!(standing(&line, to), expected, "{line} {to}");
        }
    }

    #[test]
    fn a_revoked_key_is_refused_whatever_else_is_noted() {
        let text = format!("mail.example {KEY}\n@revoked * {KEY}\n");
        assert_eq!(standing(&text, "sftp://a@mail.example"), Standing::Revoked);
        assert_eq!(standing(&format!("@revoked * {OTHER}"), "sftp://a@mail.example"), Standing::Unknown);
    }

    /// The hash is that of `example.com`, from the tests of russh.
    #[test]
    fn hashed_names_are_known() {
        let line = format!("|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak= {KEY}");
        assert_eq!(standing(&line, "sftp://a@example.com"), Standing::Known);
        assert_eq!(standing(&line, "sftp://a@example.org"), Standing::Unknown);
    }

    #[test]
    fn a_long_pattern_takes_no_time() {
        assert!(!fits(&"*a".repeat(500), &"a".repeat(300)));
        assert!(fits(&"*".repeat(500), "x"));
    }

    #[test]
    fn what_is_learnt_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/known_hosts");
        KnownHosts::learn(&path, "[h]:2022", OTHER).unwrap();
        fs::write(&path, fs::read_to_string(&path).unwrap().trim_end()).unwrap();
        KnownHosts::learn(&path, "h", KEY).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("[h]:2022 {OTHER}\nh {KEY}\n"));
        let mut known = KnownHosts::default();
        known.read(&path).unwrap();
        known.read(&folder.path().join("missing")).unwrap();
        assert_eq!(known.judge(&"sftp://a@h".parse().unwrap(), &KEY.parse().unwrap()), Standing::Known);
    }
}
