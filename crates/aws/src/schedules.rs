//! Schedules of EventBridge Scheduler, in a group of their own, that invoke functions directly.
//!
//! Creating is decided by the service: of several calls for one name, one makes the schedule and the others are told of a
//! conflict. The SDK gives each call a client token of its own and repeats it with a retry, so that a lost answer is
//! still a success. Sources: the pages "Schedule types" and "Managing the state of a schedule" of the user guide, and
//! `CreateSchedule` in the API reference.

use std::{fmt, sync::Arc, time::Duration};

use archive::{
    Error, Result,
    job::Job,
    ports::{Clock, Schedule, Schedules},
};
use async_trait::async_trait;
use aws_sdk_scheduler::{
    Client,
    error::SdkError,
    operation::{create_schedule::CreateScheduleError, get_schedule::GetScheduleOutput},
    types::{FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, ScheduleState, Target},
};
use aws_smithy_types::DateTime;

use crate::{Clients, ScheduleSettings, error};

/// A run that cannot be started for so long is left to the next one.
const MAX_AGE: Duration = Duration::from_mins(10);
const MAX_RETRIES: i32 = 3;

/// The schedules of an archive. Clones are the same.
#[derive(Clone)]
pub struct Scheduler {
    client: Client,
    settings: Arc<ScheduleSettings>,
    clock: Arc<dyn Clock>,
}

impl Scheduler {
    /// The clock says when a new schedule runs first.
    pub fn new(clients: &Clients, settings: ScheduleSettings, clock: Arc<dyn Clock>) -> Self {
        Self { client: clients.scheduler(), settings: Arc::new(settings), clock }
    }

    /// When a schedule that begins now runs first: a rate counts from its start date.
    fn after(&self, minutes: u32) -> DateTime {
        DateTime::from_secs(self.clock.now().saturating_add(i64::from(minutes) * 60))
    }

    fn target(&self, job: &Job) -> Result<Target> {
        let function = match job {
            Job::Restructure { .. } => &self.settings.restructure_function,
            Job::Sweep => &self.settings.sweep_function,
            Job::Intake { .. } | Job::Import { .. } | Job::Preview { .. } | Job::Empty { .. } | Job::Check { .. } => {
                return Err(Error::invalid("only restructure and sweep can be scheduled"));
            }
        };
        let input = serde_json::to_string(job).map_err(|e| Error::internal("job cannot be written").caused_by(e))?;
        let retries = RetryPolicy::builder().maximum_retry_attempts(MAX_RETRIES);
        let retries = retries.maximum_event_age_in_seconds(i32::try_from(MAX_AGE.as_secs()).unwrap_or(i32::MAX));
        let target = Target::builder().arn(function).role_arn(&self.settings.role).input(input);
        let target = target.retry_policy(retries.build()).build();
        target.map_err(|e| Error::internal("target cannot be written").caused_by(e))
    }

    async fn find(&self, id: &str) -> Result<Option<GetScheduleOutput>> {
        match self.client.get_schedule().group_name(&self.settings.group).name(id).send().await {
            Ok(found) => Ok(Some(found)),
            Err(e) if is_unknown(error::code(&e)) => Ok(None),
            Err(e) => Err(error::from_sdk(format_args!("schedule {id}"), &e)),
        }
    }

    async fn names(&self) -> Result<Vec<String>> {
        let list = self.client.list_schedules().group_name(&self.settings.group);
        let mut pages = list.into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(schedule) = pages.next().await {
            let schedule =
                schedule.map_err(|e| error::from_sdk(format_args!("schedule group {}", self.settings.group), &e))?;
            names.extend(schedule.name);
        }
        Ok(names)
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

#[async_trait]
impl Schedules for Scheduler {
    async fn create(&self, id: &str, every_minutes: u32, job: &Job) -> Result<bool> {
        if every_minutes == 0 {
            return Err(Error::invalid(format!("schedule {id} has no period")));
        }
        let start = self.after(every_minutes);
        let create = self.client.create_schedule().group_name(&self.settings.group).name(id);
        let create = create.schedule_expression(expression(every_minutes)).start_date(start);
        let create = create.flexible_time_window(on_time()?).state(ScheduleState::Enabled).target(self.target(job)?);
        match create.send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(e)) if matches!(e.err(), CreateScheduleError::ConflictException(_)) => Ok(false),
            Err(e) => Err(error::from_sdk(format_args!("schedule {id}"), &e)),
        }
    }

    async fn set_enabled(&self, id: &str, enabled: bool) -> Result<()> {
        let found = self.find(id).await?.ok_or_else(|| unknown(id))?;
        let state = if enabled { ScheduleState::Enabled } else { ScheduleState::Disabled };
        if found.state.as_ref() == Some(&state) {
            return Ok(());
        }
        // What is not said again is set back to its default. The start is a new one, as one that has passed is refused.
        let start = found.schedule_expression().and_then(period).map(|minutes| self.after(minutes));
        let update = self.client.update_schedule().group_name(&self.settings.group).name(id).state(state);
        let update = update.set_schedule_expression(found.schedule_expression).set_start_date(start);
        let update = update.set_schedule_expression_timezone(found.schedule_expression_timezone);
        let update = update.set_end_date(found.end_date).set_description(found.description);
        let update = update.set_kms_key_arn(found.kms_key_arn).set_target(found.target);
        let update = update.flexible_time_window(match found.flexible_time_window {
            Some(window) => window,
            None => on_time()?,
        });
        match update.send().await {
            Ok(_) => Ok(()),
            Err(e) if is_unknown(error::code(&e)) => Err(unknown(id)),
            Err(e) => Err(error::from_sdk(format_args!("schedule {id}"), &e)),
        }
    }

    async fn delete(&self, id: &str) -> Result<bool> {
        match self.client.delete_schedule().group_name(&self.settings.group).name(id).send().await {
            Ok(_) => Ok(true),
            Err(e) if is_unknown(error::code(&e)) => Ok(false),
            Err(e) => Err(error::from_sdk(format_args!("schedule {id}"), &e)),
        }
    }

    async fn list(&self) -> Result<Vec<Schedule>> {
        let mut schedules = Vec::new();
        for name in self.names().await? {
            // Deleted meanwhile, if it is not found.
            let Some(found) = self.find(&name).await? else { continue };
            let read = schedule(&name, &found, self.clock.now());
            if read.is_none() {
                tracing::warn!(schedule = name, "a schedule of the group is none of ours");
            }
            schedules.extend(read);
        }
        Ok(schedules)
    }
}

/// None for what we cannot have made: no job, or no period of whole minutes.
fn schedule(id: &str, found: &GetScheduleOutput, now: i64) -> Option<Schedule> {
    let every_minutes = period(found.schedule_expression()?)?;
    let enabled = found.state() != Some(&ScheduleState::Disabled);
    // The service does not tell the next time; a rate counts from its start.
    let next = |start: &DateTime| next_run(start.secs(), every_minutes, now);
    Some(Schedule {
        id: id.to_owned(),
        job: serde_json::from_str(found.target()?.input()?).ok()?,
        every_minutes,
        enabled,
        next_run: found.start_date().filter(|_| enabled).map(next),
    })
}

fn next_run(start: i64, every_minutes: u32, now: i64) -> i64 {
    let period = i64::from(every_minutes) * 60;
    let passed = now.saturating_sub(start);
    if passed < 0 { start } else { start + (passed / period + 1) * period }
}

fn expression(every_minutes: u32) -> String {
    let unit = if every_minutes == 1 { "minute" } else { "minutes" };
    format!("rate({every_minutes} {unit})")
}

/// Minutes of a `rate(N unit)`; the template may say hours or days.
fn period(expression: &str) -> Option<u32> {
    let (number, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.trim().split_once(' ')?;
    let minutes = match unit.trim() {
        "minute" | "minutes" => 1,
        "hour" | "hours" => 60,
        "day" | "days" => 24 * 60,
        _ => return None,
    };
    number.parse::<u32>().ok().filter(|number| *number > 0)?.checked_mul(minutes)
}

fn on_time() -> Result<FlexibleTimeWindow> {
    let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build();
    window.map_err(|e| Error::internal("time window cannot be written").caused_by(e))
}

fn is_unknown(code: Option<&str>) -> bool {
    code == Some("ResourceNotFoundException")
}

fn unknown(id: &str) -> Error {
    Error::not_found(format!("there is no schedule {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_as_they_are_written() {
        for minutes in [1, 2, 15, 60, 1440, u32::MAX] {
            assert_eq!(period(&expression(minutes)), Some(minutes));
        }
        assert_eq!((expression(1), expression(15)), ("rate(1 minute)".into(), "rate(15 minutes)".into()));
        assert_eq!((period("rate(1 hour)"), period("rate(2 days)")), (Some(60), Some(2880)));
        for wrong in ["rate(0 minutes)", "rate(5 weeks)", "cron(0 1 * * ? *)", "rate(4294967295 days)", "rate()", ""] {
            assert_eq!(period(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_next_run_lies_ahead() {
        for (now, next) in [(0, 1000), (999, 1000), (1000, 1900), (1899, 1900), (1900, 2800), (10_000, 10_900)] {
            assert_eq!(next_run(1000, 15, now), next, "at {now}");
        }
    }
}
