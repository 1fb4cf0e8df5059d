//! Everything that the template makes around the functions, and what AWS does between them, as calls.

use std::time::Duration;

use archive::{
    Error, Result,
    hash::to_hex,
    ports::{Clock as _, Random as _},
};
use aws_sdk_cloudformation::types::Parameter;
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{
        BucketLocationConstraint, CreateBucketConfiguration, Event, NotificationConfiguration, QueueConfiguration,
    },
};
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use serde_json::{Map, json};

use crate::{Clients, QueueUrls, ScheduleSettings, Settings, SystemClock, SystemRandom, error::from_sdk};

/// A stack of its own on an emulator, with names that nobody else has.
#[derive(Clone, Debug)]
pub struct Stack {
    pub clients: Clients,
    pub settings: Settings,
}

/// A message that was taken from a queue.
#[derive(Clone, Debug)]
pub struct Received {
    pub id: String,
    pub receipt: String,
    pub body: String,
    /// How often it was taken, this time included.
    pub attempts: String,
}

/// What Scheduler would do when the time comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduled {
    pub name: String,
    /// `rate(15 minutes)`
    pub expression: String,
    pub enabled: bool,
    /// ARN of the function.
    pub target: String,
    pub input: String,
}

impl Stack {
    /// Makes table, buckets, queues, keys and schedule group. `notify` lets S3 tell the queue of uploads of new objects.
    pub async fn create(clients: Clients, notify: bool) -> Result<Self> {
        let mut random = [0; 6];
        SystemRandom.fill(&mut random);
        let name = format!("postkahn-{:x}-{}", SystemClock.now(), to_hex(&random));
        let mut stack = Self { clients, settings: Settings { table: name.clone(), ..Settings::default() } };
        super::create_table(&stack.clients, &name).await?;
        stack.settings.uploads_bucket = stack.bucket(&format!("{name}-uploads")).await?;
        stack.settings.archive_bucket = Some(stack.bucket(&format!("{name}-archive")).await?);
        stack.settings.path_style = true;
        stack.settings.queues = Some(QueueUrls {
            uploads: stack.queue(&format!("{name}-uploads")).await?,
            imports: stack.queue(&format!("{name}-imports")).await?,
            tasks: stack.queue(&format!("{name}-tasks")).await?,
            dead_letters: stack.queue(&format!("{name}-dead-letters")).await?,
        });
        stack.settings.wrap_key = Some(stack.key(KeySpec::SymmetricDefault, KeyUsageType::EncryptDecrypt).await?);
        stack.settings.agreement_key = Some(stack.key(KeySpec::EccNistP256, KeyUsageType::KeyAgreement).await?);
        stack.settings.signing_key = Some(stack.key(KeySpec::EccNistP256, KeyUsageType::SignVerify).await?);
        let made = stack.clients.scheduler().create_schedule_group().name(&name).send().await;
        made.map_err(|e| from_sdk(format!("schedule group {name}"), &e))?;
        let function = |function: &str| format!("arn:aws:lambda:eu-central-1:000000000000:function:{name}-{function}");
        stack.settings.schedules = Some(ScheduleSettings {
            group: name.clone(),
            role: format!("arn:aws:iam::000000000000:role/{name}-scheduler"),
            restructure_function: function("restructure"),
            sweep_function: function("sweep"),
        });
        if notify {
            stack.notify().await?;
        }
        Ok(stack)
    }

    async fn bucket(&self, name: &str) -> Result<String> {
        let place = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from("eu-central-1"))
            .build();
        let made = self.clients.s3().create_bucket().bucket(name).create_bucket_configuration(place).send().await;
        made.map(|_| name.to_owned()).map_err(|e| from_sdk(format!("bucket {name}"), &e))
    }

    async fn queue(&self, name: &str) -> Result<String> {
        let made = self.clients.sqs().create_queue().queue_name(name).send().await;
        made.map_err(|e| from_sdk(format!("queue {name}"), &e))?.queue_url.ok_or_else(|| nameless("queue"))
    }

    async fn key(&self, spec: KeySpec, usage: KeyUsageType) -> Result<String> {
        let what = format!("key {usage}");
        let made = self.clients.kms().create_key().key_spec(spec).key_usage(usage).send().await;
        let made = made.map_err(|e| from_sdk(what, &e))?.key_metadata.and_then(|key| key.arn);
        made.ok_or_else(|| nameless("key"))
    }

    async fn notify(&self) -> Result<()> {
        let url = &self.queues()?.uploads;
        let asked = self.clients.sqs().get_queue_attributes().queue_url(url);
        let answer = asked.attribute_names(QueueAttributeName::QueueArn).send().await;
        let answer = answer.map_err(|e| from_sdk("queue of uploads", &e))?;
        let arn = answer.attributes.and_then(|mut all| all.remove(&QueueAttributeName::QueueArn));
        let queue = QueueConfiguration::builder()
            .queue_arn(arn.ok_or_else(|| nameless("queue"))?)
            .events(Event::from("s3:ObjectCreated:*"))
            .build()
            .map_err(|e| Error::internal("a notification cannot be described").caused_by(e))?;
        let configuration = NotificationConfiguration::builder().queue_configurations(queue).build();
        let set = self.clients.s3().put_bucket_notification_configuration().bucket(&self.settings.uploads_bucket);
        let set = set.notification_configuration(configuration).send().await;
        set.map(drop).map_err(|e| from_sdk("notification of uploads", &e))
    }

    /// Has CloudFormation know the stack under the table's name, as far as a command asks it: its outputs and its domain.
    pub async fn publish(&self, domain: &str) -> Result<()> {
        let (name, settings) = (&self.settings.table, &self.settings);
        let set = |value: &Option<String>| value.clone().unwrap_or_default();
        let (queues, schedules) = (self.queues()?, settings.schedules.clone().unwrap_or_default());
        let outputs = [
            ("TableName", name.clone()),
            ("UploadsBucketName", settings.uploads_bucket.clone()),
            ("ArchiveBucketName", set(&settings.archive_bucket)),
            ("UploadsQueueUrl", queues.uploads.clone()),
            ("ImportsQueueUrl", queues.imports.clone()),
            ("TasksQueueUrl", queues.tasks.clone()),
            ("DeadLettersUrl", queues.dead_letters.clone()),
            ("WrapKeyArn", set(&settings.wrap_key)),
            ("AgreementKeyArn", set(&settings.agreement_key)),
            ("SigningKeyArn", set(&settings.signing_key)),
            ("ScheduleGroupName", schedules.group),
            ("ScheduleRoleArn", schedules.role),
            ("RestructureFunctionArn", schedules.restructure_function),
            ("SweepFunctionArn", schedules.sweep_function),
        ];
        let outputs = outputs.into_iter().map(|(name, value)| (name.to_owned(), json!({ "Value": value })));
        let template = json!({
            "Parameters": { "Domain": { "Type": "String" } },
            "Resources": { "Any": { "Type": "AWS::SQS::Queue" } },
            "Outputs": outputs.collect::<Map<_, _>>(),
        });
        let domain = Parameter::builder().parameter_key("Domain").parameter_value(domain).build();
        let create = self.clients.cloudformation().create_stack().stack_name(name).parameters(domain);
        let made = create.template_body(template.to_string()).send().await;
        made.map(drop).map_err(|e| from_sdk(format!("stack {name}"), &e))
    }

    /// Deletes every row of the catalogue, and its table for a moment.
    pub async fn lose_catalogue(&self) -> Result<()> {
        let name = &self.settings.table;
        super::delete_table(&self.clients, name).await?;
        super::create_table(&self.clients, name).await
    }

    /// Puts an object into the archive's bucket, behind everyone's back; none deletes it.
    pub async fn tamper(&self, key: &str, bytes: Option<Vec<u8>>) -> Result<()> {
        let (s3, bucket) = (self.clients.s3(), self.archive_bucket()?);
        let what = || format!("object {key}");
        if let Some(bytes) = bytes {
            let put = s3.put_object().bucket(bucket).key(key).body(ByteStream::from(bytes)).send().await;
            return put.map(drop).map_err(|e| from_sdk(what(), &e));
        }
        let deleted = s3.delete_object().bucket(bucket).key(key).send().await;
        deleted.map(drop).map_err(|e| from_sdk(what(), &e))
    }

    pub fn queues(&self) -> Result<&QueueUrls> {
        self.settings.queues.as_ref().ok_or_else(|| nameless("queue"))
    }

    fn archive_bucket(&self) -> Result<&str> {
        self.settings.archive_bucket.as_deref().ok_or_else(|| nameless("bucket"))
    }

    /// Puts an object into the bucket of uploads, as Transfer Family does.
    pub async fn put_upload(&self, key: &str, bytes: Vec<u8>) -> Result<()> {
        let put = self.clients.s3().put_object().bucket(&self.settings.uploads_bucket).key(key);
        put.body(ByteStream::from(bytes)).send().await.map(drop).map_err(|e| from_sdk(format!("upload {key}"), &e))
    }

    /// An object of the archive's bucket; none if it is not there.
    pub async fn archived(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let asked = self.clients.s3().get_object().bucket(self.archive_bucket()?).key(key).send().await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) => {
                let error = from_sdk(format!("object {key}"), &error);
                return if error.kind() == archive::ErrorKind::NotFound { Ok(None) } else { Err(error) };
            }
        };
        let bytes = answer.body.collect().await.map_err(|e| Error::unavailable("an object broke off").caused_by(e))?;
        Ok(Some(bytes.to_vec()))
    }

    /// Keys of the bucket of uploads, or of the archive's below a prefix.
    pub async fn uploads(&self) -> Result<Vec<String>> {
        self.keys(&self.settings.uploads_bucket, "").await
    }

    pub async fn archived_below(&self, prefix: &str) -> Result<Vec<String>> {
        self.keys(self.archive_bucket()?, prefix).await
    }

    async fn keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>> {
        let listed = self.clients.s3().list_objects_v2().bucket(bucket).prefix(prefix).send().await;
        let listed = listed.map_err(|e| from_sdk(format!("bucket {bucket}"), &e))?;
        Ok(listed.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect())
    }

    /// Takes messages from a queue, which then hides them for so long.
    pub async fn receive(&self, url: &str, most: i32, hidden: Duration) -> Result<Vec<Received>> {
        let asked =
            self.clients.sqs().receive_message().queue_url(url).max_number_of_messages(most).wait_time_seconds(1);
        let asked = asked
            .visibility_timeout(i32::try_from(hidden.as_secs()).unwrap_or(i32::MAX))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let answer = asked.send().await.map_err(|e| from_sdk("messages", &e))?;
        let message = |message: aws_sdk_sqs::types::Message| {
            let count = MessageSystemAttributeName::ApproximateReceiveCount;
            let attempts = message.attributes.and_then(|mut all| all.remove(&count)).unwrap_or_else(|| "1".into());
            let (id, receipt, body) = (message.message_id?, message.receipt_handle?, message.body?);
            Some(Received { id, receipt, body, attempts })
        };
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    pub async fn delete(&self, url: &str, receipt: &str) -> Result<()> {
        let deleted = self.clients.sqs().delete_message().queue_url(url).receipt_handle(receipt).send().await;
        deleted.map(drop).map_err(|e| from_sdk("message", &e))
    }

    /// Lets a message be taken again at once.
    pub async fn show(&self, url: &str, receipt: &str) -> Result<()> {
        let changed = self.clients.sqs().change_message_visibility().queue_url(url).receipt_handle(receipt);
        changed.visibility_timeout(0).send().await.map(drop).map_err(|e| from_sdk("message", &e))
    }

    pub async fn send(&self, url: &str, body: &str) -> Result<()> {
        let sent = self.clients.sqs().send_message().queue_url(url).message_body(body).send().await;
        sent.map(drop).map_err(|e| from_sdk("message", &e))
    }

    /// The schedules of our group.
    pub async fn scheduled(&self) -> Result<Vec<Scheduled>> {
        let group = self.settings.schedules.as_ref().map(|all| all.group.as_str()).unwrap_or_default();
        let listed = self.clients.scheduler().list_schedules().group_name(group).send().await;
        let mut schedules = Vec::new();
        for summary in listed.map_err(|e| from_sdk("schedules", &e))?.schedules {
            let name = summary.name.unwrap_or_default();
            let asked = self.clients.scheduler().get_schedule().group_name(group).name(&name).send().await;
            let one = asked.map_err(|e| from_sdk(format!("schedule {name}"), &e))?;
            let target = one.target.ok_or_else(|| nameless("target"))?;
            schedules.push(Scheduled {
                name,
                expression: one.schedule_expression.unwrap_or_default(),
                enabled: one.state == Some(aws_sdk_scheduler::types::ScheduleState::Enabled),
                target: target.arn,
                input: target.input.unwrap_or_default(),
            });
        }
        Ok(schedules)
    }
}

fn nameless(what: &str) -> Error {
    Error::internal(format!("the emulator made a {what} without a name"))
}
