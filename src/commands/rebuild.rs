//! `rebuild`: the catalogue made anew from the objects alone.

use archive::Error;
use serde_json::json;

use crate::{
    assemble::Place,
    commands::{Outcome, check},
    config::Config,
    failure::Result,
};

pub(crate) async fn run(config: &Config) -> Result<Outcome> {
    if config.server.is_some() {
        let error = Error::invalid("a running server cannot make its catalogue anew");
        return Err(error.hint("stop it, and run this beside its data folder").into());
    }
    let (place, faults) = Place::rebuild(config).await?;
    let mut checked = place.archive.check(false).await?;
    checked.errors.extend(faults);
    checked.balanced &= checked.errors.is_empty();
    Ok(check::told(json!(checked)))
}
