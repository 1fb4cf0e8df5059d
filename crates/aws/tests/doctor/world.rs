//! What the template makes, made by calls.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hasher as _},
};

use aws::{
    Clients,
    doctor::{self, Finding, Stack},
};
use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification, ScalarAttributeType,
    TimeToLiveSpecification,
};
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_sdk_s3::types as s3;
use aws_sdk_scheduler::types::{FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState, Target};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;

const ROLE: &str = "arn:aws:iam::000000000000:role/scheduler";

pub(crate) struct World {
    pub(crate) clients: Clients,
    /// Where the table is.
    moto: Clients,
    pub(crate) stack: Stack,
}

#[expect(clippy::disallowed_methods, reason = "where the emulators are")]
fn endpoint(variable: &str) -> String {
    let set = std::env::var(variable);
    set.unwrap_or_else(|_| panic!("no emulator: run eval \"$(scripts/emulators start)\" first"))
}

/// Of the emulators that the variables name, service by service.
async fn clients() -> Clients {
    endpoint("AWS_ENDPOINT_URL");
    Clients::load(true).await
}

/// Of moto alone, which has CloudFormation, and a table's backups and protection.
pub(crate) async fn of_moto() -> Clients {
    let config = aws_config::defaults(BehaviorVersion::latest()).endpoint_url(endpoint("POSTKAHN_EMULATOR_MOTO"));
    Clients::with_config(config.load().await, true)
}

/// A name that nobody used in this emulator.
pub(crate) fn unused(prefix: &str) -> String {
    format!("{prefix}-{:016x}", RandomState::new().build_hasher().finish())
}

impl World {
    pub(crate) async fn make() -> Self {
        let name = unused("doctor");
        let stack = Stack { name, status: "CREATE_COMPLETE".into(), ..Stack::default() };
        let mut world = Self { clients: clients().await, moto: of_moto().await, stack };
        world.make_keys().await;
        world.make_queues().await;
        world.make_buckets().await;
        world.make_table().await;
        world.make_schedules().await;
        let secret = world.clients.secrets().create_secret().name(world.named("host-key")).send().await.unwrap();
        world.note("HostKey", secret.arn.unwrap());
        world.note("LoginFunction", world.named("login"));
        world
    }

    pub(crate) async fn examine(&self) -> Vec<Finding> {
        let of_table = doctor::examine(&self.moto, &self.stack).await;
        let replace = |finding: Finding| match of_table.iter().find(|other| other.check == finding.check) {
            Some(other) if finding.check.starts_with("table") => other.clone(),
            _ => finding,
        };
        doctor::examine(&self.clients, &self.stack).await.into_iter().map(replace).collect()
    }

    fn named(&self, part: &str) -> String {
        format!("{}-{part}", self.stack.name)
    }

    fn note(&mut self, logical: &str, physical: impl Into<String>) {
        self.stack.resources.insert(logical.into(), physical.into());
    }

    fn id(&self, logical: &str) -> &str {
        &self.stack.resources[logical]
    }

    async fn make_keys(&mut self) {
        let kms = self.clients.kms();
        for (logical, usage, spec) in [
            ("WrapKey", KeyUsageType::EncryptDecrypt, KeySpec::SymmetricDefault),
            ("AgreementKey", KeyUsageType::KeyAgreement, KeySpec::EccNistP256),
            ("SigningKey", KeyUsageType::SignVerify, KeySpec::EccNistP256),
        ] {
            let made = kms.create_key().key_usage(usage).key_spec(spec).send().await.unwrap();
            self.note(logical, made.key_metadata.unwrap().key_id);
        }
    }

    async fn make_queues(&mut self) {
        let sqs = self.clients.sqs();
        let dead = sqs.create_queue().queue_name(self.named("dead-letters")).send().await.unwrap().queue_url.unwrap();
        let asked = sqs.get_queue_attributes().queue_url(&dead).attribute_names(QueueAttributeName::QueueArn);
        let arn = asked.send().await.unwrap().attributes.unwrap().remove(&QueueAttributeName::QueueArn).unwrap();
        let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": 20 }).to_string();
        for (logical, part) in [("UploadsQueue", "uploads"), ("ImportsQueue", "imports"), ("TasksQueue", "tasks")] {
            let create = sqs.create_queue().queue_name(self.named(part));
            let made = create.attributes(QueueAttributeName::RedrivePolicy, &policy).send().await.unwrap();
            self.note(logical, made.queue_url.unwrap());
        }
        self.note("DeadLetters", dead);
    }

    async fn make_buckets(&mut self) {
        for (logical, part) in [("UploadsBucket", "uploads"), ("ArchiveBucket", "archive")] {
            let bucket = self.named(part);
            let place = s3::CreateBucketConfiguration::builder()
                .location_constraint(s3::BucketLocationConstraint::EuCentral1)
                .build();
            let client = self.clients.s3();
            client.create_bucket().bucket(&bucket).create_bucket_configuration(place).send().await.unwrap();
            self.encrypt(&bucket, self.id("WrapKey")).await;
            self.block(&bucket, true).await;
            self.note(logical, bucket);
        }
        self.version(s3::BucketVersioningStatus::Enabled).await;
        self.notify(true).await;
        let rules = [
            rule().expiration(s3::LifecycleExpiration::builder().days(7).build()).build().unwrap(),
            rule()
                .id("unfinished")
                .abort_incomplete_multipart_upload(
                    s3::AbortIncompleteMultipartUpload::builder().days_after_initiation(1).build(),
                )
                .build()
                .unwrap(),
        ];
        self.expire(rules.into()).await;
    }

    async fn encrypt(&self, bucket: &str, key: &str) {
        let by = s3::ServerSideEncryptionByDefault::builder().sse_algorithm(s3::ServerSideEncryption::AwsKms);
        let by = by.kms_master_key_id(key).build().unwrap();
        let rule = s3::ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by).build();
        let set = s3::ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
        let put = self.clients.s3().put_bucket_encryption().bucket(bucket);
        put.server_side_encryption_configuration(set).send().await.unwrap();
    }

    async fn block(&self, bucket: &str, policy: bool) {
        let set = s3::PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(policy)
            .restrict_public_buckets(true)
            .build();
        let put = self.clients.s3().put_public_access_block().bucket(bucket);
        put.public_access_block_configuration(set).send().await.unwrap();
    }

    async fn version(&self, status: s3::BucketVersioningStatus) {
        let set = s3::VersioningConfiguration::builder().status(status).build();
        let put = self.clients.s3().put_bucket_versioning().bucket(self.id("ArchiveBucket"));
        put.versioning_configuration(set).send().await.unwrap();
    }

    async fn notify(&self, notifies: bool) {
        let sqs = self.clients.sqs().get_queue_attributes().queue_url(self.id("UploadsQueue"));
        let asked = sqs.attribute_names(QueueAttributeName::QueueArn).send().await.unwrap();
        let arn = &asked.attributes.unwrap()[&QueueAttributeName::QueueArn];
        let queue = s3::QueueConfiguration::builder().queue_arn(arn).events(s3::Event::from("s3:ObjectCreated:*"));
        let queue = queue.build().unwrap();
        let set = s3::NotificationConfiguration::builder().set_queue_configurations(notifies.then(|| vec![queue]));
        let put = self.clients.s3().put_bucket_notification_configuration().bucket(self.id("UploadsBucket"));
        put.notification_configuration(set.build()).send().await.unwrap();
    }

    async fn expire(&self, rules: Vec<s3::LifecycleRule>) {
        let set = s3::BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build().unwrap();
        let put = self.clients.s3().put_bucket_lifecycle_configuration().bucket(self.id("UploadsBucket"));
        put.lifecycle_configuration(set).send().await.unwrap();
    }

    async fn make_table(&mut self) {
        let name = self.named("table");
        let client = self.moto.dynamodb();
        let mut create = client.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
        for (attribute, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
            let defined = AttributeDefinition::builder().attribute_name(attribute);
            let key = KeySchemaElement::builder().attribute_name(attribute).key_type(kind).build().unwrap();
            create = create
                .attribute_definitions(defined.attribute_type(ScalarAttributeType::S).build().unwrap())
                .key_schema(key);
        }
        create.deletion_protection_enabled(true).send().await.unwrap();
        self.note("Table", name);
        self.recover(true).await;
        self.remove_rows_by("ttl", true).await;
    }

    async fn recover(&self, on: bool) {
        let set = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(on).build().unwrap();
        let update = self.moto.dynamodb().update_continuous_backups().table_name(self.id("Table"));
        update.point_in_time_recovery_specification(set).send().await.unwrap();
    }

    async fn remove_rows_by(&self, attribute: &str, on: bool) {
        let set = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(on).build().unwrap();
        let update = self.moto.dynamodb().update_time_to_live().table_name(self.id("Table"));
        update.time_to_live_specification(set).send().await.unwrap();
    }

    async fn make_schedules(&mut self) {
        let group = self.stack.name.clone();
        self.clients.scheduler().create_schedule_group().name(&group).send().await.unwrap();
        self.note("ScheduleGroup", group);
        self.note("SweepFunction", self.named("sweep"));
        self.note("RestructureFunction", self.named("restructure"));
        self.schedule("sweep", ScheduleState::Enabled).await;
    }

    async fn schedule(&self, name: &str, state: ScheduleState) {
        let function = format!("arn:aws:lambda:eu-central-1:000000000000:function:{}", self.named(name));
        let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().unwrap();
        let create = self.clients.scheduler().create_schedule().group_name(self.id("ScheduleGroup")).name(name);
        let target = Target::builder().arn(function).role_arn(ROLE).build().unwrap();
        let create = create.schedule_expression("rate(1 hour)").flexible_time_window(window).target(target);
        create.state(state).send().await.unwrap();
    }

    /// Breaks what this check looks at.
    pub(crate) async fn wreck(&self, check: &str) {
        match check {
            "uploads-notification" => self.notify(false).await,
            "uploads-lifecycle" => {
                let expires = rule().expiration(s3::LifecycleExpiration::builder().days(7).build());
                self.expire(vec![expires.build().unwrap()]).await;
            }
            "uploads-encryption" => self.encrypt(self.id("UploadsBucket"), "alias/aws/s3").await,
            "archive-public-access" => self.block(self.id("ArchiveBucket"), false).await,
            "archive-versioning" => self.version(s3::BucketVersioningStatus::Suspended).await,
            "table" => {
                let update = self.moto.dynamodb().update_table().table_name(self.id("Table"));
                update.deletion_protection_enabled(false).send().await.unwrap();
            }
            "table-recovery" => self.recover(false).await,
            "table-ttl" => self.remove_rows_by("ttl", false).await,
            "imports-queue" => {
                let set = self.clients.sqs().set_queue_attributes().queue_url(self.id("ImportsQueue"));
                set.attributes(QueueAttributeName::RedrivePolicy, "").send().await.unwrap();
            }
            "dead-letters" => {
                let send = self.clients.sqs().send_message().queue_url(self.id("DeadLetters"));
                send.message_body("{}").send().await.unwrap();
            }
            "sweep-schedule" => {
                let delete = self.clients.scheduler().delete_schedule().group_name(self.id("ScheduleGroup"));
                delete.name("sweep").send().await.unwrap();
            }
            "restructure-schedule" => self.schedule("restructure", ScheduleState::Disabled).await,
            "wrap-key" => {
                self.clients.kms().disable_key().key_id(self.id("WrapKey")).send().await.unwrap();
            }
            "signing-key" => {
                let delete = self.clients.kms().schedule_key_deletion().key_id(self.id("SigningKey"));
                delete.pending_window_in_days(7).send().await.unwrap();
            }
            "host-key" => {
                let put = self.clients.secrets().put_secret_value().secret_id(self.id("HostKey"));
                put.secret_string("no key at all").send().await.unwrap();
            }
            _ => panic!("nobody knows how to break {check}"),
        }
    }
}

fn rule() -> s3::builders::LifecycleRuleBuilder {
    let filter = s3::LifecycleRuleFilter::builder().prefix("").build();
    s3::LifecycleRule::builder().id("seven-days").status(s3::ExpirationStatus::Enabled).filter(filter)
}
