//! Paths as clients send them.

/// What a path means in a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The home itself.
    Home,
    /// A name in the home, not checked yet.
    File(String),
    /// Below a folder; a home has none.
    Deeper,
}

impl Place {
    /// Any path, absolute or not, counts from the home, which nothing leads out of.
    pub(crate) fn parse(path: &str) -> Self {
        let mut parts = parts(path);
        match (parts.pop(), parts.is_empty()) {
            (None, _) => Self::Home,
            (Some(name), true) => Self::File(name.to_owned()),
            (Some(_), false) => Self::Deeper,
        }
    }
}

/// The path without `.`, `..` and doubled separators, absolute.
pub(crate) fn canonical(path: &str) -> String {
    format!("/{}", parts(path).join("/"))
}

fn parts(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_a_home() {
        for path in ["", ".", "/", "/.", "..", "../..", "/a/..", "//", "./../."] {
            assert_eq!((Place::parse(path), canonical(path)), (Place::Home, "/".to_owned()), "{path:?}");
        }
        for path in ["a.zip", "/a.zip", "./a.zip", "../a.zip", "x/../a.zip", "//a.zip", "a.zip/", "/../../a.zip"] {
            assert_eq!(
                (Place::parse(path), canonical(path)),
                (Place::File("a.zip".into()), "/a.zip".to_owned()),
                "{path:?}"
            );
        }
        for path in ["/etc/passwd", "../../etc/passwd", "a/b", "bob/a.zip"] {
            assert_eq!(Place::parse(path), Place::Deeper, "{path:?}");
        }
        assert_eq!(Place::parse("..\\a"), Place::File("..\\a".into()));
    }
}
