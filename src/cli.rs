//! The command line: one variant a verb.

use local::{SystemClock, SystemRandom};

use crate::{
    client::Client,
    commands::{
        Outcome, certificate, check, demo, doctor, export::Export, exports, folders, grant, group, import, imports,
        inspect::Inspect, mailbox, mailboxes, mails, mapping, query, rebuild, redrive, report, restructure, serve,
        show, upload::Upload, uploads, user, verify::Verify,
    },
    config::{Config, Settings},
    failure::Result,
};

/// Moves whole mail archives into an archive of one's own, with proof that nothing was lost
#[derive(clap::Parser, Debug)]
#[command(name = "postkahn", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    Export(Box<Export>),
    Verify(Verify),
    Inspect(Inspect),
    /// Saved searches, for `export --where @NAME`: save, list, show, delete
    #[command(subcommand)]
    Query(query::Query),
    Upload(Box<Upload>),
    /// Serve the archive: HTTP, SFTP, and the work in the background
    Serve(serve::Serve),
    /// Show the whole journey on the sample mails, then serve them
    Demo(demo::Demo),
    /// Import volumes into one mailbox
    Import(import::Import),
    /// Imports of uploads: start, list, cancel
    #[command(subcommand)]
    Imports(imports::Imports),
    /// List the exports of which something was imported
    Exports,
    /// The migration report of an import or an export, for an auditor
    Report(report::Report),
    /// Uploads: list, delete
    #[command(subcommand)]
    Uploads(uploads::Uploads),
    /// Recreate the mailboxes and folders of the old archive
    Restructure(restructure::Restructure),
    /// List the mailboxes
    Mailboxes,
    /// Mailboxes: add, empty
    #[command(subcommand)]
    Mailbox(mailbox::Mailbox),
    /// List the folders of a mailbox
    Folders(folders::Folders),
    /// List mails, the latest first
    Mails(mails::Mails),
    /// Show one mail
    Show(show::Show),
    /// Check that the archive is whole
    Check(check::Check),
    /// Make the catalogue anew from the objects alone
    Rebuild(rebuild::Rebuild),
    /// Users: add, list, reset, keys
    #[command(subcommand)]
    User(user::User),
    /// Groups and their roles: add, list
    #[command(subcommand)]
    Group(group::Group),
    /// Let a user or a group read a mailbox
    Grant(grant::Grant),
    /// Which mailbox each user archive becomes: list, set, reset
    #[command(subcommand)]
    Mapping(mapping::Mapping),
    /// Print the archive's own certificate, for `export --recipient`
    Certificate(certificate::Certificate),
    /// Look at a deployment on AWS, and say what is wrong with it and how it is put right
    Doctor(doctor::Doctor),
    /// Have jobs that were given up on AWS done again, once their cause is mended
    Redrive(redrive::Redrive),
}

impl Command {
    /// Whether somebody watches the log rather than the outcome.
    pub(crate) fn is_serving(&self) -> bool {
        matches!(self, Self::Serve(_))
    }

    pub(crate) fn run(self, config: &Config) -> Result<Outcome> {
        match self {
            Self::Export(export) => Ok(export.run(config, &SystemClock, &SystemRandom)?),
            Self::Verify(verify) => Ok(verify.run(config)?),
            Self::Inspect(inspect) => Ok(inspect.run()?),
            Self::Query(query) => Ok(query::run(&query, config)?),
            command => runtime()?.block_on(command.run_async(config)),
        }
    }

    async fn run_async(self, config: &Config) -> Result<Outcome> {
        match &self {
            Self::Serve(args) => return serve::run(args, config).await,
            Self::Check(args @ check::Check { aws: Some(stack), .. }) => {
                return check::run_on_aws(args, stack, config).await;
            }
            Self::Rebuild(args) => return rebuild::run(args, config).await,
            Self::Demo(args) => return demo::run(args, config).await,
            Self::Doctor(args) => return doctor::run(args, config).await,
            Self::Redrive(args) => return redrive::run(args, config).await,
            Self::Upload(args) => return args.run(config).await,
            _ => {}
        }
        let client = Client::open(config).await?;
        match &self {
            Self::Import(args) => import::run(args, &client, config).await,
            Self::Imports(args) => imports::run(args, &client, config).await,
            Self::Exports => exports::run(&client).await,
            Self::Report(args) => report::run(args, &client).await,
            Self::Uploads(args) => uploads::run(args, &client).await,
            Self::Restructure(args) => restructure::run(args, &client).await,
            Self::Mailboxes => mailboxes::run(&client).await,
            Self::Mailbox(args) => mailbox::run(args, &client).await,
            Self::Folders(args) => folders::run(args, &client).await,
            Self::Mails(args) => mails::run(args, &client).await,
            Self::Show(args) => show::run(args, &client).await,
            Self::Check(args) => check::run(args, &client).await,
            Self::User(args) => user::run(args, &client, config).await,
            Self::Group(args) => group::run(args, &client).await,
            Self::Grant(args) => grant::run(args, &client).await,
            Self::Mapping(args) => mapping::run(args, &client).await,
            Self::Certificate(args) => certificate::run(args, &client).await,
            Self::Export(_)
            | Self::Verify(_)
            | Self::Inspect(_)
            | Self::Query(_)
            | Self::Upload(_)
            | Self::Serve(_)
            | Self::Demo(_)
            | Self::Rebuild(_)
            | Self::Doctor(_)
            | Self::Redrive(_) => Err(archive::Error::internal("this command needs no archive").into()),
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, archive::Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| archive::Error::unavailable("no threads can be started").caused_by(error))
}
