//! The SFTP door: what stands, whom it asks, and the key that it shows.

use archive::{ErrorKind, Result};
use aws_sdk_transfer::types::{DescribedServer, State};

use super::{Finding, Stack, Trouble, settle, stack::last_part, unseen};
use crate::{
    Clients,
    door::{HostKeySecret, is_of_stack, ours, same_fingerprint},
};

pub(super) async fn examine(clients: &Clients, stack: &Stack) -> Vec<Finding> {
    let fingerprint = fingerprint(clients, stack).await;
    let mut findings = vec![match &fingerprint {
        Ok(Some(fingerprint)) => Finding::ok("host-key", format!("clients know the SFTP door by {fingerprint}")),
        Ok(None) => Finding::ok("host-key", "there is no host key yet; the first opening of the door makes one"),
        Err(Trouble::Unseen(error)) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Invalid) => {
            Finding::wrong("host-key", error.to_string()).fix(
                "put an Ed25519 key there: ssh-keygen -t ed25519 -N '' -f host-key && aws secretsmanager put-secret-value \
                 --secret-id SECRET --secret-string file://host-key",
            )
        }
        Err(Trouble::Unseen(error)) => unseen("host-key", error),
        Err(Trouble::Missing(logical)) => settle("host-key", Err(Trouble::Missing(logical))),
    }];
    findings.extend(servers(clients, stack, fingerprint.ok().flatten().as_deref()).await);
    findings
}

async fn fingerprint(clients: &Clients, stack: &Stack) -> Result<Option<String>, Trouble> {
    let secret = HostKeySecret::new(clients.secrets(), stack.need("HostKey")?.to_owned());
    Ok(secret.load().await?.map(|key| key.fingerprint().to_owned()))
}

async fn servers(clients: &Clients, stack: &Stack, fingerprint: Option<&str>) -> Vec<Finding> {
    let of_template = stack.resources.get("VpcServer");
    let counts = |server: &DescribedServer| {
        is_of_stack(server, &stack.name) || of_template.is_some_and(|id| server.server_id() == Some(last_part(id)))
    };
    let servers = match ours(&clients.transfer(), counts).await {
        Ok(servers) => servers,
        Err(error) => return vec![unseen("door", &error)],
    };
    let mode = stack.parameter("Door").unwrap_or("on-demand");
    let count = match (servers.len(), mode) {
        (0, "always" | "vpc") => Finding::wrong("door", "the SFTP door should always be open, and there is no server")
            .fix("run the sweep: POST /api/v1/schedules/sweep/run"),
        (0, _) => Finding::ok("door", "no SFTP server stands: it costs nothing"),
        (_, "none") => {
            Finding::warning("door", "an SFTP server stands, though the stack has no door; the next sweep removes it")
                .fix("POST /api/v1/schedules/sweep/run")
        }
        (1, _) => Finding::ok("door", "one SFTP server stands, at $0.30 an hour"),
        (some, _) => Finding::warning("door", format!("{some} SFTP servers stand, one too many costs $0.30 an hour"))
            .fix("run the sweep, which removes what nobody needs: POST /api/v1/schedules/sweep/run"),
    };
    let mut findings = vec![count];
    findings.extend(servers.iter().map(|server| settle("door-server", examine_server(server, stack, fingerprint))));
    findings
}

fn examine_server(server: &DescribedServer, stack: &Stack, fingerprint: Option<&str>) -> Result<Finding, Trouble> {
    const CHECK: &str = "door-server";
    let login = stack.need("LoginFunction")?;
    let id = server.server_id().unwrap_or("without id");
    let asks = server.identity_provider_details().and_then(|details| details.function());
    let again = "close the door and open it again: DELETE /api/v1/door, then POST /api/v1/door {\"days\":7}";
    let from_template = stack.resources.get("VpcServer").is_some_and(|server| last_part(server) == id);
    let shows_other_key = || fingerprint.is_some_and(|ours| !same_fingerprint(server.host_key_fingerprint(), ours));
    Ok(match server.state() {
        _ if asks.is_none_or(|function| last_part(function) != last_part(login)) => {
            let asks = asks.map_or("nobody", last_part);
            Finding::wrong(CHECK, format!("SFTP server {id} asks {asks} who may come in, not {login}")).fix(again)
        }
        Some(State::Offline | State::StartFailed | State::StopFailed) => {
            let state = server.state().map_or("", State::as_str);
            Finding::wrong(CHECK, format!("SFTP server {id} is {state}: nobody can connect, and it costs")).fix(again)
        }
        _ if !from_template && shows_other_key() => {
            Finding::wrong(CHECK, format!("SFTP server {id} shows another host key than the one in the secret"))
                .fix(again)
        }
        state => {
            let state = state.map_or("in an unknown state", State::as_str);
            Finding::ok(CHECK, format!("SFTP server {id} is {state} and asks {}", last_part(login)))
        }
    })
}
