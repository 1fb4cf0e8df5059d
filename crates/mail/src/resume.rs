//! Does a header go on after a stray line? A body may begin with lines that look like fields (forwarded mails, patches,
//! web forms), so only lines that the header still lacks count.

use crate::line::{Lines, is_blank};
use crate::preamble::is_plain_field;
use crate::scan::field_name;

/// More lines than that are no remainder of a header.
const RUN_LINES: usize = 400;
/// Fields of which a mail has one: if the run repeats one that was seen, it quotes another mail.
const SINGLE: [&str; 10] = [
    "from",
    "to",
    "cc",
    "date",
    "subject",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "return-path",
];
/// Fields that programs write and people do not.
const TECHNICAL: [&str; 7] =
    ["message-id", "received", "mime-version", "content-type", "return-path", "dkim-signature", "references"];
const MEANT_FOR_PEOPLE: [&str; 4] = ["from", "subject", "date", "to"];

/// True if what follows a stray line (`blank`, or one that is no field) is the rest of the header that so far has the
/// fields `seen`.
pub(crate) fn resumes(seen: &[&str], rest: &[u8], cr_only: bool, blank: bool) -> bool {
    if seen.is_empty() {
        return false;
    }
    let Some(run) = field_run(rest, cr_only, blank) else { return false };
    let has = |name: &str| seen.iter().any(|seen| seen.eq_ignore_ascii_case(name));
    let lacks = |names: &[&str]| run.iter().any(|name| names.contains(&name.as_str()) && !has(name));
    if run.iter().any(|name| SINGLE.contains(&name.as_str()) && has(name)) {
        return false;
    }
    if !blank {
        return lacks(&TECHNICAL) || lacks(&MEANT_FOR_PEOPLE);
    }
    let whole = has("from") && has("date") && has("subject");
    let hides_mime = lacks(&["content-type"]) && lacks(&["mime-version"]);
    let barely_begun = seen.len() <= 2 && run.iter().all(|name| is_known(name)) && lacks(&MEANT_FOR_PEOPLE);
    hides_mime || (!whole && (lacks(&TECHNICAL) || barely_begun))
}

fn is_known(name: &str) -> bool {
    SINGLE.contains(&name) || TECHNICAL.contains(&name) || name.starts_with("x-") || name == "reply-to"
}

/// The names, in lower case, of the fields up to the next blank line or the end; none if any line is no field.
/// A stray line that is not blank may stand within a folded field, whose rest comes first.
fn field_run(rest: &[u8], cr_only: bool, blank: bool) -> Option<Vec<String>> {
    let mut run = Vec::new();
    for (count, line) in Lines::new(rest, 0, cr_only).enumerate() {
        let text = line.text(rest);
        if text.is_empty() {
            break;
        }
        if count >= RUN_LINES {
            return None;
        }
        if is_blank(text.first().copied()) && !(blank && run.is_empty()) {
            continue;
        }
        let (name, _) = field_name(text).filter(|_| is_plain_field(text))?;
        run.push(name.to_ascii_lowercase());
    }
    (!run.is_empty()).then_some(run)
}
