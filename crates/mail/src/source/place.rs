use super::Item;

/// Where a container or a directory lies: what the keys and locations of its mails begin with.
#[derive(Clone, Debug)]
pub struct Place {
    /// The key of the container itself.
    pub key: String,
    /// What the locations begin with; none directly in the source.
    pub segments: Vec<String>,
    /// The user archive of mails that lie in none. Not empty.
    pub user_archive: String,
}

impl Place {
    /// The key of a member. `number` is one that no other member has.
    pub fn member_key(&self, number: u64, name: &str) -> String {
        let slash = if name.is_empty() { "" } else { "/" };
        format!("{}//{number}{slash}{name}", self.key)
    }

    /// The place of what lies in directories below this one.
    #[must_use]
    pub fn below(&self, key: String, segments: impl IntoIterator<Item = String>) -> Self {
        let segments = self.segments.iter().cloned().chain(segments).collect();
        Self { key, segments, user_archive: self.user_archive.clone() }
    }

    /// The location of a mail that lies right here.
    pub fn location(&self) -> Vec<String> {
        if self.segments.is_empty() { vec![self.user_archive.clone()] } else { self.segments.clone() }
    }

    /// What lies right here and cannot be read: a directory, a container, or what may be one.
    pub(super) fn skipped(&self, reason: impl Into<String>) -> Item {
        self.unread(reason.into(), false)
    }

    /// One mail that lies right here and cannot be read.
    pub(super) fn skipped_mail(&self, reason: impl Into<String>) -> Item {
        self.unread(reason.into(), true)
    }

    fn unread(&self, reason: String, is_one_mail: bool) -> Item {
        Item::Skipped { source: self.key.clone(), location: self.location(), reason, is_one_mail }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn places_nest() {
        let root = Place { key: "a.zip".into(), segments: Vec::new(), user_archive: "USER".into() };
        assert_eq!(root.location(), ["USER"]);
        assert_eq!(root.member_key(7, ""), "a.zip//7");
        let inner = root.below(root.member_key(3, "x/y.mbox"), ["x".to_owned()]);
        assert_eq!((inner.key.as_str(), inner.location()), ("a.zip//3/x/y.mbox", vec!["x".to_owned()]));
        assert_eq!(inner.member_key(0, ""), "a.zip//3/x/y.mbox//0");
    }
}
