//! The two buckets.

use archive::Result;
use aws_sdk_s3::{
    Client,
    types::{
        BucketVersioningStatus, DefaultRetention, ExpirationStatus, LifecycleExpiration, LifecycleRule,
        LifecycleRuleFilter, ObjectLockEnabled, ServerSideEncryption, ServerSideEncryptionConfiguration,
    },
};

use super::{Finding, Stack, Trouble, settle, stack::last_part};
use crate::{
    Clients,
    error::{code, from_sdk},
};

/// Uploads are kept so long.
const DAYS: i32 = 7;

pub(super) async fn examine(clients: &Clients, stack: &Stack) -> Vec<Finding> {
    let s3 = clients.s3();
    vec![
        settle("uploads-notification", notification(&s3, stack).await),
        settle("uploads-lifecycle", lifecycle(&s3, stack).await),
        settle("uploads-encryption", encryption(&s3, stack, "uploads-encryption", "UploadsBucket").await),
        settle("archive-encryption", encryption(&s3, stack, "archive-encryption", "ArchiveBucket").await),
        settle("uploads-public-access", private(&s3, stack, "uploads-public-access", "UploadsBucket").await),
        settle("archive-public-access", private(&s3, stack, "archive-public-access", "ArchiveBucket").await),
        settle("archive-versioning", versioning(&s3, stack).await),
        settle("archive-object-lock", object_lock(&s3, stack).await),
    ]
}

async fn notification(s3: &Client, stack: &Stack) -> Result<Finding, Trouble> {
    let (bucket, queue) = (stack.need("UploadsBucket")?, stack.need("UploadsQueue")?);
    let set = s3.get_bucket_notification_configuration().bucket(bucket).send().await;
    let set = set.map_err(|e| from_sdk(format_args!("bucket {bucket}"), &e))?;
    let to_queue = |q: &&aws_sdk_s3::types::QueueConfiguration| last_part(q.queue_arn()) == last_part(queue);
    let found = set.queue_configurations().iter().find(to_queue);
    let whole = |q: &aws_sdk_s3::types::QueueConfiguration| {
        q.filter.is_none() && q.events().iter().any(|event| event.as_str() == "s3:ObjectCreated:*")
    };
    Ok(Finding::of(
        "uploads-notification",
        found.is_some_and(whole),
        "the bucket of uploads tells the queue of every new object",
        "the bucket of uploads does not tell its queue of new objects: uploads are only found by the hourly sweep",
        format!(
            "aws s3api put-bucket-notification-configuration --bucket {bucket} --notification-configuration \
             \"{{\\\"QueueConfigurations\\\":[{{\\\"QueueArn\\\":\\\"$(aws sqs get-queue-attributes --queue-url {queue} \
             --attribute-names QueueArn --query Attributes.QueueArn --output text)\\\",\
             \\\"Events\\\":[\\\"s3:ObjectCreated:*\\\"]}}]}}\""
        ),
    ))
}

async fn lifecycle(s3: &Client, stack: &Stack) -> Result<Finding, Trouble> {
    let bucket = stack.need("UploadsBucket")?;
    let rules = match s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await {
        Ok(set) => set.rules.unwrap_or_default(),
        Err(e) if code(&e) == Some("NoSuchLifecycleConfiguration") => Vec::new(),
        Err(e) => return Err(from_sdk(format_args!("bucket {bucket}"), &e).into()),
    };
    let rules: Vec<_> = rules.into_iter().filter(is_for_all).collect();
    let expires =
        |r: &LifecycleRule| r.expiration().and_then(LifecycleExpiration::days).is_some_and(|days| days <= DAYS);
    let aborts = |r: &LifecycleRule| r.abort_incomplete_multipart_upload().is_some();
    let (deletes, aborts) = (rules.iter().any(expires), rules.iter().any(aborts));
    let wrong = match (deletes, aborts) {
        (false, _) => "no rule deletes uploads after seven days",
        _ => "no rule aborts uploads that were cut off: their parts cost for ever",
    };
    let rules = format!(
        r#"{{"Rules":[{{"ID":"seven-days","Status":"Enabled","Filter":{{}},"Expiration":{{"Days":{DAYS}}}}},{{"ID":"unfinished","Status":"Enabled","Filter":{{}},"AbortIncompleteMultipartUpload":{{"DaysAfterInitiation":1}}}}]}}"#
    );
    Ok(Finding::of(
        "uploads-lifecycle",
        deletes && aborts,
        "uploads go after seven days, unfinished ones are aborted",
        wrong,
        format!("aws s3api put-bucket-lifecycle-configuration --bucket {bucket} --lifecycle-configuration '{rules}'"),
    ))
}

/// Enabled, and not limited to some objects.
fn is_for_all(rule: &LifecycleRule) -> bool {
    let is_limit = |filter: &LifecycleRuleFilter| {
        filter.prefix().is_some_and(|prefix| !prefix.is_empty())
            || filter.tag().is_some()
            || filter.and().is_some()
            || filter.object_size_greater_than().is_some()
            || filter.object_size_less_than().is_some()
    };
    *rule.status() == ExpirationStatus::Enabled && !rule.filter().is_some_and(is_limit)
}

async fn encryption(
    s3: &Client,
    stack: &Stack,
    check: &'static str,
    logical: &'static str,
) -> Result<Finding, Trouble> {
    let (bucket, key) = (stack.need(logical)?, stack.need("WrapKey")?);
    let set = match s3.get_bucket_encryption().bucket(bucket).send().await {
        Ok(set) => set.server_side_encryption_configuration,
        Err(e) if code(&e) == Some("ServerSideEncryptionConfigurationNotFoundError") => None,
        Err(e) => return Err(from_sdk(format_args!("bucket {bucket}"), &e).into()),
    };
    let default = set
        .iter()
        .flat_map(ServerSideEncryptionConfiguration::rules)
        .find_map(|rule| rule.apply_server_side_encryption_by_default());
    let is_right = default.is_some_and(|by| {
        *by.sse_algorithm() == ServerSideEncryption::AwsKms
            && by.kms_master_key_id().is_some_and(|id| last_part(id) == last_part(key))
    });
    let rules = format!(
        r#"{{"Rules":[{{"BucketKeyEnabled":true,"ApplyServerSideEncryptionByDefault":{{"SSEAlgorithm":"aws:kms","KMSMasterKeyID":"{key}"}}}}]}}"#
    );
    Ok(Finding::of(
        check,
        is_right,
        "objects are encrypted under the wrap key",
        "new objects are not encrypted under the wrap key",
        format!("aws s3api put-bucket-encryption --bucket {bucket} --server-side-encryption-configuration '{rules}'"),
    ))
}

async fn private(s3: &Client, stack: &Stack, check: &'static str, logical: &'static str) -> Result<Finding, Trouble> {
    let bucket = stack.need(logical)?;
    let set = match s3.get_public_access_block().bucket(bucket).send().await {
        Ok(set) => set.public_access_block_configuration,
        Err(e) if code(&e) == Some("NoSuchPublicAccessBlockConfiguration") => None,
        Err(e) => return Err(from_sdk(format_args!("bucket {bucket}"), &e).into()),
    };
    let all = set.is_some_and(|set| {
        let parts =
            [set.block_public_acls, set.block_public_policy, set.ignore_public_acls, set.restrict_public_buckets];
        parts.into_iter().all(|part| part == Some(true))
    });
    Ok(Finding::of(
        check,
        all,
        "nothing can be made public",
        "the block of public access is not whole: a policy or an ACL could open the bucket",
        format!(
            "aws s3api put-public-access-block --bucket {bucket} --public-access-block-configuration \
             BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
        ),
    ))
}

async fn versioning(s3: &Client, stack: &Stack) -> Result<Finding, Trouble> {
    let bucket = stack.need("ArchiveBucket")?;
    let set = s3.get_bucket_versioning().bucket(bucket).send().await;
    let set = set.map_err(|e| from_sdk(format_args!("bucket {bucket}"), &e))?;
    Ok(Finding::of(
        "archive-versioning",
        set.status == Some(BucketVersioningStatus::Enabled),
        "what is deleted or replaced in the archive can be brought back for some time",
        "the archive keeps no former versions: what is deleted by mistake is gone",
        format!("aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled"),
    ))
}

/// Wrong only where it was asked for.
async fn object_lock(s3: &Client, stack: &Stack) -> Result<Finding, Trouble> {
    const CHECK: &str = "archive-object-lock";
    let bucket = stack.need("ArchiveBucket")?;
    let set = match s3.get_object_lock_configuration().bucket(bucket).send().await {
        Ok(set) => set.object_lock_configuration,
        Err(e) if code(&e) == Some("ObjectLockConfigurationNotFoundError") => None,
        Err(e) => return Err(from_sdk(format_args!("bucket {bucket}"), &e).into()),
    };
    let set = set.filter(|set| set.object_lock_enabled() == Some(&ObjectLockEnabled::Enabled));
    let retention = set.as_ref().and_then(|set| set.rule()).and_then(|rule| rule.default_retention());
    let days = retention.and_then(DefaultRetention::days).unwrap_or_default();
    let mode = retention.and_then(|retention| retention.mode()).map_or("none", |mode| mode.as_str());
    let wanted: i32 = stack.parameter("ArchiveLockDays").and_then(|days| days.parse().ok()).unwrap_or_default();
    let wanted_mode = stack.parameter("ArchiveLockMode").unwrap_or("GOVERNANCE");
    Ok(match (set.is_some(), wanted) {
        (_, 0) if days == 0 => Finding::ok(CHECK, "the archive is not locked, as it was set")
            .fix("to lock it: sam deploy --parameter-overrides ArchiveLockDays=DAYS"),
        (true, _) if days >= wanted && (wanted == 0 || mode == wanted_mode) => {
            Finding::ok(CHECK, format!("new objects of the archive are locked for {days} days ({mode})"))
        }
        _ => Finding::wrong(CHECK, format!("the archive should be locked for {wanted} days, not for {days} ({mode})"))
            .fix(format!(
                "aws s3api put-object-lock-configuration --bucket {bucket} --object-lock-configuration \
                 'ObjectLockEnabled=Enabled,Rule={{DefaultRetention={{Mode={wanted_mode},Days={wanted}}}}}'"
            )),
    })
}
