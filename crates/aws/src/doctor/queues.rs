//! The queues, and what was given up.

use archive::Result;
use std::collections::HashMap;

use aws_sdk_sqs::{Client, types::QueueAttributeName};
use serde_json::{Value, json};

use super::{Finding, Stack, Trouble, settle, stack::last_part};
use crate::{Clients, error::from_sdk};

/// The template says why as many.
const MAX_RECEIVES: u32 = 20;

const QUEUES: [(&str, &str); 3] =
    [("uploads-queue", "UploadsQueue"), ("imports-queue", "ImportsQueue"), ("tasks-queue", "TasksQueue")];

pub(super) async fn examine(clients: &Clients, stack: &Stack) -> Vec<Finding> {
    let sqs = clients.sqs();
    let mut findings = Vec::new();
    for (check, logical) in QUEUES {
        findings.push(settle(check, redrive(&sqs, stack, check, logical).await));
    }
    findings.push(settle("dead-letters", dead_letters(&sqs, stack).await));
    findings
}

async fn attributes(sqs: &Client, url: &str) -> Result<HashMap<QueueAttributeName, String>> {
    let asked = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send().await;
    let answer = asked.map_err(|e| from_sdk(format_args!("queue {}", last_part(url)), &e))?;
    Ok(answer.attributes.unwrap_or_default())
}

async fn redrive(sqs: &Client, stack: &Stack, check: &'static str, logical: &'static str) -> Result<Finding, Trouble> {
    let (url, dead) = (stack.need(logical)?, stack.need("DeadLetters")?);
    let set = attributes(sqs, url).await?;
    let policy = set.get(&QueueAttributeName::RedrivePolicy).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let target = policy.as_ref().and_then(|policy| policy["deadLetterTargetArn"].as_str());
    let arn = set.get(&QueueAttributeName::QueueArn).map(String::as_str).unwrap_or_default();
    let arn = arn.strip_suffix(last_part(url)).unwrap_or_default();
    let policy = json!({ "deadLetterTargetArn": format!("{arn}{}", last_part(dead)), "maxReceiveCount": MAX_RECEIVES });
    let fix = json!({ "RedrivePolicy": policy.to_string() });
    Ok(Finding::of(
        check,
        target.is_some_and(|target| last_part(target) == last_part(dead)),
        "what nobody can do goes to the dead letters",
        "what nobody can do is delivered again and again, until it is lost after a week",
        format!("aws sqs set-queue-attributes --queue-url {url} --attributes '{fix}'"),
    ))
}

async fn dead_letters(sqs: &Client, stack: &Stack) -> Result<Finding, Trouble> {
    const CHECK: &str = "dead-letters";
    let set = attributes(sqs, stack.need("DeadLetters")?).await?;
    let waiting = set.get(&QueueAttributeName::ApproximateNumberOfMessages).map_or("0", String::as_str);
    Ok(match waiting {
        "0" => Finding::ok(CHECK, "nothing was given up"),
        some => Finding::warning(CHECK, format!("some {some} messages were given up; each says why"))
            .fix(format!("mend the cause, then: postkahn redrive --aws {}", stack.name)),
    })
}
