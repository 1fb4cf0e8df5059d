//! What is wrong with a deployed stack, and how it is put right. Everything is read, nothing is changed.

mod buckets;
mod door;
mod finding;
mod keys;
mod queues;
mod schedules;
mod stack;
mod table;

use archive::Result;
use finding::unseen;
pub use finding::{Finding, Health};
pub use stack::Stack;

use crate::Clients;

/// Looks at every part of the stack of this name. `NotFound` if there is none.
pub async fn doctor(clients: &Clients, name: &str) -> Result<Vec<Finding>> {
    let stack = Stack::load(clients, name).await?;
    Ok(examine(clients, &stack).await)
}

/// Looks at every part of a stack that is known. What cannot be looked at is a finding too.
pub async fn examine(clients: &Clients, stack: &Stack) -> Vec<Finding> {
    let mut findings = vec![stack.health()];
    findings.extend(buckets::examine(clients, stack).await);
    findings.extend(table::examine(clients, stack).await);
    findings.extend(queues::examine(clients, stack).await);
    findings.extend(schedules::examine(clients, stack).await);
    findings.extend(keys::examine(clients, stack).await);
    findings.extend(door::examine(clients, stack).await);
    findings
}

/// The answer of a look, or what kept it from being one.
fn settle(check: &'static str, looked: Result<Finding, Trouble>) -> Finding {
    match looked {
        Ok(finding) => finding,
        Err(Trouble::Missing(logical)) => Finding::wrong(check, format!("the stack has no {logical}"))
            .fix("deploy the template of this version again: sam deploy"),
        Err(Trouble::Unseen(error)) => unseen(check, &error),
    }
}

/// Why nothing can be said.
enum Trouble {
    /// The stack lacks the resource of this logical id.
    Missing(&'static str),
    Unseen(archive::Error),
}

impl From<archive::Error> for Trouble {
    fn from(error: archive::Error) -> Self {
        Self::Unseen(error)
    }
}
