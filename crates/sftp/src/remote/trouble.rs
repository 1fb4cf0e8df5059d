//! Why a request to a server came to nothing.

use archive::{Error, ErrorKind};
use russh_sftp::{
    client::error::Error as SftpError,
    protocol::{Status, StatusCode},
};

/// The part of a server's words that is passed on.
const MAX_TEXT_CHARS: usize = 300;

#[derive(Debug)]
pub(crate) enum Trouble {
    /// The connection is gone or disturbed: another one may do better.
    Lost(String),
    /// The server, or the file here, says no.
    Refused(Error),
}

/// The outcome of work that may need another connection.
pub(crate) type Tried<T> = Result<T, Trouble>;

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<SftpError> for Trouble {
    fn from(error: SftpError) -> Self {
        match error {
            SftpError::Status(status) => of_status(&status),
            other => Self::Lost(other.to_string()),
        }
    }
}

impl From<russh::Error> for Trouble {
    fn from(error: russh::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

/// What a status asks of us: the table of the error kinds, read backwards as far as that goes.
fn of_status(status: &Status) -> Trouble {
    let text = format!("the server says: {}", words(status));
    let kind = match status.status_code {
        StatusCode::NoConnection | StatusCode::ConnectionLost => return Trouble::Lost(text),
        StatusCode::NoSuchFile => ErrorKind::NotFound,
        StatusCode::PermissionDenied => ErrorKind::Denied,
        StatusCode::OpUnsupported | StatusCode::BadMessage => ErrorKind::Invalid,
        StatusCode::Ok | StatusCode::Eof | StatusCode::Failure => ErrorKind::Unavailable,
    };
    let error = Error::new(kind, text);
    Trouble::Refused(match status.status_code {
        StatusCode::NoSuchFile => error.hint("is the folder that --to names there?"),
        StatusCode::Failure => error.hint("it may have no room left; its log says more"),
        _ => error,
    })
}

fn words(status: &Status) -> String {
    let said = status.error_message.trim();
    let said = if said.is_empty() { status.status_code.to_string() } else { said.to_owned() };
    said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT_CHARS).collect()
}
