//! Taking mails out of a list: the head forgets runs, then their items are deleted.

use archive::{Error, Result, ports::Scope};

use super::{
    head::{Head, Retired, Run},
    placements::{MAX_TRIES, pause},
    run,
    table::Table,
};

/// Takes whole runs out until they hold `limit` mails, or all; answers how many these were. `now` in Unix seconds.
///
/// A crash after the head was written leaves items of runs that the head names as retired: the next call deletes them,
/// even if no mail is left.
pub(super) async fn clear(table: &Table, scope: &Scope, limit: usize, now: i64) -> Result<u64> {
    for round in 0..MAX_TRIES {
        pause(round).await;
        let Some(head) = Head::load(table, scope).await? else { return Ok(0) };
        let (gone, stay) = split(&head.runs, limit as u64);
        let cleared: u64 = gone.iter().map(|run| run.keys).sum();
        if gone.is_empty() {
            delete_retired(table, scope, head).await?;
            return Ok(0);
        }
        let mut next = Head { runs: stay, count: head.count.saturating_sub(cleared), ..head.clone() };
        next.retired.extend(gone.iter().map(|run| Retired { id: run.id, since: now }));
        if head.swap(table, scope, next.clone()).await? {
            delete_retired(table, scope, Head { version: head.version + 1, ..next }).await?;
            return Ok(cleared);
        }
    }
    Err(Error::unavailable("a list of mails is being changed by others all the time").hint("try again later"))
}

/// The runs that go, and those that stay.
fn split(runs: &[Run], limit: u64) -> (Vec<Run>, Vec<Run>) {
    let mut held = 0;
    let going = runs.iter().take_while(|run| {
        let goes = held < limit.max(1);
        held += run.keys;
        goes
    });
    let (gone, stay) = runs.split_at(going.count());
    (gone.to_vec(), stay.to_vec())
}

/// Whoever still reads such a run from an older head finds fewer mails, as it is meant. If the head is changed meanwhile,
/// it goes on naming runs without items, which harms nobody.
async fn delete_retired(table: &Table, scope: &Scope, head: Head) -> Result<()> {
    if head.retired.is_empty() {
        return Ok(());
    }
    for retired in &head.retired {
        run::delete(table, &retired.id).await?;
    }
    head.swap(table, scope, Head { retired: Vec::new(), ..head.clone() }).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(keys: u64) -> Run {
        Run { name: [0; 16], id: [0; 16], first: [0; 40], last: [9; 40], keys }
    }

    #[test]
    fn whole_runs_go_until_they_hold_enough() {
        let runs = [run(5), run(1), run(7)];
        let gone = |limit| split(&runs, limit).0.len();
        assert_eq!([0, 1, 5, 6, 7, 13, 99].map(gone), [1, 1, 1, 2, 3, 3, 3]);
        let (gone, stay) = split(&runs, 6);
        assert_eq!((gone.as_slice(), stay.as_slice()), runs.split_at(2));
        assert_eq!(split(&[], 6), (vec![], vec![]));
    }
}
