//! Who may call what: the one table of routes.

use archive::access::Role;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use crate::{
    door, grants, imports, mailboxes, mails, mapping, metrics, openapi, processes, reports, router::App, schedules,
    session, status, uploads, users,
};

/// What a caller must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Anybody may call.
    Nothing,
    /// Whoever has a session.
    Session,
    /// A session, and one of these roles.
    Any(&'static [Role]),
    /// Role Admin, unless [`crate::Options::metrics_open`].
    MetricsAccess,
}

/// One route of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Upper case.
    pub method: String,
    /// As in the OpenAPI document: `/api/v1/uploads/{id}`.
    pub path: String,
    pub needs: Needs,
}

const ADMIN: Needs = Needs::Any(&[Role::Admin]);
/// Those who read mail. Admin is not among them, and must never be.
const MAIL: Needs = Needs::Any(&[Role::Compliance, Role::Reader]);
/// Names and figures of mailboxes, no mail.
const MAILBOXES: Needs = Needs::Any(&[Role::Admin, Role::Compliance, Role::Reader]);
const STATUS: Needs = Needs::Any(&[Role::Admin, Role::Compliance, Role::Auditor]);
/// Whoever exports sends volumes, and so does an Admin who imports through the server; SFTP is for Compliance alone.
const UPLOAD: Needs = Needs::Any(&[Role::Admin, Role::Compliance]);
/// Whoever answers for the migration, and whoever audits it: names of files and mailboxes and figures, no mail.
const REPORTS: Needs = Needs::Any(&[Role::Admin, Role::Compliance, Role::Auditor]);
/// Whoever makes exports needs it.
const CERTIFICATE: Needs = Needs::Any(&[Role::Admin, Role::Compliance]);

pub(crate) type Row = (Needs, UtoipaMethodRouter<App>);

/// Every route with what it needs. A handler that is not here is not served, and none is here without its needs.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![
        (Needs::Nothing, routes!(session::begin)),
        (Needs::Session, routes!(session::who)),
        (Needs::Session, routes!(session::end)),
        (Needs::Nothing, routes!(openapi::document)),
        (Needs::Nothing, routes!(status::healthz)),
        (Needs::MetricsAccess, routes!(metrics::metrics)),
        (STATUS, routes!(status::status)),
        (CERTIFICATE, routes!(status::certificate)),
    ];
    rows.extend(transfer_rows());
    rows.extend(mail_rows());
    rows.extend(user_rows());
    rows
}

fn transfer_rows() -> Vec<Row> {
    vec![
        (ADMIN, routes!(uploads::list)),
        (ADMIN, routes!(uploads::get)),
        (ADMIN, routes!(uploads::delete)),
        (UPLOAD, routes!(uploads::put)),
        (ADMIN, routes!(imports::start)),
        (ADMIN, routes!(imports::list)),
        (ADMIN, routes!(imports::get)),
        (ADMIN, routes!(imports::cancel)),
        (REPORTS, routes!(reports::exports)),
        (REPORTS, routes!(reports::import)),
        (REPORTS, routes!(reports::import_page)),
        (REPORTS, routes!(reports::export)),
        (REPORTS, routes!(reports::export_page)),
        (ADMIN, routes!(processes::list)),
        (ADMIN, routes!(processes::get)),
        (ADMIN, routes!(processes::lines)),
        (ADMIN, routes!(processes::events)),
        (ADMIN, routes!(processes::restructure)),
        (ADMIN, routes!(processes::check)),
        (ADMIN, routes!(schedules::list)),
        (ADMIN, routes!(schedules::edit)),
        (ADMIN, routes!(schedules::delete)),
        (ADMIN, routes!(schedules::run)),
        (ADMIN, routes!(door::status)),
        (ADMIN, routes!(door::open)),
        (ADMIN, routes!(door::close)),
        (ADMIN, routes!(mapping::list)),
        (ADMIN, routes!(mapping::set)),
        (ADMIN, routes!(mapping::reset)),
    ]
}

fn mail_rows() -> Vec<Row> {
    vec![
        (MAILBOXES, routes!(mailboxes::list)),
        (ADMIN, routes!(mailboxes::add)),
        (MAILBOXES, routes!(mailboxes::get)),
        (ADMIN, routes!(mailboxes::empty)),
        (MAIL, routes!(mailboxes::folders)),
        (MAIL, routes!(mailboxes::folders_of)),
        (MAIL, routes!(mails::list)),
        (MAIL, routes!(mails::show)),
        (MAIL, routes!(mails::raw)),
    ]
}

fn user_rows() -> Vec<Row> {
    vec![
        (ADMIN, routes!(users::list)),
        (ADMIN, routes!(users::add)),
        (ADMIN, routes!(users::get)),
        (ADMIN, routes!(users::edit)),
        (ADMIN, routes!(users::remove)),
        (ADMIN, routes!(users::reset)),
        (ADMIN, routes!(users::add_key)),
        (ADMIN, routes!(users::groups)),
        (ADMIN, routes!(users::add_group)),
        (ADMIN, routes!(users::edit_group)),
        (ADMIN, routes!(grants::list)),
        (ADMIN, routes!(grants::add)),
        (ADMIN, routes!(grants::remove)),
    ]
}

/// The table as data.
pub fn access() -> Vec<Access> {
    let rows = rows().into_iter();
    rows.flat_map(|(needs, (_, paths, _))| {
        let routes = openapi::operations(&paths);
        routes.into_iter().map(move |(method, path)| Access { method, path, needs })
    })
    .collect()
}
