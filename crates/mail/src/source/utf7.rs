//! Modified UTF-7: how IMAP servers write the names of folders (RFC 3501, 5.1.3).

/// The text of a name, if it is one: ASCII in which `&` begins base64 of UTF-16 that ends with `-`, and `&-` is `&`.
pub(super) fn decode(name: &str) -> Option<String> {
    if !name.is_ascii() {
        return None;
    }
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((plain, tail)) = rest.split_once('&') {
        let (encoded, tail) = tail.split_once('-')?;
        text.push_str(plain);
        if encoded.is_empty() {
            text.push('&');
        } else {
            text.push_str(&utf16(encoded)?);
        }
        rest = tail;
    }
    text.push_str(rest);
    Some(text)
}

/// Base64 with `,` in place of `/` and without padding; fewer than six bits may be left over, all of them zero.
fn utf16(encoded: &str) -> Option<String> {
    let (mut units, mut bits, mut count) = (Vec::new(), 0_u32, 0_u32);
    for byte in encoded.bytes() {
        bits = bits << 6 | sextet(byte)?;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push(u16::try_from(bits >> count & 0xFFFF).ok()?);
        }
    }
    let left_over = bits & ((1 << count) - 1);
    if count >= 6 || left_over != 0 {
        return None;
    }
    String::from_utf16(&units).ok().filter(|text| !text.contains('\0'))
}

fn sextet(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b',' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn names_of_imap_folders() {
        let table: [(&str, Option<&str>); 14] = [
            ("Inbox", Some("Inbox")),
            ("Entw&APw-rfe", Some("Entwürfe")),
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", Some("~peter/mail/台北/日本語")),
            ("&2D3eAA-", Some("😀")),
            ("Tom &- Jerry", Some("Tom & Jerry")),
            ("&-&AOQ-&-", Some("&ä&")),
            ("a&AC4-b", Some("a.b")),
            ("R&D", None),
            ("R&D-x", None),
            ("Tom & Jerry-x", None),
            ("&2D0-", None),
            ("&AAA-", None),
            ("&AOR-", None),
            ("Entwürfe", None),
        ];
        for (name, meant) in table {
            assert_eq!(decode(name).as_deref(), meant, "{name}");
        }
    }
}
