//! The archive of a stack on AWS, worked on from here as its functions do, with the caller's own rights.

use archive::{Archive, Error, Result};
use aws::{Clients, DynamoCatalog, doctor::Stack};
use tempfile::TempDir;

use crate::config::Config;

/// An archive that others work on too.
pub(crate) struct Deployed {
    pub(crate) archive: Archive,
    pub(crate) catalog: DynamoCatalog,
    /// Name of the table.
    pub(crate) table: String,
    _scratch: TempDir,
}

impl Deployed {
    /// `NotFound` if there is no such stack, or if it lacks something; `Invalid` if another archive is named too.
    pub(crate) async fn open(stack: &str, config: &Config) -> Result<Self> {
        check_alone(config)?;
        let clients = Clients::load(config.aws_endpoint).await;
        let settings = Stack::load(&clients, stack).await?.settings()?;
        let scratch =
            tempfile::tempdir_in(&config.temp).map_err(|error| local::from_io(config.temp.display(), error))?;
        let archive = aws::archive(&clients, &settings, scratch.path().to_owned())?;
        Ok(Self { archive, catalog: aws::catalog(&clients, &settings), table: settings.table, _scratch: scratch })
    }
}

fn check_alone(config: &Config) -> Result<()> {
    if config.server.is_none() && !config.data_given {
        return Ok(());
    }
    let error = Error::invalid("an archive on AWS has neither a server nor a data folder");
    Err(error.hint("leave out --server and --data, POSTKAHN_SERVER and POSTKAHN_DATA"))
}
