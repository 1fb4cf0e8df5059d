//! format=flowed (RFC 3676): soft line breaks undone, so that words are whole.

/// The text with its flowed paragraphs joined; `del_sp` says that the space before a soft break is not of the text.
pub(crate) fn unfold(text: &str, del_sp: bool) -> String {
    let mut unfolded = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let (content, line_end) = split_line_end(line);
        let quotes = content.bytes().take_while(|byte| *byte == b'>').count();
        let inner = content.get(quotes..).unwrap_or_default();
        let inner = inner.strip_prefix(' ').unwrap_or(inner);
        if open != Some(quotes) {
            if open.is_some() {
                unfolded.push('\n');
            }
            unfolded.extend(std::iter::repeat_n('>', quotes));
            if quotes > 0 {
                unfolded.push(' ');
            }
        }
        // RFC 3676, 4.3: the signature separator ends in a space and is fixed.
        let soft = inner.ends_with(' ') && inner != "-- " && !line_end.is_empty();
        unfolded.push_str(if soft && del_sp { inner.strip_suffix(' ').unwrap_or(inner) } else { inner });
        open = soft.then_some(quotes);
        if !soft {
            unfolded.push_str(line_end);
        }
    }
    unfolded
}

fn split_line_end(line: &str) -> (&str, &str) {
    let content = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
    line.split_at_checked(content.len()).unwrap_or((line, ""))
}

#[cfg(test)]
mod tests {
    use super::unfold;

    #[test]
    fn soft_breaks_join_and_hard_ones_stay() {
        let table = [
            ("one \r\ntwo\r\nthree\r\n", false, "one two\r\nthree\r\n"),
            ("Zusam \r\nmen\r\n", true, "Zusammen\r\n"),
            ("> a \n> b\nc\n", false, "> a b\nc\n"),
            ("> a \n>> b\n", false, "> a \n>> b\n"),
            (" From here\n  x\n", false, "From here\n x\n"),
            ("a\n-- \nBob\n", false, "a\n-- \nBob\n"),
            ("end ", false, "end "),
        ];
        for (text, del_sp, meant) in table {
            assert_eq!(unfold(text, del_sp), meant, "{text:?}");
        }
    }
}
