//! What a function must be told about its surroundings. Values only; `functions/src/environment.rs` reads them, and for
//! whoever works beside the functions a [`crate::doctor::Stack`] has them.

use archive::DoorMode;

/// What the stack made, as far as the function at hand has to do with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Name of the DynamoDB table.
    pub table: String,
    /// Name of the bucket of uploads, keys `USER/NAME`.
    pub uploads_bucket: String,
    /// Name of the bucket of packs, slices and reports.
    pub archive_bucket: Option<String>,
    pub queues: Option<QueueUrls>,
    /// ARN of the symmetric KMS key that wraps content keys and encrypts the buckets.
    pub wrap_key: Option<String>,
    /// ARN of a KMS key `ECC_NIST_P256` for `KEY_AGREEMENT`.
    pub agreement_key: Option<String>,
    /// ARN of a KMS key `ECC_NIST_P256` for `SIGN_VERIFY`.
    pub signing_key: Option<String>,
    pub schedules: Option<ScheduleSettings>,
    /// The domain of recreated mailboxes.
    pub domain: Option<String>,
    pub door: Option<DoorSettings>,
    /// ARN of the role that a Transfer user takes on.
    pub uploader_role: Option<String>,
    /// Addresses buckets as `ENDPOINT/BUCKET/KEY`; for endpoints other than those of AWS.
    pub path_style: bool,
}

/// URLs of the SQS queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueUrls {
    /// S3 notifications and `Job::Intake`.
    pub uploads: String,
    /// `Job::Import`.
    pub imports: String,
    /// The other jobs.
    pub tasks: String,
    /// What was given up, from all three.
    pub dead_letters: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleSettings {
    /// Name of the schedule group.
    pub group: String,
    /// ARN of the role by which EventBridge Scheduler invokes the functions.
    pub role: String,
    /// ARN of the function for `Job::Restructure`.
    pub restructure_function: String,
    /// ARN of the function for `Job::Sweep`.
    pub sweep_function: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoorSettings {
    pub mode: DoorMode,
    /// ARN of the function that Transfer Family asks about each login.
    pub login_function: Option<String>,
    /// ARN of the role by which Transfer Family invokes it and writes its log.
    pub role: Option<String>,
    /// ARN of the secret that holds the host key.
    pub host_key_secret: Option<String>,
}
