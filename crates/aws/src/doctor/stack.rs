//! The stack as CloudFormation knows it.

use std::collections::BTreeMap;

use archive::{Error, Result};
use aws_sdk_cloudformation::types::StackStatus;

use super::{Finding, Trouble};
use crate::{Clients, QueueUrls, ScheduleSettings, Settings, error::from_sdk};

/// Names by logical ids of the template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    pub name: String,
    /// `UPDATE_COMPLETE`.
    pub status: String,
    /// Logical id to physical id.
    pub resources: BTreeMap<String, String>,
    pub parameters: BTreeMap<String, String>,
    /// By the names of the template: `TableName`.
    pub outputs: BTreeMap<String, String>,
}

impl Stack {
    /// `NotFound` if there is no stack of this name.
    pub async fn load(clients: &Clients, name: &str) -> Result<Self> {
        let client = clients.cloudformation();
        let described = client.describe_stacks().stack_name(name).send().await.map_err(|e| {
            // CloudFormation says `ValidationError` for a stack that is not there, as for much else.
            match from_sdk(format_args!("stack {name}"), &e) {
                error if error.kind() == archive::ErrorKind::Invalid => {
                    Error::not_found(format!("there is no stack {name:?} in this account and region"))
                        .hint("aws cloudformation list-stacks names all of them")
                }
                error => error,
            }
        })?;
        let described = described.stacks.unwrap_or_default().into_iter().next();
        let described = described.ok_or_else(|| Error::not_found(format!("there is no stack {name:?}")))?;
        let parameters = described.parameters.unwrap_or_default().into_iter();
        let parameters = parameters.filter_map(|p| Some((p.parameter_key?, p.parameter_value?))).collect();
        let outputs = described.outputs.unwrap_or_default().into_iter();
        let outputs = outputs.filter_map(|o| Some((o.output_key?, o.output_value?))).collect();
        let mut resources = BTreeMap::new();
        let mut pages = client.list_stack_resources().stack_name(name).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| from_sdk(format_args!("resources of stack {name}"), &e))?;
            let named = page.stack_resource_summaries.unwrap_or_default().into_iter();
            resources.extend(named.filter_map(|r| Some((r.logical_resource_id?, r.physical_resource_id?))));
        }
        let status = described.stack_status.as_ref().map(StackStatus::as_str).unwrap_or_default().to_owned();
        Ok(Self { name: name.to_owned(), status, resources, parameters, outputs })
    }

    /// What a function of it is told, for whoever works on its archive beside them; without the SFTP door. `NotFound` if an
    /// output is missing.
    pub fn settings(&self) -> Result<Settings> {
        Ok(Settings {
            table: self.output("TableName")?,
            uploads_bucket: self.output("UploadsBucketName")?,
            archive_bucket: Some(self.output("ArchiveBucketName")?),
            queues: Some(QueueUrls {
                uploads: self.output("UploadsQueueUrl")?,
                imports: self.output("ImportsQueueUrl")?,
                tasks: self.output("TasksQueueUrl")?,
                dead_letters: self.output("DeadLettersUrl")?,
            }),
            wrap_key: Some(self.output("WrapKeyArn")?),
            agreement_key: Some(self.output("AgreementKeyArn")?),
            signing_key: Some(self.output("SigningKeyArn")?),
            schedules: Some(ScheduleSettings {
                group: self.output("ScheduleGroupName")?,
                role: self.output("ScheduleRoleArn")?,
                restructure_function: self.output("RestructureFunctionArn")?,
                sweep_function: self.output("SweepFunctionArn")?,
            }),
            domain: self.parameter("Domain").filter(|domain| !domain.is_empty()).map(str::to_owned),
            ..Settings::default()
        })
    }

    fn output(&self, name: &str) -> Result<String> {
        let lacks = || Error::not_found(format!("stack {} has no output {name}", self.name));
        let lacks = || lacks().hint("deploy the template of this version again: sam deploy");
        self.outputs.get(name).cloned().ok_or_else(lacks)
    }

    /// Where its queues are. `NotFound` if it lacks one of them.
    pub fn queue_urls(&self) -> Result<QueueUrls> {
        let url = |logical: &str| {
            let lacks = || Error::not_found(format!("stack {} has no {logical}", self.name));
            self.resources
                .get(logical)
                .cloned()
                .ok_or_else(|| lacks().hint(format!("postkahn doctor --aws {}", self.name)))
        };
        Ok(QueueUrls {
            uploads: url("UploadsQueue")?,
            imports: url("ImportsQueue")?,
            tasks: url("TasksQueue")?,
            dead_letters: url("DeadLetters")?,
        })
    }

    pub(super) fn health(&self) -> Finding {
        const CHECK: &str = "stack";
        let says = format!("stack {} is {}", self.name, self.status);
        match self.status.as_str() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => Finding::ok(CHECK, says),
            status if status.ends_with("_IN_PROGRESS") => {
                Finding::warning(CHECK, says).fix("wait until the deployment has ended, then look again")
            }
            "UPDATE_ROLLBACK_COMPLETE" => {
                Finding::warning(CHECK, says + ": the last deployment was taken back").fix(self.events())
            }
            _ => Finding::wrong(CHECK, says).fix(self.events()),
        }
    }

    fn events(&self) -> String {
        format!("see why: aws cloudformation describe-stack-events --stack-name {}", self.name)
    }

    /// The physical id of a resource that every stack has.
    pub(super) fn need(&self, logical: &'static str) -> Result<&str, Trouble> {
        self.resources.get(logical).map(String::as_str).ok_or(Trouble::Missing(logical))
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// The name at the end of an ARN or a URL.
pub(super) fn last_part(id: &str) -> &str {
    id.rsplit(['/', ':']).next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of the outputs of infra/template.yaml.
    fn outputs() -> Vec<String> {
        let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/template.yaml");
        let text = std::fs::read_to_string(template).unwrap();
        let (_, outputs) = text.split_once("\nOutputs:\n").unwrap();
        let names = outputs.lines().filter_map(|line| line.strip_prefix("  ")?.split_once(": {"));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn the_template_puts_out_all_that_is_asked_for() {
        let outputs = outputs().into_iter().map(|name| (name.clone(), name));
        let parameters = BTreeMap::from([("Domain".to_owned(), String::new())]);
        let stack = Stack { outputs: outputs.collect(), parameters, ..Stack::default() };
        let settings = stack.settings().unwrap();
        assert_eq!((settings.table.as_str(), settings.domain), ("TableName", None));
        let error = Stack::default().settings().unwrap_err();
        assert_eq!(error.kind(), archive::ErrorKind::NotFound);
        assert!(error.advice().is_some_and(|hint| hint.contains("sam deploy")));
    }
}
