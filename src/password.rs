//! Passwords: from a file, the environment or a prompt, never from an argument.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _},
    path::Path,
};

use archive::{Error, ErrorKind, Result};

use crate::config::Config;

/// A password file is read up to here; what longer ones hold is no password.
const MAX_BYTES: u64 = 4096;

/// The password in `file` without one trailing LF or CRLF, else the one of the environment. `Invalid` if it is empty.
pub(crate) fn given(file: Option<&Path>, config: &Config) -> Result<Option<String>> {
    let password = match file {
        Some(file) => Some(read(file)?),
        None => config.password.clone(),
    };
    match password {
        Some(password) if password.is_empty() => Err(Error::invalid("the password is empty")),
        password => Ok(password),
    }
}

/// Asks on the terminal; none if there is no terminal.
pub(crate) fn asked(prompt: &str) -> Result<Option<String>> {
    if !can_ask() {
        return Ok(None);
    }
    let password = typed(prompt)?;
    if password.is_empty() {
        return Err(Error::invalid("the password is empty"));
    }
    Ok(Some(password))
}

/// Asks on the terminal for what is not needed; none if there is no terminal, or nothing was typed.
pub(crate) fn asked_for_more(prompt: &str) -> Result<Option<String>> {
    Ok(if can_ask() { Some(typed(prompt)?).filter(|password| !password.is_empty()) } else { None })
}

/// Whether somebody sits there who can be asked.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn typed(prompt: &str) -> Result<String> {
    rpassword::prompt_password(format!("{prompt}: "))
        .map_err(|error| Error::invalid("the password could not be read from the terminal").caused_by(error))
}

fn read(path: &Path) -> Result<String> {
    let fail = |error: io::Error| {
        let kind = if error.kind() == io::ErrorKind::InvalidData { ErrorKind::Invalid } else { ErrorKind::NotFound };
        Error::new(kind, format!("password file {}", path.display())).caused_by(error)
    };
    let mut text = String::new();
    File::open(path).map_err(fail)?.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(fail)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Error::invalid(format!("password file {} is larger than {MAX_BYTES} bytes", path.display())));
    }
    let password = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(&text);
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_no_part_of_a_password() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        for (text, password) in
            [("a b \n", "a b "), ("x\r\n", "x"), ("x\n\n", "x\n"), ("x", "x"), ("x\r", "x\r"), ("\n", "")]
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path).unwrap(), password);
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_from_one_that_holds_no_password() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        for unreadable in [&*path, dir.path(), &path.join("below")] {
            assert_eq!(read(unreadable).unwrap_err().kind(), ErrorKind::NotFound);
        }
        std::fs::write(&path, b"\xff").unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), ErrorKind::Invalid);
    }
}
