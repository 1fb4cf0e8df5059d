//! A mailbox's address, and how the name of a user archive becomes one.

use std::{cmp::Ordering, fmt, hash};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

const MAX_BYTES: usize = 512;

/// `local@domain`, RFC 5321 dot-atom with the letters of RFC 6531. Two addresses that differ only in case are the same
/// mailbox; the form first seen is the one that is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailboxAddress {
    shown: String,
    folded: String,
}

impl MailboxAddress {
    pub fn parse(text: &str) -> Result<Self> {
        let sound = text.len() <= MAX_BYTES && text.rsplit_once('@').is_some_and(|(l, d)| is_local(l) && is_domain(d));
        if !sound {
            return Err(Error::invalid(format!("{text:?} is not a mailbox address")).hint("write it as name@domain"));
        }
        Ok(Self { shown: text.to_owned(), folded: text.to_lowercase() })
    }

    /// The address of a recreated mailbox: a user archive that is an address stays as it is, any other name becomes
    /// `name@domain` in lower case, with `-` for each character that a local part cannot hold. `@catchall` becomes
    /// `catchall@domain`. None where a domain is needed and none is given.
    pub fn recreated(archive: &str, domain: Option<&Domain>) -> Result<Option<Self>> {
        if let Ok(address) = Self::parse(archive) {
            return Ok(Some(address));
        }
        let Some(domain) = domain else { return Ok(None) };
        let name = if archive == "@catchall" { "catchall" } else { archive };
        Self::parse(&format!("{}@{domain}", shortened(local_part(name)))).map(Some)
    }

    pub fn as_str(&self) -> &str {
        &self.shown
    }
    /// The form by which addresses are compared and stored.
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

/// A name that is too long for an address is cut and told apart by a hash.
fn shortened(name: String) -> String {
    const LONGEST: usize = 256;
    if name.len() <= LONGEST {
        return name;
    }
    let hash = crate::MailHash::of(name.as_bytes()).to_string();
    let cut = name.get(..name.floor_char_boundary(LONGEST - 17)).unwrap_or_default().trim_end_matches('.');
    format!("{cut}-{}", hash.get(..16).unwrap_or_default())
}

/// Lower case; keeps letters and digits of any script and the atom characters of RFC 5322, the dot only between others.
fn local_part(name: &str) -> String {
    let chars: Vec<char> = name.to_lowercase().chars().collect();
    let dot_stays = |at: usize| {
        let neighbour = |i: Option<usize>| i.and_then(|i| chars.get(i)).is_some_and(|c| *c != '.');
        neighbour(at.checked_sub(1)) && neighbour(at.checked_add(1))
    };
    let keep = |(at, c): (usize, &char)| if is_atom(*c) || (*c == '.' && dot_stays(at)) { *c } else { '-' };
    chars.iter().enumerate().map(keep).collect()
}

fn is_atom(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+/=?^_{|}~-`".contains(c)
}

fn is_local(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
}

fn is_domain(domain: &str) -> bool {
    let label = |l: &str| {
        !l.is_empty() && !l.starts_with('-') && !l.ends_with('-') && l.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    domain.split('.').all(label)
}

impl PartialEq for MailboxAddress {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}
impl Eq for MailboxAddress {}
impl hash::Hash for MailboxAddress {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.folded.hash(state);
    }
}
impl PartialOrd for MailboxAddress {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for MailboxAddress {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded.cmp(&other.folded)
    }
}
impl fmt::Display for MailboxAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
impl TryFrom<String> for MailboxAddress {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}
impl From<MailboxAddress> for String {
    fn from(address: MailboxAddress) -> Self {
        address.shown
    }
}

/// The domain that recreated mailboxes get, `firma.example`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

impl Domain {
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > 253 || !is_domain(text) {
            return Err(Error::invalid(format!("{text:?} is not a domain name")));
        }
        Ok(Self(text.to_lowercase()))
    }
}
impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl TryFrom<String> for Domain {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}
impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recreated(archive: &str) -> String {
        let domain = Domain::parse("firma.example").unwrap();
        MailboxAddress::recreated(archive, Some(&domain)).unwrap().unwrap().to_string()
    }

    #[test]
    fn user_archives_become_addresses() {
        for (archive, address) in [
            ("anna.schmidt", "anna.schmidt@firma.example"),
            ("Jürgen Groß", "jürgen-groß@firma.example"),
            ("@catchall", "catchall@firma.example"),
            ("Bob@Other.Example", "Bob@Other.Example"),
            (".a..b.", "-a--b-@firma.example"),
            ("a/b\\c", "a/b-c@firma.example"),
            ("山田", "山田@firma.example"),
            ("x@", "x-@firma.example"),
        ] {
            assert_eq!(recreated(archive), address, "{archive}");
        }
    }

    #[test]
    fn without_a_domain_only_addresses_can_be_recreated() {
        assert_eq!(MailboxAddress::recreated("anna", None).unwrap(), None);
        assert!(MailboxAddress::recreated("a@b.example", None).unwrap().is_some());
    }

    #[test]
    fn case_alone_makes_no_other_mailbox() {
        assert_eq!(MailboxAddress::parse("A@b.C").unwrap(), MailboxAddress::parse("a@B.c").unwrap());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "a", "@b", "a@", "a b@c", ".a@c", "a..b@c", "a@-c", "a@c..d", "a\0@c"] {
            assert!(MailboxAddress::parse(text).is_err(), "{text:?}");
        }
    }
}
