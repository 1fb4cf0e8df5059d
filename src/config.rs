//! What the caller set: options, then environment, then the configuration file. Nothing else here reads the environment.

use std::{
    env, fs, io,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use archive::{Domain, Error, Result};
use serde::Deserialize;

/// A configuration file is read up to here.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// As many as there are workers: more would take turns, and all of them end later.
const IMPORTS_AT_ONCE: u32 = 2;

/// Options that every command takes.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Print exactly one JSON document on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The archive's folder, made if missing; goes before POSTKAHN_SERVER [default: ./postkahn-data, or POSTKAHN_DATA]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The domain of recreated mailboxes [or POSTKAHN_DOMAIN, or `domain` in DIR/postkahn.toml]
    #[arg(long, global = true, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// Go through a running server, with POSTKAHN_TOKEN, instead of opening the folder [or POSTKAHN_SERVER]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,
}

/// `DIR/postkahn.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    domain: Option<String>,
    /// Where HTTP and SFTP are served: `127.0.0.1:8080`.
    http: Option<String>,
    sftp: Option<String>,
    /// The most bytes that the uploads of one user may take.
    upload_quota_bytes: Option<u64>,
    /// How many imports run side by side; the others wait.
    imports_at_once: Option<NonZeroU32>,
    /// What is logged: `info`, or by part: `warn,archive=debug`.
    log: Option<String>,
}

/// A running server to go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedServer {
    pub(crate) url: String,
    /// POSTKAHN_SERVER names it, which stays set when nobody thinks of it any more.
    pub(crate) by_environment: bool,
}

/// Everything that was set.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    /// Whether `data` was set at all.
    pub(crate) data_given: bool,
    pub(crate) domain: Option<Domain>,
    pub(crate) server: Option<NamedServer>,
    pub(crate) token: Option<String>,
    /// An empty one is kept, so that it can be refused.
    pub(crate) password: Option<String>,
    /// For a login over SFTP, where `password` is something else.
    pub(crate) sftp_password: Option<String>,
    /// The caller's own folder, with what SSH knows.
    pub(crate) home: Option<PathBuf>,
    /// The socket of an ssh-agent.
    pub(crate) ssh_agent: Option<PathBuf>,
    /// Opens the key file, where it is under one.
    pub(crate) key_passphrase: Option<String>,
    pub(crate) http: String,
    pub(crate) sftp: String,
    pub(crate) upload_quota_bytes: Option<u64>,
    /// How many imports a server runs side by side.
    pub(crate) imports_at_once: u32,
    pub(crate) log: Option<String>,
    /// One JSON document on stdout, nothing else.
    pub(crate) json: bool,
    /// AWS is reached at an address of the caller's, as emulators are.
    pub(crate) aws_endpoint: bool,
    /// Where this process may make folders of its own for a while.
    pub(crate) temp: PathBuf,
}

impl Config {
    /// `Invalid` for a value that cannot be, and names it.
    pub(crate) fn load(settings: &Settings) -> Result<Self> {
        let server = server(settings, set("POSTKAHN_SERVER")?)?;
        let given = settings.data.clone().or_else(|| set_path("POSTKAHN_DATA"));
        let data_given = given.is_some();
        let data = given.unwrap_or_else(|| "postkahn-data".into());
        let file = read_file(&data.join("postkahn.toml"))?;
        let domain = settings.domain.clone().or(set("POSTKAHN_DOMAIN")?).or(file.domain);
        Ok(Self {
            data,
            data_given,
            domain: domain.map(|domain| Domain::parse(&domain)).transpose()?,
            server,
            token: set("POSTKAHN_TOKEN")?,
            password: text("POSTKAHN_PASSWORD")?,
            sftp_password: text("POSTKAHN_SFTP_PASSWORD")?,
            home: set_path("HOME"),
            ssh_agent: set_path("SSH_AUTH_SOCK"),
            key_passphrase: set("POSTKAHN_KEY_PASSPHRASE")?,
            http: set("POSTKAHN_HTTP")?.or(file.http).unwrap_or_else(|| "127.0.0.1:8080".into()),
            sftp: set("POSTKAHN_SFTP")?.or(file.sftp).unwrap_or_else(|| "127.0.0.1:2022".into()),
            upload_quota_bytes: file.upload_quota_bytes,
            imports_at_once: file.imports_at_once.map_or(IMPORTS_AT_ONCE, NonZeroU32::get),
            log: set("POSTKAHN_LOG")?.or(file.log),
            json: settings.json,
            aws_endpoint: set("AWS_ENDPOINT_URL")?.or(set("AWS_ENDPOINT_URL_S3")?).is_some(),
            temp: temp_dir(),
        })
    }
}

/// The server to go through: a folder that the command names goes before a server that only the environment names.
/// `Invalid` if the command names both.
fn server(settings: &Settings, of_environment: Option<String>) -> Result<Option<NamedServer>> {
    match (&settings.server, &settings.data) {
        (Some(_), Some(_)) => {
            Err(Error::invalid("--server and --data name two archives").hint("leave one of them out"))
        }
        (Some(url), None) => Ok(Some(NamedServer { url: url.clone(), by_environment: false })),
        (None, Some(_)) => Ok(None),
        (None, None) => Ok(of_environment.map(|url| NamedServer { url, by_environment: true })),
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment; others get the value")]
fn temp_dir() -> PathBuf {
    env::temp_dir()
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment; others get the value")]
fn set_path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(Into::into)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment; others get the value")]
fn text(name: &str) -> Result<Option<String>> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Error::invalid(format!("{name} is not UTF-8"))),
    }
}

/// A variable that counts as not set when it is empty.
fn set(name: &str) -> Result<Option<String>> {
    Ok(text(name)?.filter(|value| !value.is_empty()))
}

fn read_file(path: &Path) -> Result<File> {
    let wrong = |why: String| Error::invalid(format!("{}: {why}", path.display()));
    let too_large = || wrong(format!("larger than {MAX_FILE_BYTES} bytes"));
    match fs::metadata(path) {
        Ok(meta) if meta.len() > MAX_FILE_BYTES => return Err(too_large()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(File::default()),
        Err(error) => return Err(wrong(error.to_string())),
    }
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    toml::from_str(&text).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_named_goes_before_a_server_of_the_environment() {
        let settings = |data: Option<&str>, server: Option<&str>| Settings {
            data: data.map(Into::into),
            server: server.map(Into::into),
            ..Settings::default()
        };
        let named = |url: &str, by_environment| Some(NamedServer { url: url.into(), by_environment });
        let set = || Some("http://set".to_owned());
        assert_eq!(server(&settings(Some("folder"), None), set()).unwrap(), None);
        assert_eq!(server(&settings(None, None), set()).unwrap(), named("http://set", true));
        assert_eq!(server(&settings(None, Some("http://given")), set()).unwrap(), named("http://given", false));
        assert_eq!(server(&settings(None, None), None).unwrap(), None);
        assert!(server(&settings(Some("folder"), Some("http://given")), None).is_err());
    }

    #[test]
    fn a_file_may_say_some_things_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("postkahn.toml");
        assert!(read_file(&path).unwrap().domain.is_none());
        fs::write(&path, "domain = \"example.org\"\nhttp = \"[::1]:80\"\n").unwrap();
        let file = read_file(&path).unwrap();
        assert_eq!((file.domain.as_deref(), file.http.as_deref()), (Some("example.org"), Some("[::1]:80")));
        fs::write(&path, "imports_at_once = 3\n").unwrap();
        assert_eq!(read_file(&path).unwrap().imports_at_once, NonZeroU32::new(3));
        fs::write(&path, "imports_at_once = 0\n").unwrap();
        assert!(read_file(&path).unwrap_err().to_string().contains("postkahn.toml"));
        fs::write(&path, "domian = \"example.org\"\n").unwrap();
        assert!(read_file(&path).unwrap_err().to_string().contains("postkahn.toml"));
    }
}
