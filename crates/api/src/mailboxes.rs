//! Mailboxes and their folders.

use archive::{
    Error, ErrorKind, MailboxAddress,
    access::{Principal, Role, Visible},
    mailbox::{self, MailboxView},
    ports::FolderCount,
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    Problem,
    bodies::{EmptyParams, Folder, FolderParams, Mailbox, NewMailbox, Origin, ProcessStarted},
    extract::{self, ListParams, Params, PathText},
    guard::Caller,
    processes::accepted,
    router::App,
};

/// Every mailbox that the caller may know of, by address
///
/// All for the roles Admin and Compliance, the granted ones for a Reader. All at once unless `limit` is given; a page
/// with more behind it has a `Link` to the next one.
#[utoipa::path(get, path = "/api/v1/mailboxes", tag = "mailboxes", operation_id = "list_mailboxes", params(ListParams),
    responses((status = 200, body = Vec<Mailbox>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let after = params.after(|_| true)?.map(MailboxAddress::parse).transpose()?;
    let mailboxes = match known_to(&app, &caller).await? {
        Visible::All => app.archive.mailboxes().await?,
        Visible::Mailboxes(granted) => {
            let mut mailboxes = Vec::new();
            for address in granted {
                match app.archive.mailbox(&address).await {
                    Err(e) if e.kind() == ErrorKind::NotFound => {}
                    mailbox => mailboxes.push(mailbox?),
                }
            }
            mailboxes
        }
    };
    let after = after.as_ref().map(MailboxAddress::folded);
    Ok(params.slice::<_, Mailbox>(mailboxes, after, |mailbox| mailbox.address.folded().to_owned())?)
}

/// Add a mailbox
///
/// Empty, by hand, without permissions.
#[utoipa::path(post, path = "/api/v1/mailboxes", tag = "mailboxes", operation_id = "add_mailbox", request_body = NewMailbox,
    responses((status = 201, body = Mailbox)))]
pub(crate) async fn add(
    State(app): State<App>,
    extract::Json(given): extract::Json<NewMailbox>,
) -> Result<Response, Problem> {
    let mailbox = app.archive.add_mailbox(&MailboxAddress::parse(&given.address)?).await?;
    Ok((StatusCode::CREATED, Json(Mailbox::from(mailbox))).into_response())
}

/// One mailbox
#[utoipa::path(get, path = "/api/v1/mailboxes/{address}", tag = "mailboxes", operation_id = "get_mailbox",
    params(("address" = String, Path)), responses((status = 200, body = Mailbox)))]
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    PathText(address): PathText,
) -> Result<Json<Mailbox>, Problem> {
    let address = MailboxAddress::parse(&address)?;
    if !known_to(&app, &caller).await?.includes(&address) {
        // As if it did not exist: whether it does is not the caller's to know.
        return Err(Error::not_found(format!("mailbox {:?} does not exist", address.folded())).into());
    }
    Ok(Json(app.archive.mailbox(&address).await?.into()))
}

/// Empty the target mailbox of imports
///
/// Takes out what imports have placed in it; the mails stay in the archive and in all other mailboxes. The process ends with
/// what was taken out, or without `confirm` with what would be. It fails, and says why, while an import into the mailbox is
/// under way, while restructure has not placed all of its mails, or if a mail lies in no other mailbox.
#[utoipa::path(delete, path = "/api/v1/mailboxes/{address}/mails", tag = "mailboxes", operation_id = "empty_mailbox",
    params(("address" = String, Path), EmptyParams),
    responses((status = 202, description = "Queued", body = ProcessStarted)))]
pub(crate) async fn empty(
    State(app): State<App>,
    Caller(caller): Caller,
    PathText(address): PathText,
    Params(params): Params<EmptyParams>,
) -> Result<Response, Problem> {
    let address = MailboxAddress::parse(&address)?;
    Ok(accepted(app.archive.start_emptying(&address, params.confirm, &caller.name).await?))
}

/// The mailboxes that a caller may know of: an Admin grants them, and so sees all names, but no mail.
async fn known_to(app: &App, caller: &Principal) -> Result<Visible, Error> {
    if caller.roles.contains(&Role::Admin) {
        return Ok(Visible::All);
    }
    app.archive.visible(caller).await
}

/// The folders of a mailbox
#[utoipa::path(get, path = "/api/v1/mailboxes/{address}/folders", tag = "mailboxes", operation_id = "list_folders_of_mailbox",
    params(("address" = String, Path)), responses((status = 200, body = Vec<Folder>)))]
pub(crate) async fn folders(
    State(app): State<App>,
    Caller(caller): Caller,
    PathText(address): PathText,
) -> Result<Json<Vec<Folder>>, Problem> {
    folders_in(&app, &caller, &address).await
}

/// The folders of a mailbox that is named in the query
///
/// For addresses that a path cannot hold on its way.
#[utoipa::path(get, path = "/api/v1/folders", tag = "mailboxes", operation_id = "list_folders", params(FolderParams),
    responses((status = 200, body = Vec<Folder>)))]
pub(crate) async fn folders_of(
    State(app): State<App>,
    Caller(caller): Caller,
    Params(params): Params<FolderParams>,
) -> Result<Json<Vec<Folder>>, Problem> {
    folders_in(&app, &caller, &params.mailbox).await
}

async fn folders_in(app: &App, caller: &Principal, address: &str) -> Result<Json<Vec<Folder>>, Problem> {
    let address = MailboxAddress::parse(address)?;
    let visible = app.archive.visible(caller).await?;
    let folders = app.archive.folders(&visible, &address).await?;
    Ok(Json(folders.into_iter().map(Folder::from).collect()))
}

impl From<MailboxView> for Mailbox {
    fn from(view: MailboxView) -> Self {
        Self {
            address: view.address.to_string(),
            origin: view.origin.into(),
            user_archive: view.user_archive,
            mails: view.mails,
            folders: view.folders,
        }
    }
}

impl From<mailbox::Origin> for Origin {
    fn from(origin: mailbox::Origin) -> Self {
        match origin {
            mailbox::Origin::Hand => Self::Hand,
            mailbox::Origin::Import => Self::Import,
            mailbox::Origin::Restructure => Self::Restructure,
        }
    }
}

impl From<FolderCount> for Folder {
    fn from(folder: FolderCount) -> Self {
        Self { path: folder.path.0, mails: folder.mails }
    }
}
