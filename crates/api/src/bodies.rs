//! The documents that requests bring and answers carry, field for field those of the interface.
//!
//! Times are RFC 3339 in UTC or null; ids and hashes are text. Answers may gain fields; requests with a field that is
//! not named here are refused.

mod access;
mod door;
mod import;
mod mail;
mod migration;
mod process;
mod status;
mod upload;

pub use access::{
    BeginSession, EditGroup, EditUser, Grant, Group, NewGrant, NewGroup, NewKey, NewUser, Role, Session, User, Who,
};
pub use door::{Door, DoorMode, DoorState, OpenDoor};
pub use import::{FailedEntry, Import, ImportState, NotMail, StartImports, Started};
pub use mail::{
    Attachment, EditMapping, EmptyParams, Folder, FolderParams, Mail, MailPage, MailParams, Mailbox, MappingRow,
    NewMailbox, Origin, Shown,
};
pub use migration::{
    Export, ExportImport, ExportReport, ImportReport, LedgerObject, MailboxSum, Quantity, SliceObject, Standing, Sum,
    VolumeFacts,
};
pub use process::{
    EditSchedule, Failure, Line, Process, ProcessStarted, ProcessState, Schedule, Severity, StartCheck,
    StartRestructure,
};
pub use status::{Certificate, Health, Sftp, Space, Status};
pub use upload::{Upload, UploadKind, UploadState};
