//! The contract of schedules.

use super::fails;
use crate::{
    ErrorKind,
    job::Job,
    ports::{Schedule, Schedules},
};

/// Everything that [`Schedules`] promises.
pub async fn schedules(schedules: &dyn Schedules) {
    assert_eq!(schedules.list().await.unwrap(), []);
    fails(schedules.set_enabled("restructure", true).await, ErrorKind::NotFound);
    assert!(!schedules.delete("restructure").await.unwrap());
    fails(schedules.create("never", 0, &Job::Sweep).await, ErrorKind::Invalid);

    assert!(schedules.create("restructure", 15, &Job::Restructure { process: None }).await.unwrap());
    let made = only(schedules).await;
    assert_eq!((made.id.as_str(), made.every_minutes, made.enabled), ("restructure", 15, true));
    assert_eq!(made.job, Job::Restructure { process: None });

    assert!(!schedules.create("restructure", 1, &Job::Sweep).await.unwrap());
    assert_eq!(only(schedules).await, made);

    for enabled in [false, false, true, true] {
        schedules.set_enabled("restructure", enabled).await.unwrap();
        assert_eq!(only(schedules).await.enabled, enabled);
    }
    schedules.set_enabled("restructure", false).await.unwrap();
    assert!(!schedules.create("restructure", 15, &Job::Restructure { process: None }).await.unwrap());
    assert!(!only(schedules).await.enabled, "creating it again does not enable it");

    assert!(schedules.create("sweep", 24 * 60, &Job::Sweep).await.unwrap());
    let mut ids: Vec<_> = schedules.list().await.unwrap().into_iter().map(|schedule| schedule.id).collect();
    ids.sort();
    assert_eq!(ids, ["restructure", "sweep"]);
    assert!(schedules.delete("sweep").await.unwrap());
    assert!(!schedules.delete("sweep").await.unwrap());
    assert!(schedules.delete("restructure").await.unwrap());
    assert!(schedules.create("restructure", 20, &Job::Restructure { process: None }).await.unwrap());
    assert_eq!(only(schedules).await.every_minutes, 20);
    assert!(schedules.delete("restructure").await.unwrap());
}

async fn only(schedules: &dyn Schedules) -> Schedule {
    let mut list = schedules.list().await.unwrap();
    assert_eq!(list.len(), 1);
    list.pop().unwrap()
}
