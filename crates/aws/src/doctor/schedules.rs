//! What comes again and again.

use archive::{ErrorKind, Result};
use aws_sdk_scheduler::{Client, operation::get_schedule::GetScheduleOutput, types::ScheduleState};

use super::{Finding, Stack, Trouble, settle, stack::last_part};
use crate::{
    Clients,
    error::{from_sdk, kind},
};

pub(super) async fn examine(clients: &Clients, stack: &Stack) -> Vec<Finding> {
    let scheduler = clients.scheduler();
    vec![
        settle("sweep-schedule", sweep(&scheduler, stack).await),
        settle("restructure-schedule", restructure(&scheduler, stack).await),
    ]
}

async fn find(scheduler: &Client, group: &str, name: &str) -> Result<Option<GetScheduleOutput>> {
    match scheduler.get_schedule().group_name(group).name(name).send().await {
        Ok(schedule) => Ok(Some(schedule)),
        Err(e) if kind(&e) == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(from_sdk(format_args!("schedule {name} of group {group}"), &e)),
    }
}

fn calls(schedule: &GetScheduleOutput, function: &str) -> bool {
    schedule.target().is_some_and(|target| last_part(target.arn()) == last_part(function))
}

async fn sweep(scheduler: &Client, stack: &Stack) -> Result<Finding, Trouble> {
    const CHECK: &str = "sweep-schedule";
    let (group, function) = (last_part(stack.need("ScheduleGroup")?), stack.need("SweepFunction")?);
    let wrong = match find(scheduler, group, "sweep").await? {
        None => "there is no schedule sweep",
        Some(schedule) if schedule.state() == Some(&ScheduleState::Disabled) => "the schedule sweep is disabled",
        Some(schedule) if !calls(&schedule, function) => "the schedule sweep does not call the function sweep",
        Some(_) => return Ok(Finding::ok(CHECK, "sweep comes by itself")),
    };
    let says = format!("{wrong}: expired uploads stay, and an open SFTP door is not closed");
    let role = stack.resources.get("SchedulerRole").map_or("ROLE", String::as_str);
    Ok(Finding::wrong(CHECK, says).fix(format!(
        "aws scheduler delete-schedule --group-name {group} --name sweep; aws scheduler create-schedule --group-name {group} \
         --name sweep --schedule-expression 'rate(1 hour)' --flexible-time-window Mode=OFF --target \"{{\\\"Arn\\\":\\\"$(aws \
         lambda get-function --function-name {function} --query Configuration.FunctionArn --output text)\\\",\
         \\\"RoleArn\\\":\\\"$(aws iam get-role --role-name {role} --query Role.Arn --output text)\\\",\
         \\\"Input\\\":\\\"{{\\\\\\\"job\\\\\\\":\\\\\\\"sweep\\\\\\\"}}\\\"}}\""
    )))
}

/// Made by the first import that finishes, and switched by whoever likes.
async fn restructure(scheduler: &Client, stack: &Stack) -> Result<Finding, Trouble> {
    const CHECK: &str = "restructure-schedule";
    let (group, function) = (last_part(stack.need("ScheduleGroup")?), stack.need("RestructureFunction")?);
    Ok(match find(scheduler, group, "restructure").await? {
        None => Finding::ok(CHECK, "the schedule restructure is made by the first import that finishes"),
        Some(schedule) if !calls(&schedule, function) => {
            Finding::wrong(CHECK, "the schedule restructure does not call the function restructure").fix(format!(
                "aws scheduler delete-schedule --group-name {group} --name restructure; the next import that finishes makes \
                 it again"
            ))
        }
        Some(schedule) if schedule.state() == Some(&ScheduleState::Disabled) => {
            Finding::warning(CHECK, "the schedule restructure is disabled: no mailboxes are recreated")
                .fix(r#"PATCH /api/v1/schedules/restructure {"enabled":true}"#)
        }
        Some(_) => Finding::ok(CHECK, "restructure comes by itself"),
    })
}
