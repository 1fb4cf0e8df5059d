//! `import`: files into one mailbox, each mail with exactly one outcome.

use std::fmt::Write as _;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use archive::{
    Error, ErrorKind,
    ports::ObjectKey,
    uploads::{PENDING, REJECTED},
};
use axum::body::Body;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;

use crate::{
    client::{Client, escaped},
    commands::Outcome,
    config::Config,
    failure::Result,
    password, print, text,
};

/// A certificate file is read up to here; the reader of the volume has a bound of its own below this.
const MAX_CERTIFICATE_BYTES: u64 = 64 * 1024;
/// How long a block of an upload is.
const BLOCK_BYTES: usize = 256 * 1024;
/// Between two looks at what a server works on.
const PAUSE: Duration = Duration::from_millis(250);
/// So often an upload is looked at that is still being checked.
const LOOKS: u32 = 120;

#[derive(clap::Args, Debug)]
pub(crate) struct Import {
    /// Volumes, ZIP archives, mboxes or single mails; they are kept
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    with: With,
}

/// What files or uploads are imported with.
#[derive(clap::Args, Debug)]
pub(super) struct With {
    /// The target mailbox, made if missing
    #[arg(long, value_name = "ADDRESS")]
    mailbox: String,
    /// The export's certificate, DER or PEM; for volumes
    #[arg(long, value_name = "CER")]
    certificate: Option<PathBuf>,
    /// The password is in this file (one line end is removed)
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(crate) async fn run(args: &Import, client: &Client, config: &Config) -> Result<Outcome> {
    if let Some(folder) = args.files.iter().find(|path| path.is_dir()) {
        let hint = "name the files in it, such as FOLDER/*.mszip";
        return Err(Error::invalid(format!("{} is a folder", folder.display())).hint(hint).into());
    }
    let start = args.with.start(config)?;
    let all: Vec<_> = (0..args.files.len()).collect();
    let turns = if client.is_here() { vec![all] } else { by_names(&args.files) };
    let mut ends = BTreeMap::new();
    for turn in turns {
        let files: Vec<_> = turn.iter().filter_map(|at| args.files.get(*at)).cloned().collect();
        let sources = if client.is_here() { local(&files) } else { upload(&files, client).await? };
        let mut start = start.clone();
        start[sources.kind] = json!(sources.ready);
        let begun = if sources.ready.is_empty() { Vec::new() } else { import(start, client).await? };
        ends.extend(turn.into_iter().zip(sources.in_order(begun)));
    }
    let ends: Vec<_> = ends.into_values().collect();
    tell_missing(&ends, client).await;
    Ok(outcome(&ends))
}

/// Says which volumes of these exports have not come in, once their last one is known. Where that cannot be had, the
/// migration report has it.
pub(super) async fn tell_missing(imports: &[Value], client: &Client) {
    let concerned: HashSet<_> = imports.iter().filter_map(|import| import["export_id"].as_str()).collect();
    if concerned.is_empty() {
        return;
    }
    let exports = client.get("/exports").await.unwrap_or_default();
    for export in exports.as_array().into_iter().flatten() {
        let missing = missing_volumes(export);
        if concerned.contains(export["export_id"].as_str().unwrap_or_default()) && !missing.is_empty() {
            let name = text::cell(&export["export_name"]);
            print::progress(&format!("export {name}: not imported yet: volume {missing}"));
        }
    }
}

/// As `2, 4`; nothing as long as nobody knows how many there are.
fn missing_volumes(export: &Value) -> String {
    let there: HashSet<_> =
        export["imported_volumes"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let all = 1..=export["volumes"].as_u64().unwrap_or(0);
    let missing: Vec<_> = all.filter(|number| !there.contains(number)).map(|number| number.to_string()).collect();
    missing.join(", ")
}

/// Files of one name would be one upload: each has a turn of its own.
fn by_names(files: &[PathBuf]) -> Vec<Vec<usize>> {
    let (mut turns, mut seen) = (BTreeMap::<usize, Vec<usize>>::new(), HashMap::new());
    for (at, file) in files.iter().enumerate() {
        let turn = seen.entry(plain_name(file)).or_insert(0);
        turns.entry(*turn).or_default().push(at);
        *turn += 1;
    }
    turns.into_values().collect()
}

/// The name that an upload of the file has: the prefix of a state is none of it.
fn plain_name(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = [PENDING, REJECTED].into_iter().find_map(|prefix| name.strip_prefix(prefix));
    plain.map_or_else(|| name.clone(), str::to_owned)
}

impl With {
    /// What asks for imports, without what is to be imported.
    pub(super) fn start(&self, config: &Config) -> Result<Value> {
        let certificate = self.certificate.as_deref().map(read_certificate).transpose()?;
        let password = password::given(self.password_file.as_deref(), config)?;
        Ok(json!({
            "mailbox": self.mailbox,
            "certificate": certificate.map(|bytes| BASE64_STANDARD.encode(bytes)),
            "password": password,
            "each_alone": true,
        }))
    }
}

pub(super) fn outcome(imports: &[Value]) -> Outcome {
    let text = imports.iter().map(text_of).collect();
    Outcome { exit: exit_of(imports), ..Outcome::done(json!({ "imports": imports }), text) }
}

/// Starts the imports and waits until all have ended. Where only a password is missing, it is asked for.
pub(super) async fn import(mut start: Value, client: &Client) -> Result<Vec<Value>> {
    let mut started = client.post("/imports", &start).await?;
    let is_missing = start["password"].is_null() && list(&started).iter().all(|i| i["code"] == "password_needed");
    if is_missing && let Some(password) = password::asked("Password of the export")? {
        start["password"] = json!(password);
        started = client.post("/imports", &start).await?;
    }
    let mut imports = list(&client.result(&started).await?).to_vec();
    for import in &mut imports {
        // Somebody else has started it, too, and it goes on in that process.
        while matches!(import["state"].as_str(), Some("waiting" | "running")) {
            tokio::time::sleep(PAUSE).await;
            *import = client.get(&format!("/imports/{}", escaped(&text::cell(&import["id"])))).await?;
        }
    }
    Ok(imports)
}

fn list(document: &Value) -> &[Value] {
    document["imports"].as_array().map_or(&[], Vec::as_slice)
}

/// What can be imported, and what was refused before that.
struct Sources {
    /// `files` or `uploads`.
    kind: &'static str,
    ready: Vec<String>,
    /// By file of the command line; none for those that are ready.
    refused: Vec<Option<Value>>,
}

impl Sources {
    /// The imports that were begun and those that were refused, in the order of the command line.
    fn in_order(self, begun: Vec<Value>) -> Vec<Value> {
        let mut begun = begun.into_iter();
        self.refused.into_iter().filter_map(|refused| refused.or_else(|| begun.next())).collect()
    }
}

/// Files that the archive reads itself; one that it cannot name is an import that never began.
fn local(files: &[PathBuf]) -> Sources {
    let mut sources = Sources { kind: "files", ready: Vec::new(), refused: Vec::new() };
    for file in files {
        let path = std::path::absolute(file).unwrap_or_default();
        let named = nameable(&without_parents(&path));
        sources.refused.push(named.as_ref().err().map(|refused| refused_import(&shown_name(file), refused)));
        sources.ready.extend(named);
    }
    sources
}

/// The path as the archive can name it, or why it cannot.
fn nameable(path: &Path) -> Result<String, Value> {
    let why = match path.to_str() {
        None => "is not UTF-8",
        Some("") => "leads nowhere",
        Some(text) if text.chars().any(char::is_control) => "has a control character",
        Some(text) if ObjectKey::parse(text.trim_start_matches('/')).is_err() => "is longer than 1,024 bytes",
        Some(text) => return Ok(text.to_owned()),
    };
    let reason = format!("its path {why}: rename the file or the folder, or import a copy under another name");
    Err(json!({ "code": "invalid", "reason": reason, "kind": "unknown" }))
}

/// The file's name, bytes that are no UTF-8 as `\xNN`.
fn shown_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().utf8_chunks().fold(String::new(), |mut shown, chunk| {
        shown.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
        shown
    })
}

/// A key has no `..`: the folder by its own name, where there is such a folder. The file keeps its name.
fn without_parents(path: &Path) -> PathBuf {
    if !path.components().any(|part| part == Component::ParentDir) {
        return path.to_owned();
    }
    match (path.parent().map(fs::canonicalize), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        // There is nothing to be read, which is said of the file alone.
        _ => path.components().filter(|part| *part != Component::ParentDir).collect(),
    }
}

/// Sends the files to the server; what is refused there or cannot be read here is an import that never began.
async fn upload(files: &[PathBuf], client: &Client) -> Result<Sources> {
    let user = text::cell(&client.get("/session").await?["user"]);
    let mut sources = Sources { kind: "uploads", ready: Vec::new(), refused: Vec::new() };
    for path in files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let refused = match nameable(Path::new(&name)) {
            Ok(_) => in_the_way(path, &user, client).await?,
            Err(refused) => Some(refused),
        };
        let sent = match refused {
            Some(refused) => Err(refused),
            None => send(path, &name, client).await?,
        };
        sources.refused.push(sent.as_ref().err().map(|upload| refused_import(&name, upload)));
        sources.ready.extend(sent);
    }
    Ok(sources)
}

/// An upload of the user under the same name is replaced only if it may be this very file, sent before by a command that was
/// cut off.
async fn in_the_way(path: &Path, user: &str, client: &Client) -> Result<Option<Value>> {
    let Ok(size_bytes) = fs::metadata(path).map(|facts| facts.len()) else { return Ok(None) };
    let id = format!("{user}/{}", plain_name(path));
    for _ in 0..LOOKS {
        let upload = match client.get(&format!("/uploads/{}", escaped(&id))).await {
            Err(failure) if failure.kind == ErrorKind::NotFound => return Ok(None),
            upload => upload?,
        };
        match upload["state"].as_str() {
            Some("pending") => tokio::time::sleep(PAUSE).await,
            Some("ready") if upload["size_bytes"] != size_bytes => {
                let reason = format!(
                    "another file of this name waits as upload {id}: import it with `postkahn imports start {id}`, or delete \
                     it with `postkahn uploads delete {id}`"
                );
                return Ok(Some(json!({ "code": "conflict", "reason": reason, "kind": "unknown" })));
            }
            _ => return Ok(None),
        }
    }
    // Whoever was sending it has been cut off.
    Ok(None)
}

/// Sends one file and waits until it was looked at: its id, or the reason why it cannot be imported.
async fn send(path: &Path, name: &str, client: &Client) -> Result<Result<String, Value>> {
    let file = match tokio::fs::File::open(path).await {
        Ok(file) => file,
        Err(error) => {
            let error = Error::new(ErrorKind::NotFound, path.display().to_string()).caused_by(error);
            return Ok(Err(json!({ "code": "not_found", "reason": error.to_string(), "kind": "unknown" })));
        }
    };
    let body = Body::from_stream(ReaderStream::with_capacity(file, BLOCK_BYTES));
    let mut upload = client.upload(&format!("/uploads/{}", escaped(name)), body).await?;
    let id = upload["id"].as_str().ok_or_else(|| Error::internal("the answer names no upload"))?.to_owned();
    while upload["state"] == "pending" {
        tokio::time::sleep(PAUSE).await;
        upload = client.get(&format!("/uploads/{}", escaped(&id))).await?;
    }
    Ok(if upload["state"] == "ready" { Ok(id) } else { Err(upload) })
}

fn refused_import(file: &str, upload: &Value) -> Value {
    json!({
        "id": null, "process": null, "file": file, "kind": upload["kind"], "mailbox": null, "state": "refused",
        "export_id": upload["export_id"], "volume": upload["volume"], "in_volume": 0, "imported": 0, "already_there": 0,
        "failed": [], "not_mail": [], "balanced": false, "code": upload["code"], "reason": upload["reason"],
    })
}

fn read_certificate(path: &Path) -> Result<Vec<u8>> {
    let fail = |error| Error::new(ErrorKind::NotFound, format!("certificate {}", path.display())).caused_by(error);
    if fs::metadata(path).map_err(fail)?.len() > MAX_CERTIFICATE_BYTES {
        return Err(Error::invalid(format!("certificate {}: too large to be one", path.display())).into());
    }
    Ok(fs::read(path).map_err(fail)?)
}

/// With several files: the first that occurs of these.
const EXITS_BY_WEIGHT: [u8; 8] = [1, 7, 3, 2, 4, 6, 5, 8];

fn exit_of(imports: &[Value]) -> u8 {
    let exits: Vec<_> = imports.iter().map(exit_of_one).collect();
    EXITS_BY_WEIGHT.into_iter().find(|exit| exits.contains(exit)).unwrap_or(0)
}

fn exit_of_one(import: &Value) -> u8 {
    if import["state"] == "finished" {
        return if import["failed"].as_array().is_some_and(Vec::is_empty) { 0 } else { 8 };
    }
    // What was imported before stays; the rest was not.
    if import["state"] == "cancelled" {
        return 8;
    }
    match import["code"].as_str().unwrap_or_default() {
        "bad_signature" | "malformed" | "volume_conflict" => 7,
        "wrong_certificate"
        | "wrong_password"
        | "wrong_recipient_key"
        | "password_needed"
        | "recipient_key_needed"
        | "certificate_needed" => 3,
        "not_a_volume" | "newer_version" | "truncated" | "over_limit" | "volume_foreign" | "zip_trunc" | "zip_eocd"
        | "zip_scattered" | "empty" | "certificate" => 2,
        // Nobody but the file system denies a file to whoever sits at the machine.
        "not_found" | "denied" => 4,
        "source_changed" | "upload_in_use" | "mailbox_recreated" => 5,
        word => crate::failure::kind_of(word).map_or(1, crate::failure::exit_of),
    }
}

fn text_of(import: &Value) -> String {
    let [file, state, code, reason] = ["file", "state", "code", "reason"].map(|name| text::cell(&import[name]));
    if state != "finished" {
        let why = if code.is_empty() { String::new() } else { format!(": {reason} ({code})") };
        return format!("{file}: {state}{why}\n");
    }
    let failed = import["failed"].as_array().map_or(&[][..], Vec::as_slice);
    let mails = text::count_of(&import["in_volume"], "mail");
    let [imported, there] = ["imported", "already_there"].map(|name| text::cell(&import[name]));
    let mut text = format!(
        "{file}: {mails} = {imported} imported + {there} already there + {} failed{}\n",
        failed_of(import, failed),
        if import["balanced"] == true { "" } else { " (the numbers do not close)" }
    );
    for entry in failed {
        let [number, locator, code, reason] =
            ["number", "locator", "code", "reason"].map(|name| text::cell(&entry[name]));
        let _ = writeln!(text, "  failed: mail {number} ({locator}): {reason} ({code})");
    }
    if failed.iter().any(|entry| entry["code"] == "mail_damaged") {
        text.push_str("  hint: the file may have been damaged on its way: bring it anew and import it again\n");
    }
    for item in import["not_mail"].as_array().map_or(&[][..], Vec::as_slice) {
        let [locator, reason] = ["locator", "reason"].map(|name| text::cell(&item[name]));
        let _ = writeln!(text, "  no mail: {locator}: {reason}");
    }
    text
}

/// How many have failed: of very many not all are listed, and where the numbers close they say it.
fn failed_of(import: &Value, listed: &[Value]) -> u64 {
    let [mails, imported, there] = ["in_volume", "imported", "already_there"].map(|name| import[name].as_u64());
    let failed = || mails?.checked_sub(imported?)?.checked_sub(there?);
    failed().filter(|_| import["balanced"] == true).unwrap_or(listed.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(state: &str, code: Option<&str>, failed: usize) -> Value {
        json!({ "state": state, "code": code, "failed": vec![json!({}); failed] })
    }

    #[test]
    fn volumes_that_have_not_come_in_are_named() {
        let missing =
            |volumes: Value, there: &[u64]| missing_volumes(&json!({ "volumes": volumes, "imported_volumes": there }));
        assert_eq!(missing(json!(4), &[1, 3]), "2, 4");
        assert_eq!((missing(json!(2), &[1, 2]), missing(Value::Null, &[1, 3])), (String::new(), String::new()));
    }

    #[test]
    fn files_of_one_name_are_sent_in_turns() {
        let files = ["a/x.eml", "a/y.eml", "b/x.eml", "(Pending) y.eml", "c/x.eml"].map(PathBuf::from);
        assert_eq!(by_names(&files), [vec![0, 1], vec![2, 3], vec![4]]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_cannot_be_named_is_refused_alone() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
        let long = format!("{}x.eml", "long/".repeat(250));
        let names: [&[u8]; 6] = [b"odd\n.eml", b"a.eml", b"lat\xfc.eml", long.as_bytes(), b"b.eml", b""];
        let sources = local(&names.map(|name| PathBuf::from(OsStr::from_bytes(name))));
        assert!(sources.ready.len() == 2 && sources.ready[1].ends_with("/b.eml"), "{:?}", sources.ready);
        let ends = sources.in_order(vec![import("finished", None, 0), import("finished", Some("b"), 0)]);
        let codes = ["invalid", "", "invalid", "invalid", "b", "invalid"];
        assert_eq!(ends.iter().map(|end| end["code"].as_str().unwrap_or_default()).collect::<Vec<_>>(), codes);
        assert_eq!(ends[2]["file"], r"lat\xfc.eml");
        assert!(ends[0]["reason"].as_str().unwrap().contains("control character"));
        assert_eq!(exit_of(&ends), 2);
    }

    #[test]
    fn very_many_failed_mails_are_counted_though_not_all_are_listed() {
        let more = json!({ "number": 3, "locator": "v.mszip", "code": "more", "reason": "98 more" });
        let import = json!({
            "file": "v.mszip", "state": "finished", "in_volume": 110, "imported": 9, "already_there": 1,
            "failed": [json!({}), json!({}), more], "balanced": true,
        });
        assert!(text_of(&import).starts_with("v.mszip: 110 mails = 9 imported + 1 already there + 100 failed\n"));
        let open =
            json!({ "failed": [json!({})], "state": "finished", "in_volume": 5, "imported": 3, "already_there": 0 });
        assert!(text_of(&open).contains(" 1 failed (the numbers do not close)"), "{}", text_of(&open));
    }

    #[test]
    fn what_is_damaged_is_told_with_a_way_out_and_what_is_cancelled_without_a_reason() {
        let damaged = json!({ "number": 3, "locator": "mail/3", "code": "mail_damaged", "reason": "r" });
        let text = text_of(&json!({ "file": "v.mszip", "state": "finished", "failed": [damaged.clone(), damaged] }));
        assert_eq!(text.matches("hint: ").count(), 1, "{text}");
        let cancelled = json!({ "file": "v.mszip", "state": "cancelled", "code": null, "reason": null });
        assert_eq!(text_of(&cancelled), "v.mszip: cancelled\n");
    }

    #[test]
    fn the_weightiest_end_of_several_is_the_exit_code() {
        let whole = import("finished", None, 0);
        let damaged = import("finished", None, 1);
        let locked = import("refused", Some("wrong_password"), 0);
        let forged = import("refused", Some("bad_signature"), 0);
        let missing = import("refused", Some("not_found"), 0);
        assert_eq!(exit_of(&[whole.clone(), damaged.clone()]), 8);
        assert_eq!(exit_of(&[damaged.clone(), missing.clone()]), 4);
        assert_eq!(exit_of(&[missing, locked.clone(), damaged]), 3);
        assert_eq!(exit_of(&[locked, forged]), 7);
        assert_eq!(exit_of(&[whole]), 0);
        assert_eq!(exit_of(&[import("failed", Some("internal"), 0)]), 1);
        assert_eq!(exit_of(&[import("cancelled", None, 0)]), 8);
    }

    #[test]
    fn what_others_have_changed_is_a_conflict() {
        for (state, code) in
            [("failed", "source_changed"), ("refused", "upload_in_use"), ("refused", "mailbox_recreated")]
        {
            assert_eq!(exit_of(&[import(state, Some(code), 0)]), 5, "{code}");
        }
    }
}
