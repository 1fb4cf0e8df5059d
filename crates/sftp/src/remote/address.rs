//! Where an upload goes.

use std::{fmt, str::FromStr};

use archive::{Error, Result};
use percent_encoding::percent_decode_str;

const SCHEME: &str = "sftp://";
const DEFAULT_PORT: u16 = 22;
/// What follows it is relative to the user's home.
const HOME: &str = "~";

/// `sftp://USER@HOST[:PORT][/DIR]`; bytes may be written as `%XX`. Without `DIR`, or with `/~/DIR`, it is the user's
/// home, or a folder there; `/DIR` begins at the root that the server shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    user: String,
    host: String,
    port: u16,
    folder: Option<String>,
}

impl Address {
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// The host as `known_hosts` has it: with the port where that is not the usual one.
    pub fn known_as(&self) -> String {
        match self.port {
            DEFAULT_PORT => self.host.clone(),
            port => format!("[{}]:{port}", self.host),
        }
    }

    /// The path of the folder itself.
    pub(crate) fn folder(&self) -> &str {
        self.folder.as_deref().unwrap_or(".")
    }

    /// The path of a file there.
    pub(crate) fn path_of(&self, name: &str) -> String {
        match &self.folder {
            Some(folder) => format!("{}/{name}", folder.trim_end_matches('/')),
            None => name.to_owned(),
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| wrong("it does not begin with sftp://"))?;
        let (authority, folder) = rest.split_once('/').map_or((rest, None), |(host, folder)| (host, Some(folder)));
        let (user, place) = authority.rsplit_once('@').ok_or_else(|| wrong("it names no user"))?;
        if user.contains(':') {
            return Err(wrong("it has a password").hint("give the password with --password-file"));
        }
        let (host, port) = host_and_port(place)?;
        let user = decoded(user)?;
        if user.is_empty() {
            return Err(wrong("it names no user"));
        }
        Ok(Self { user, host, port, folder: folder.map(decoded).transpose()?.and_then(|path| folder_of(&path)) })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{SCHEME}{}@{host}", self.user)?;
        if self.port != DEFAULT_PORT {
            write!(f, ":{}", self.port)?;
        }
        match &self.folder {
            Some(path) if path.starts_with('/') => f.write_str(path),
            Some(path) => write!(f, "/{HOME}/{path}"),
            None => Ok(()),
        }
    }
}

fn wrong(why: &str) -> Error {
    Error::invalid(format!("--to: {why}")).hint("write it as sftp://USER@HOST[:PORT][/DIR]")
}

fn decoded(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| wrong("it is not UTF-8"))?;
    if decoded.chars().any(char::is_control) {
        return Err(wrong("it has a control character"));
    }
    Ok(decoded.into_owned())
}

fn host_and_port(place: &str) -> Result<(String, u16)> {
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(|| wrong("its port cannot be read"))?)),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let sound = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() || !host.chars().all(sound) {
        return Err(wrong("it names no host"));
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(|| wrong("its port cannot be read"))?,
        None => DEFAULT_PORT,
    };
    Ok((host.to_ascii_lowercase(), port))
}

/// The folder behind the host and its slash; none for the user's home.
fn folder_of(path: &str) -> Option<String> {
    let path = path.trim_end_matches('/');
    match path.split_once('/') {
        _ if path.is_empty() || path == HOME => None,
        Some((HOME, below)) => Some(below.to_owned()),
        _ => Some(format!("/{path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_user_host_port_and_folder() {
        for (text, user, known_as, path) in [
            ("sftp://anna@Mail.Example", "anna", "mail.example", "f"),
            ("sftp://anna@mail.example:2022/", "anna", "[mail.example]:2022", "f"),
            ("sftp://anna%40firma@10.0.0.1/in/b%20c/", "anna@firma", "10.0.0.1", "/in/b c/f"),
            ("sftp://anna@firma@host/~/in", "anna@firma", "host", "in/f"),
            ("sftp://a@[::1]:2022", "a", "[::1]:2022", "f"),
            ("sftp://a@[fe80::1%eth0]", "a", "fe80::1%eth0", "f"),
        ] {
            let address = parse(text);
            assert_eq!((address.user(), address.known_as().as_str()), (user, known_as), "{text}");
            assert_eq!(address.path_of("f"), path);
        }
        for text in ["sftp://a@h", "sftp://a@h:2022/in/x", "sftp://a@[::1]/~/x"] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "anna@host",
            "sftp://host",
            "sftp://@host",
            "sftp://a@",
            "sftp://a@h:0",
            "sftp://a@h:70000",
            "sftp://a@h:x",
            "sftp://a@-o evil",
            "sftp://a@h/%ff",
            "sftp://a@h/a%0ab",
            "sftp://a@[::1]x",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        let error = "sftp://anna:secret@host".parse::<Address>().unwrap_err();
        assert!(error.advice().is_some_and(|hint| hint.contains("--password-file")));
        assert!(!error.to_string().contains("secret"));
    }
}
