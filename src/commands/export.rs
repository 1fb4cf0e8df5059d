mod bar;

use std::path::{Path, PathBuf};

use archive::export::{Counts, ExportName, ExportOptions, ExportReport, Named, NamedList, Surroundings, VolumeSize};
use archive::ports::{Clock, Random};
use archive::{Error, Result};
use indicatif::{HumanBytes, HumanCount};
use volume::Certificate;

use super::outcome::{Document, Outcome};
use super::query;
use super::verify::certificate_bytes;
use crate::config::Config;
use crate::{password, text};
use bar::Bar;

/// How many lines of each list the text shows; the report has them all.
const SHOWN_LINES: usize = 20;
/// How many places the text of a dry run shows, and how many characters of the name of each.
const SHOWN_PLACES: usize = 200;
const PLACE_CHARACTERS: usize = 60;

/// Write the mails of a source into signed volumes; the same command again resumes
///
/// Writes NAME-0001.mszip and so on, NAME.cer (it proves that the volumes are unchanged: send it another way than
/// them), NAME.report.json and NAME.report.html. Cut off at any time, the same command goes on; after the end it repeats
/// the report. The password comes from --password-file or POSTKAHN_PASSWORD; without password and recipient the volumes
/// are signed but readable.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Export {
    /// The source: a directory, or one file
    #[arg(long, value_name = "PATH")]
    from: PathBuf,
    /// Where the volumes go, made if missing; not inside the source
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The name of the export: its files begin with it
    #[arg(long)]
    name: String,
    /// How the mails lie: auto, mailstore, eml, maildir, mbox or zip
    #[arg(long, default_value = "auto")]
    layout: String,
    /// The user archive of mails that lie in none [default: the export's name]
    #[arg(long, value_name = "NAME")]
    user_archive: Option<String>,
    /// The code page of names in ZIP archives that do not say theirs: cp437, cp850, cp1252, shift_jis and the like
    #[arg(long, value_name = "NAME", default_value = "cp437")]
    zip_encoding: String,
    /// A file with the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The certificate of someone who may open the volumes; up to 8 times
    #[arg(long, value_name = "CERT")]
    recipient: Vec<PathBuf>,
    /// The largest size of a volume: bytes, or a number right before KiB, MiB or GiB; 1MiB to 4GiB
    #[arg(long, value_name = "SIZE", default_value = "4GiB")]
    volume_size: String,
    /// Export only what this query finds, or the one saved as NAME: @NAME
    ///
    /// Terms: from: to: cc: subject: folder: user-archive: date:2019..2021 size:>10MiB has:attachment flag:seen; with
    /// AND (or nothing), OR, NOT, parentheses and "quoted phrases".
    #[arg(long = "where", value_name = "QUERY")]
    filter: Option<String>,
    /// Count mails, bytes and volumes; write nothing
    #[arg(long)]
    dry_run: bool,
}

impl Export {
    /// Exports; the exit code is 8 if mails were skipped.
    pub(crate) fn run(self, config: &Config, clock: &dyn Clock, random: &dyn Random) -> Result<Outcome> {
        let options = self.options(config)?;
        let bar = Bar::new();
        let generator = concat!("postkahn ", env!("CARGO_PKG_VERSION"));
        let surroundings = Surroundings { clock, random, generator, progress: &bar };
        let run = if self.dry_run { archive::export::dry_run } else { archive::export::export };
        let result = run(&options, &surroundings);
        bar.clear();
        let report = result?;
        let exit = if report.is_whole() { 0 } else { 8 };
        let text = told(&report, &options);
        Ok(Outcome { document: Document::Export(Box::new(report)), text, exit })
    }

    fn options(&self, config: &Config) -> Result<ExportOptions> {
        let layout = self.layout.parse().map_err(|error| Error::invalid("--layout").caused_by(error))?;
        Ok(ExportOptions {
            from: self.from.clone(),
            to: self.to.clone(),
            name: self.name.parse::<ExportName>()?,
            layout,
            user_archive: self.user_archive.clone(),
            zip_encoding: self
                .zip_encoding
                .parse()
                .map_err(|error| Error::invalid("--zip-encoding").caused_by(error))?,
            password: password::given(self.password_file.as_deref(), config)?,
            recipients: self.recipient.iter().map(|path| read_recipient(path)).collect::<Result<_>>()?,
            volume_size: self.volume_size.parse::<VolumeSize>()?,
            filter: self.filter.as_deref().map(|given| query::filter(given, config)).transpose()?,
        })
    }
}

fn read_recipient(path: &Path) -> Result<Certificate> {
    let refused = |why: &dyn std::fmt::Display| {
        Error::invalid(format!("--recipient {}: {why}", path.display()))
            .hint("give the file that `postkahn certificate --out` writes")
    };
    let certificate = Certificate::parse(&certificate_bytes(path)?).map_err(|error| refused(&error))?;
    if !certificate.may_agree() {
        return Err(refused(&"its key usage leaves agreement out, as that of NAME.cer, for which nobody has the key"));
    }
    Ok(certificate)
}

/// The report in a few lines.
fn told(report: &ExportReport, options: &ExportOptions) -> String {
    let skipped = report.skipped.len() as u64;
    let (verb, volumes) = match report.volumes_expected {
        Some(expected) => ("would be exported", format!("at most {}", text::count(expected, "volume"))),
        None => ("exported", text::count(report.volumes.len() as u64, "volume")),
    };
    let mut lines = vec![
        format!(
            "{} in the source = {} {verb} + {} skipped + {} left out by a filter",
            text::count(report.in_source, "mail"),
            HumanCount(report.exported),
            HumanCount(skipped),
            HumanCount(report.filtered)
        ),
        format!("{} of mails, {volumes}", HumanBytes(report.raw_bytes)),
    ];
    if let Some(filter) = &report.options.filter {
        lines.push(format!("the query: {}", text::shown(filter)));
    }
    if report.volumes_expected.is_some() {
        lines.extend(places(report));
    }
    if report.vanished > 0 {
        let mails = text::count(report.vanished, "mail");
        lines.push(format!("{mails} exported before this run, and in the source no more"));
    }
    lines.extend(named("skipped", &report.skipped));
    lines.extend(named("changed meanwhile", &report.changed));
    lines.extend(named("no mail", &report.not_mail));
    if !report.encrypted {
        let told = if report.volumes_expected.is_some() {
            "the volumes would not be encrypted: whoever has them could read them"
        } else {
            "the volumes are not encrypted: whoever has them can read them, and while the export ran its keys lay in clear in \
             a file that only its owner could read"
        };
        lines.push(told.to_owned());
    }
    if report.complete {
        let name = options.name.as_str();
        let folder = text::shown(&options.to.display().to_string());
        lines.push(format!("written to {folder}: {name}.cer proves the volumes, send it another way than them"));
    }
    lines.extend(doubt(report));
    lines.into_iter().map(|line| line + "\n").collect()
}

/// What an administrator did hardly mean.
fn doubt(report: &ExportReport) -> Option<String> {
    let files = report.not_mail.len() as u64;
    // What was exported before this run need not be there any more.
    let what = match (report.in_source.saturating_sub(report.vanished), files) {
        (0, 0) => "the source is empty: is it the right one, and is its drive there?".to_owned(),
        (0, files) => {
            format!("the source holds no mail, but {} of other kinds: is it the right one?", text::count(files, "file"))
        }
        (all, _) if report.filtered == all => "the query leaves out every mail of the source".to_owned(),
        _ => return None,
    };
    Some(format!("warning: {what}"))
}

/// What would be exported from where.
fn places(report: &ExportReport) -> Vec<String> {
    let row = |place: String, counts: &Counts| {
        let count = |count| HumanCount(count).to_string();
        let Counts { in_source, filtered, skipped, exported, raw_bytes, .. } = counts;
        vec![
            place,
            count(*in_source),
            count(*filtered),
            count(*skipped),
            count(*exported),
            HumanBytes(*raw_bytes).to_string(),
        ]
    };
    let rows = report.user_archives.iter().flat_map(|archive| {
        let name = &archive.user_archive;
        let folders = archive.folders.iter().filter(|folder| !folder.path.is_empty());
        let short = |name: &str| text::shortened(&text::shown(name), PLACE_CHARACTERS);
        let folder = move |path: &[String]| format!("  {}", short(&path.join("/")));
        std::iter::once(row(short(name), &archive.counts))
            .chain(folders.map(move |below| row(folder(&below.path), &below.counts)))
    });
    let all = report.user_archives.iter().map(|archive| 1 + archive.folders.len()).sum::<usize>();
    let head = ["place", "in source", "left out", "skipped", "exported", "bytes"];
    let table = text::table(&head, rows.take(SHOWN_PLACES));
    let rest = all.saturating_sub(SHOWN_PLACES);
    let more = (rest > 0).then(|| format!("and about {} more places: --json has them all", HumanCount(rest as u64)));
    table.lines().map(str::to_owned).chain(more).collect()
}

fn named<'a>(what: &'a str, items: &'a NamedList) -> impl Iterator<Item = String> + 'a {
    let title = (!items.is_empty()).then(|| format!("{what} ({}):", HumanCount(items.len() as u64)));
    let rest = items.len().saturating_sub(SHOWN_LINES);
    let more = (rest > 0).then(|| format!("  and {} more, see the report", HumanCount(rest as u64)));
    let line = |item: Named| format!("  {}: {}", text::shown(&item.source), text::shown(&item.reason));
    title.into_iter().chain(items.iter().take(SHOWN_LINES).map(line)).chain(more)
}
