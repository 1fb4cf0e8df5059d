//! What changed in the source, one line a file: an mbox that was compacted has other mails at thousands of offsets.

use super::named::{Named, NamedList};

/// Changes in the order of the source. Those of one container come behind each other, and become one.
#[derive(Default)]
pub(super) struct Changes {
    list: NamedList,
    /// The first change of the container that came last, and how many it has.
    last: Option<(Named, u64)>,
}

impl Changes {
    /// Another mail lies where one has been exported from.
    pub(super) fn push(&mut self, named: Named) {
        match &mut self.last {
            Some((first, count)) if container(&first.source).is_some_and(|it| container(&named.source) == Some(it)) => {
                *count += 1;
            }
            _ => {
                let before = self.last.replace((named, 1));
                self.list.extend(before.map(told));
            }
        }
    }

    pub(super) fn into_list(mut self) -> NamedList {
        self.list.extend(self.last.map(told));
        self.list
    }
}

impl Extend<Named> for Changes {
    fn extend<I: IntoIterator<Item = Named>>(&mut self, all: I) {
        all.into_iter().for_each(|named| self.push(named));
    }
}

/// The mbox or ZIP that a mail lies in.
fn container(key: &str) -> Option<&str> {
    key.rsplit_once("//").map(|(container, _)| container)
}

fn told((first, count): (Named, u64)) -> Named {
    match container(&first.source) {
        Some(container) if count > 1 => Named {
            source: container.to_owned(),
            reason: format!("other mails lie now at {count} places in it from which mails were exported"),
        },
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::{Changes, Named};

    #[test]
    fn changes_of_one_file_are_one_line() {
        let mut changes = Changes::default();
        let keys =
            ["a/1.eml", "a/2.eml", "a/x.mbox//0", "a/x.mbox//7", "a/y.mbox//9", "z.zip//1/x.mbox//0", "z.zip//2/3"];
        changes.extend(keys.map(|key| Named { source: key.to_owned(), reason: "another".to_owned() }));
        let list: Vec<_> = changes.into_list().iter().map(|named| (named.source, named.reason)).collect();
        let sources: Vec<_> = list.iter().map(|(source, _)| source.as_str()).collect();
        assert_eq!(sources, ["a/1.eml", "a/2.eml", "a/x.mbox", "a/y.mbox//9", "z.zip//1/x.mbox//0", "z.zip//2/3"]);
        assert_eq!(list[2].1, "other mails lie now at 2 places in it from which mails were exported");
        assert_eq!(list[3].1, "another");
    }
}
