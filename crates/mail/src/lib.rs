//! What a mail says, and where mails lie.
//!
//! This crate alone knows mail syntax: the grammar of RFC 5322 and MIME, its obsolete and its broken forms, and the
//! layouts in which mails lie on a disk. It does no networking, reads no clock and starts no task, and nothing that it
//! is given can make it panic: what cannot be read becomes a [`Defects`] code, never an error and never a lost mail.
//!
//! A header counts up to its first 4 MiB ([`HEADER_LIMIT_BYTES`]); a date or a subject that stands behind them is not
//! found, and the mail has the defect `hdr_large`. Within them all fields are read; of more than 10,000 only those are
//! kept from which date, summary and body are told.
//!
//! ```
//! let raw = b"From: =?UTF-8?Q?M=C3=BCller?= <m@example.org>\r\nDate: Mon, 02 Jan 2023 10:00:00 +0100\r\n\
//!             Message-ID: <1@example.org>\r\nSubject: Hello\r\n\r\nGood morning\r\n";
//!
//! let summary = mail::summarize(raw, true);
//! assert_eq!(summary.from.as_deref(), Some("Müller <m@example.org>"));
//!
//! let date = mail::message_date(&mail::scan_headers(raw, true), None);
//! assert_eq!(date.seconds, Some(1_672_650_000));
//! assert_eq!(date.source, Some(mail::DateSource::Date));
//!
//! let view = mail::view(raw, &mail::Limits::default());
//! assert_eq!(view.text.as_deref(), Some("Good morning\r\n"));
//! assert!(view.defects.is_empty());
//! ```

mod attached;
mod boundary;
mod date;
mod defects;
mod flowed;
mod from_line;
mod html;
mod known;
mod labels;
mod line;
mod message_date;
mod mime;
mod parameters;
mod preamble;
pub mod query;
mod resume;
mod scan;
mod second_opinion;
mod shifted;
mod sniff;
pub mod source;
mod summary;
mod text;
mod transfer;
mod view;

pub use attached::has_attachment;
pub use date::{DateDefect, parse_date};
pub use defects::{Defect, Defects};
pub use html::Blocked;
pub use message_date::{DateSource, FallbackDate, MessageDate, message_date};
pub use scan::{Field, HEADER_LIMIT_BYTES, HeaderScan, scan_headers};
pub use sniff::{looks_like_mail, looks_like_mbox};
pub use summary::{Summary, summarize};
pub use view::{Attachment, Limits, View, view, view_while};
