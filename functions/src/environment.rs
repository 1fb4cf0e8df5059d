//! What the template sets for each function. Nothing else here reads our variables.

use std::env;

use archive::{Error, Result};
use aws::{DoorSettings, QueueUrls, ScheduleSettings, Settings};

const TABLE: &str = "POSTKAHN_TABLE";
const UPLOADS_BUCKET: &str = "POSTKAHN_UPLOADS_BUCKET";
const ARCHIVE_BUCKET: &str = "POSTKAHN_ARCHIVE_BUCKET";
const UPLOADS_QUEUE: &str = "POSTKAHN_UPLOADS_QUEUE";
const IMPORTS_QUEUE: &str = "POSTKAHN_IMPORTS_QUEUE";
const TASKS_QUEUE: &str = "POSTKAHN_TASKS_QUEUE";
const DEAD_LETTERS: &str = "POSTKAHN_DEAD_LETTERS";
const WRAP_KEY: &str = "POSTKAHN_WRAP_KEY";
const AGREEMENT_KEY: &str = "POSTKAHN_AGREEMENT_KEY";
const SIGNING_KEY: &str = "POSTKAHN_SIGNING_KEY";
const SCHEDULE_GROUP: &str = "POSTKAHN_SCHEDULE_GROUP";
const SCHEDULE_ROLE: &str = "POSTKAHN_SCHEDULE_ROLE";
const RESTRUCTURE_FUNCTION: &str = "POSTKAHN_RESTRUCTURE_FUNCTION";
const SWEEP_FUNCTION: &str = "POSTKAHN_SWEEP_FUNCTION";
const DOMAIN: &str = "POSTKAHN_DOMAIN";
const DOOR: &str = "POSTKAHN_DOOR";
const LOGIN_FUNCTION: &str = "POSTKAHN_LOGIN_FUNCTION";
const DOOR_ROLE: &str = "POSTKAHN_DOOR_ROLE";
const HOST_KEY_SECRET: &str = "POSTKAHN_HOST_KEY_SECRET";
const UPLOADER_ROLE: &str = "POSTKAHN_UPLOADER_ROLE";
const LOG: &str = "POSTKAHN_LOG";

/// What each function is given; it can read nothing else. The template says the same, and a test compares them.
#[rustfmt::skip]
pub const NEEDS: [(&str, &[&str]); 6] = [
    ("intake", &[
        TABLE, UPLOADS_BUCKET, ARCHIVE_BUCKET, UPLOADS_QUEUE, IMPORTS_QUEUE, TASKS_QUEUE, DEAD_LETTERS, WRAP_KEY,
        LOG,
    ]),
    ("import", &[
        TABLE, UPLOADS_BUCKET, ARCHIVE_BUCKET, UPLOADS_QUEUE, IMPORTS_QUEUE, TASKS_QUEUE, DEAD_LETTERS, WRAP_KEY,
        SCHEDULE_GROUP, SCHEDULE_ROLE, RESTRUCTURE_FUNCTION, SWEEP_FUNCTION, LOG,
    ]),
    ("restructure", &[
        TABLE, UPLOADS_BUCKET, ARCHIVE_BUCKET, UPLOADS_QUEUE, IMPORTS_QUEUE, TASKS_QUEUE, DEAD_LETTERS, WRAP_KEY,
        DOMAIN, LOG,
    ]),
    ("sweep", &[
        TABLE, UPLOADS_BUCKET, ARCHIVE_BUCKET, UPLOADS_QUEUE, IMPORTS_QUEUE, TASKS_QUEUE, DEAD_LETTERS, WRAP_KEY,
        DOOR, LOGIN_FUNCTION, DOOR_ROLE, HOST_KEY_SECRET, LOG,
    ]),
    ("http", &[
        TABLE, UPLOADS_BUCKET, ARCHIVE_BUCKET, UPLOADS_QUEUE, IMPORTS_QUEUE, TASKS_QUEUE, DEAD_LETTERS, WRAP_KEY,
        AGREEMENT_KEY, SIGNING_KEY, SCHEDULE_GROUP, SCHEDULE_ROLE, RESTRUCTURE_FUNCTION, SWEEP_FUNCTION, DOMAIN, DOOR,
        LOGIN_FUNCTION, DOOR_ROLE, HOST_KEY_SECRET, LOG,
    ]),
    ("login", &[TABLE, UPLOADS_BUCKET, WRAP_KEY, UPLOADER_ROLE, LOG]),
];

/// What a deployment may leave empty: no domain, no door, the usual log.
const MAY_BE_EMPTY: [&str; 5] = [DOMAIN, LOGIN_FUNCTION, DOOR_ROLE, HOST_KEY_SECRET, LOG];

/// The variables of one function, each of which is there.
#[derive(Clone, Debug)]
pub struct Environment {
    function: &'static str,
    values: Vec<(&'static str, String)>,
}

impl Environment {
    /// Of this process, which runs as `function`. `Invalid` if a variable is missing.
    pub fn of(function: &str) -> Result<Self> {
        Self::from(function, process_variable)
    }

    /// From whatever answers for a name.
    fn from(function: &str, get: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let row = NEEDS.iter().find(|(name, _)| *name == function);
        let (function, names) = row.ok_or_else(|| Error::internal(format!("there is no function {function:?}")))?;
        let value = |name: &'static str| match get(name) {
            Some(value) if !value.is_empty() || MAY_BE_EMPTY.contains(&name) => Ok((name, value)),
            None if MAY_BE_EMPTY.contains(&name) => Ok((name, String::new())),
            _ => Err(missing(function, name)),
        };
        Ok(Self { function, values: names.iter().copied().map(value).collect::<Result<_>>()? })
    }

    /// The function's name.
    pub fn function(&self) -> &'static str {
        self.function
    }

    /// None if the function has no such variable, or an empty one.
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.values.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// `Internal` for a variable that the table does not give to this function.
    fn need(&self, name: &str) -> Result<String> {
        let text = || format!("function {} has no {name}: its row of NEEDS does not list it", self.function);
        self.get(name).map(str::to_owned).ok_or_else(|| Error::internal(text()))
    }
}

impl Environment {
    /// All of it but the log.
    pub fn settings(&self) -> Result<Settings> {
        Ok(Settings {
            table: self.need(TABLE)?,
            uploads_bucket: self.need(UPLOADS_BUCKET)?,
            archive_bucket: self.get(ARCHIVE_BUCKET).map(str::to_owned),
            queues: self.get(UPLOADS_QUEUE).map(|_| self.queues()).transpose()?,
            wrap_key: self.get(WRAP_KEY).map(str::to_owned),
            agreement_key: self.get(AGREEMENT_KEY).map(str::to_owned),
            signing_key: self.get(SIGNING_KEY).map(str::to_owned),
            schedules: self.get(SCHEDULE_GROUP).map(|_| self.schedules()).transpose()?,
            domain: self.get(DOMAIN).map(str::to_owned),
            door: self.get(DOOR).map(|mode| self.door(mode)).transpose()?,
            uploader_role: self.get(UPLOADER_ROLE).map(str::to_owned),
            // The SDK's own variables, which lead it to an emulator.
            path_style: ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"]
                .into_iter()
                .any(|name| process_variable(name).is_some()),
        })
    }

    /// What is logged: `info`, or by part: `warn,archive=debug`.
    pub fn log(&self) -> &str {
        self.get(LOG).unwrap_or("info")
    }

    fn queues(&self) -> Result<QueueUrls> {
        Ok(QueueUrls {
            uploads: self.need(UPLOADS_QUEUE)?,
            imports: self.need(IMPORTS_QUEUE)?,
            tasks: self.need(TASKS_QUEUE)?,
            dead_letters: self.need(DEAD_LETTERS)?,
        })
    }

    fn schedules(&self) -> Result<ScheduleSettings> {
        Ok(ScheduleSettings {
            group: self.need(SCHEDULE_GROUP)?,
            role: self.need(SCHEDULE_ROLE)?,
            restructure_function: self.need(RESTRUCTURE_FUNCTION)?,
            sweep_function: self.need(SWEEP_FUNCTION)?,
        })
    }

    fn door(&self, mode: &str) -> Result<DoorSettings> {
        let set = |name| self.get(name).map(str::to_owned);
        Ok(DoorSettings {
            mode: mode.parse()?,
            login_function: set(LOGIN_FUNCTION),
            role: set(DOOR_ROLE),
            host_key_secret: set(HOST_KEY_SECRET),
        })
    }
}

fn missing(function: &str, name: &str) -> Error {
    Error::invalid(format!("function {function} needs the variable {name}, which is not set"))
        .hint("the template sets it: deploy it as it is")
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment; others get the value")]
fn process_variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;

    #[test]
    fn the_template_sets_what_is_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/environment.json");
        let set: BTreeMap<String, Vec<String>> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let read: BTreeMap<String, Vec<String>> =
            NEEDS.into_iter().map(|(function, names)| (function.to_owned(), owned(names))).collect();
        assert_eq!(set, read);
    }

    #[test]
    fn a_function_has_what_its_row_lists_and_nothing_else() {
        for (function, names) in NEEDS {
            let environment = Environment::from(function, |name| Some(format!("the {name}"))).unwrap();
            for (_, all) in NEEDS {
                for name in all {
                    assert_eq!(environment.need(name).is_ok(), names.contains(name), "{function} {name}");
                }
            }
        }
    }

    #[test]
    fn a_missing_variable_is_named_with_its_function() {
        for (function, names) in NEEDS {
            for missing in names {
                let with = Environment::from(function, |name| (name != *missing).then(|| "x".into()));
                let empty = Environment::from(function, |name| Some(if name == *missing { "" } else { "x" }.into()));
                for read in [with, empty] {
                    match read {
                        Ok(environment) => {
                            assert!(MAY_BE_EMPTY.contains(missing) && environment.get(missing).is_none());
                        }
                        Err(error) => {
                            let text = error.to_string();
                            assert!(text.contains(function) && text.contains(missing), "{text}");
                        }
                    }
                }
            }
        }
        assert!(Environment::from("nothing", |_| None).is_err());
    }
}
