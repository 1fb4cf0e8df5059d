//! What a page becomes in its parser, which opens again, in each paragraph or cell, the formatting elements that nobody
//! closed, with all their attributes: a hundred kilobytes can become gigabytes.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

use html5ever::interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::{Attribute, ExpandedName, LocalName, Namespace, ParseOpts, QualName, parse_fragment};

/// One for each ten bytes of the longest page that is read: a page of short table cells has fewer.
const ELEMENTS: usize = 200_000;
/// Eight times the longest page that is read.
const BYTES: usize = 16 << 20;
/// Of an element or attribute beside its name and value: what stands around them, and what a parser keeps.
const AROUND_BYTES: usize = 32;
/// The longest form of one byte, `&quot;`, is longer by that.
const REFERENCE_BYTES: usize = 5;

/// Room for the pages of one mail, in what a parser makes of them. Images are not counted.
#[derive(Debug)]
pub(crate) struct Room {
    elements: Cell<usize>,
    bytes: Cell<usize>,
}

impl Default for Room {
    fn default() -> Self {
        Self { elements: Cell::new(ELEMENTS), bytes: Cell::new(BYTES) }
    }
}

impl Room {
    /// Lets the parser read the page and keeps nothing of it: true if there is room for all that it makes. Asks at each
    /// tag if it goes on. An estimate would not do: what is open depends on all rules of the parser.
    pub(super) fn holds(&self, page: &str, goes_on: &dyn Fn() -> bool) -> bool {
        let sink = Counter { room: self, document: Rc::new(name("")) };
        // As `ammonia` has it.
        let mut parser = parse_fragment(sink, ParseOpts::default(), name("div"), Vec::new(), false);
        // No more is opened again for one tag, and the words before it, than is open; so it stops in time.
        for piece in page.split_inclusive('>') {
            if self.is_full() || !goes_on() {
                return false;
            }
            parser.process(StrTendril::from(piece));
        }
        parser.finish();
        !self.is_full()
    }

    fn is_full(&self) -> bool {
        self.elements.get() == 0 || self.bytes.get() == 0
    }

    fn take_element(&self, name: &QualName, attributes: &[Attribute]) {
        self.elements.set(self.elements.get().saturating_sub(1));
        let attributes = attributes.iter().map(|attribute| {
            let value = written_bytes(&attribute.value);
            value.saturating_add(attribute.name.local.len()).saturating_add(AROUND_BYTES)
        });
        // The name stands in the end tag again.
        self.take_bytes(attributes.sum::<usize>().saturating_add(2 * name.local.len()).saturating_add(AROUND_BYTES));
    }

    fn take_bytes(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_sub(bytes));
    }
}

/// The name of an element of HTML.
fn name(local: &str) -> QualName {
    QualName::new(None, Namespace::from("http://www.w3.org/1999/xhtml"), LocalName::from(local))
}

/// As many bytes as the text has at most, once it is written with references.
fn written_bytes(text: &str) -> usize {
    // The last one begins a no-break space.
    let references = text.bytes().filter(|byte| matches!(byte, b'&' | b'<' | b'>' | b'"' | 0xC2)).count();
    references.saturating_mul(REFERENCE_BYTES).saturating_add(text.len())
}

/// An element, as far as its parser asks: who it is and what it is called, never where it lies.
type Handle = Rc<QualName>;

/// Counts what would be a tree.
struct Counter<'a> {
    room: &'a Room,
    document: Handle,
}

impl Counter<'_> {
    fn take(&self, child: &NodeOrText<Handle>) {
        if let NodeOrText::AppendText(text) = child {
            self.room.take_bytes(written_bytes(text));
        }
    }
}

impl TreeSink for Counter<'_> {
    type Handle = Handle;
    type Output = ();
    type ElemName<'a>
        = ExpandedName<'a>
    where
        Self: 'a;

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, _: ElementFlags) -> Handle {
        self.room.take_element(&name, &attributes);
        Rc::new(name)
    }

    fn append(&self, _: &Handle, child: NodeOrText<Handle>) {
        self.take(&child);
    }

    fn append_before_sibling(&self, _: &Handle, child: NodeOrText<Handle>) {
        self.take(&child);
    }

    fn append_based_on_parent_node(&self, _: &Handle, _: &Handle, child: NodeOrText<Handle>) {
        self.take(&child);
    }

    fn elem_name<'a>(&'a self, element: &'a Handle) -> ExpandedName<'a> {
        element.expanded()
    }

    fn same_node(&self, one: &Handle, other: &Handle) -> bool {
        Rc::ptr_eq(one, other)
    }

    fn get_document(&self) -> Handle {
        Rc::clone(&self.document)
    }

    fn get_template_contents(&self, template: &Handle) -> Handle {
        Rc::clone(template)
    }

    fn create_comment(&self, _: StrTendril) -> Handle {
        self.get_document()
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Handle {
        self.get_document()
    }

    fn parse_error(&self, _: Cow<'static, str>) {}
    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}
    fn set_quirks_mode(&self, _: QuirksMode) {}
    fn add_attrs_if_missing(&self, _: &Handle, _: Vec<Attribute>) {}
    fn remove_from_parent(&self, _: &Handle) {}
    fn reparent_children(&self, _: &Handle, _: &Handle) {}
    fn finish(self) {}
}

#[cfg(test)]
mod tests {
    use super::{BYTES, ELEMENTS, Room};

    /// Elements and bytes that a parser makes of a page beside the root and its context.
    fn taken(page: &str) -> (usize, usize) {
        let (empty, room) = (Room::default(), Room::default());
        assert!(empty.holds("", &|| true) && room.holds(page, &|| true));
        (empty.elements.get() - room.elements.get(), empty.bytes.get() - room.bytes.get())
    }

    #[test]
    fn what_is_opened_again_counts_again() {
        let p = 32 + 2;
        let font = 32 + 8 + 32 + 5 + 3;
        assert_eq!(taken("<p>a</p>"), (1, p + 1));
        assert_eq!(taken("<p><font color=\"red\">a</font><p>b"), (3, 2 * p + font + 2));
        assert_eq!(taken("<p><font color=\"red\">a<p>b<p>c"), (6, 3 * (p + font) + 3));
        assert_eq!(taken("a\"<b title=\"&quot;\">"), (1, 2 + 5 + 32 + 2 + 32 + 5 + 1 + 5));
    }

    #[test]
    fn a_page_is_left_where_there_is_no_room() {
        assert!(!Room::default().holds(&"<br>".repeat(ELEMENTS), &|| true));
        assert!(!Room::default().holds(&"x".repeat(BYTES), &|| true));
        assert!(!Room::default().holds("<p>x", &|| false));
        let room = Room::default();
        let page = "<br>".repeat(ELEMENTS / 2);
        assert!(room.holds(&page, &|| true) && !room.holds(&page, &|| true), "all pages of a mail share it");
    }
}
