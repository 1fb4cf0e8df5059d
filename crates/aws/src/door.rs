//! The SFTP door: a server of Transfer Family, found again by its tag, with the one host key that clients know.

mod host_key;

use std::sync::Arc;

use archive::{
    Error, ErrorKind, Result,
    ports::{DoorServer, DoorState, Random},
};
use async_trait::async_trait;
use aws_sdk_transfer::{
    Client,
    operation::create_server::builders::CreateServerFluentBuilder,
    types::{
        DescribedServer, DirectoryListingOptimization, Domain, EndpointType, IdentityProviderDetails,
        IdentityProviderType, ListedHostKey, Protocol, ProtocolDetails, S3StorageOptions, SetStatOption,
        SftpAuthenticationMethods, State, Tag,
    },
};
use host_key::HostKey;
pub(crate) use host_key::{HostKeySecret, same_fingerprint};

use crate::{
    Clients, DoorSettings,
    error::{from_sdk, kind},
};

/// The tag by which the servers of a stack are known; its value is the stack's name.
pub(crate) const TAG: &str = "postkahn";
/// The latest that names no post-quantum draft, so that every client in use finds algorithms in it.
const SECURITY_POLICY: &str = "TransferSecurityPolicy-2024-01";
const SSH_PORT: u16 = 22;
/// $0.30 an hour for each protocol that is enabled, whether anybody connects or not.
const PRICE: &str = "$0.30 an hour, some $220 a month";

/// Servers of Transfer Family, made and removed as the archive decides.
#[derive(Clone)]
pub struct Door {
    transfer: Client,
    secret: HostKeySecret,
    random: Arc<dyn Random>,
    stack: String,
    settings: DoorSettings,
}

impl Door {
    /// `Invalid` if the settings do not name all that a server needs.
    pub fn new(clients: &Clients, settings: DoorSettings, random: Arc<dyn Random>) -> Result<Self> {
        let lacks = |what: &str| Error::invalid(format!("the SFTP door cannot be made: {what} is not set"));
        let set = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let login = set(&settings.login_function).ok_or_else(|| lacks("the login function"))?;
        let secret = set(&settings.host_key_secret).ok_or_else(|| lacks("the secret of the host key"))?;
        Ok(Self {
            transfer: clients.transfer(),
            secret: HostKeySecret::new(clients.secrets(), secret),
            random,
            stack: stack_of(&login),
            settings,
        })
    }

    fn create_server(&self, key: &HostKey) -> CreateServerFluentBuilder {
        let settings = &self.settings;
        let identities = IdentityProviderDetails::builder()
            .set_function(settings.login_function.clone())
            .sftp_authentication_methods(SftpAuthenticationMethods::PublicKeyOrPassword);
        self.transfer
            .create_server()
            .endpoint_type(EndpointType::Public)
            .domain(Domain::S3)
            .protocols(Protocol::Sftp)
            .identity_provider_type(IdentityProviderType::AwsLambda)
            .identity_provider_details(identities.build())
            .host_key(key.openssh())
            .security_policy_name(SECURITY_POLICY)
            // Clients that set times after an upload (WinSCP, sftp -p) would otherwise see it fail.
            .protocol_details(ProtocolDetails::builder().set_stat_option(SetStatOption::EnableNoOp).build())
            .s3_storage_options(
                S3StorageOptions::builder()
                    .directory_listing_optimization(DirectoryListingOptimization::Enabled)
                    .build(),
            )
            .set_logging_role(settings.role.clone())
            .set_tags(Tag::builder().key(TAG).value(&self.stack).build().ok().map(|tag| vec![tag]))
    }

    fn is_ours(&self, server: &DescribedServer) -> bool {
        is_of_stack(server, &self.stack)
    }

    async fn describe(&self, id: &str) -> Result<Option<DescribedServer>> {
        match self.transfer.describe_server().server_id(id).send().await {
            Ok(answer) => Ok(answer.server),
            Err(e) if kind(&e) == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(from_sdk(format_args!("SFTP server {id}"), &e)),
        }
    }

    /// Every server of this stack.
    async fn ours(&self) -> Result<Vec<DescribedServer>> {
        ours(&self.transfer, |server| self.is_ours(server)).await
    }

    /// Sees to it that the server has the host key, and none beside it that a client might be shown instead.
    async fn settle_host_key(&self, id: &str, key: &HostKey) -> Result<()> {
        let keys = self.host_keys(id).await?;
        let is_key = |listed: &ListedHostKey| same_fingerprint(listed.fingerprint(), key.fingerprint());
        if !keys.iter().any(is_key) {
            let import = self.transfer.import_host_key().server_id(id).host_key_body(key.openssh());
            let imported = import.description("postkahn: the key that clients know").send().await;
            imported.map_err(|e| from_sdk(format_args!("host key of SFTP server {id}"), &e))?;
        }
        for other in keys.iter().filter(|listed| !is_key(listed)).filter_map(ListedHostKey::host_key_id) {
            let deleted = self.transfer.delete_host_key().server_id(id).host_key_id(other).send().await;
            if let Err(e) = deleted {
                // The door works nevertheless; clients that prefer the other kind of key are shown another one.
                let error = from_sdk(format_args!("host key {other} of SFTP server {id}"), &e);
                tracing::warn!("a host key that Transfer Family made stays: {error}");
            }
        }
        Ok(())
    }

    async fn host_keys(&self, id: &str) -> Result<Vec<ListedHostKey>> {
        let mut keys = Vec::new();
        let mut next = None;
        loop {
            let list = self.transfer.list_host_keys().server_id(id).set_next_token(next).send().await;
            let page = list.map_err(|e| from_sdk(format_args!("host keys of SFTP server {id}"), &e))?;
            next = page.next_token;
            keys.extend(page.host_keys);
            if next.is_none() {
                return Ok(keys);
            }
        }
    }
}

fn view(server: &DescribedServer, fingerprint: Option<&str>) -> DoorServer {
    DoorServer {
        id: server.server_id().unwrap_or_default().to_owned(),
        state: state_of(server.state()),
        host: host(server),
        port: SSH_PORT,
        fingerprint: fingerprint.map(str::to_owned),
    }
}

fn host(server: &DescribedServer) -> Option<String> {
    // arn:PARTITION:transfer:REGION:ACCOUNT:server/ID
    let mut arn = server.arn().split(':').skip(1);
    let (partition, region) = (arn.next()?, arn.nth(1)?);
    let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    Some(format!("{}.server.transfer.{region}.{suffix}", server.server_id()?))
}

/// The stack of which this is the function `login`: its name is STACK-login.
pub(crate) fn stack_of(login_function: &str) -> String {
    let name = login_function.rsplit(':').next().unwrap_or(login_function);
    name.strip_suffix("-login").unwrap_or(name).to_owned()
}

pub(crate) fn is_of_stack(server: &DescribedServer, stack: &str) -> bool {
    server.tags().iter().any(|tag| tag.key() == TAG && tag.value() == stack)
}

/// Every server that counts. There are few servers in an account, and their list does not tell their tags.
pub(crate) async fn ours(transfer: &Client, counts: impl Fn(&DescribedServer) -> bool) -> Result<Vec<DescribedServer>> {
    let mut ours = Vec::new();
    let mut pages = transfer.list_servers().into_paginator().send();
    while let Some(page) = pages.next().await {
        for listed in page.map_err(|e| from_sdk("list of SFTP servers", &e))?.servers {
            let Some(id) = listed.server_id() else { continue };
            match transfer.describe_server().server_id(id).send().await {
                Ok(answer) => ours.extend(answer.server.filter(&counts)),
                // Removed since it was listed.
                Err(e) if kind(&e) == ErrorKind::NotFound => {}
                Err(e) => return Err(from_sdk(format_args!("SFTP server {id}"), &e)),
            }
        }
    }
    ours.sort_by(|a, b| a.server_id().cmp(&b.server_id()));
    Ok(ours)
}

fn state_of(state: Option<&State>) -> DoorState {
    match state {
        Some(State::Online) => DoorState::Open,
        Some(State::Starting) => DoorState::Opening,
        Some(State::Stopping) => DoorState::Closing,
        // Stopped by hand. It costs as much as before.
        Some(State::Offline) => DoorState::Closed,
        _ => DoorState::Failed,
    }
}

#[async_trait]
impl archive::ports::Door for Door {
    async fn open(&self) -> Result<DoorServer> {
        let key = self.secret.load_or_make(&*self.random).await?;
        let serving = self.ours().await?.into_iter().map(|server| view(&server, Some(key.fingerprint())));
        let server = if let Some(server) = serving.into_iter().find(DoorServer::serves) {
            server
        } else {
            let made = self.create_server(&key).send().await.map_err(|e| from_sdk("new SFTP server", &e))?;
            let made = self.describe(made.server_id()).await?;
            let made = made.ok_or_else(|| Error::unavailable("the SFTP server that was made is not there yet"))?;
            view(&made, Some(key.fingerprint()))
        };
        self.settle_host_key(&server.id, &key).await?;
        Ok(server)
    }

    async fn status(&self, id: &str) -> Result<Option<DoorServer>> {
        let Some(server) = self.describe(id).await?.filter(|server| self.is_ours(server)) else { return Ok(None) };
        let key = self.secret.load().await?;
        Ok(Some(view(&server, key.as_ref().map(HostKey::fingerprint))))
    }

    async fn servers(&self) -> Result<Vec<DoorServer>> {
        let servers = self.ours().await?;
        // Without a server nobody asks for the key; each question costs.
        let key = if servers.is_empty() { None } else { self.secret.load().await? };
        Ok(servers.iter().map(|server| view(server, key.as_ref().map(HostKey::fingerprint))).collect())
    }

    async fn close(&self, id: &str) -> Result<bool> {
        let Some(server) = self.describe(id).await? else { return Ok(false) };
        if !self.is_ours(&server) {
            return Err(Error::denied(format!("SFTP server {id} is not one of this stack")));
        }
        if server.state() == Some(&State::Stopping) {
            return Ok(true);
        }
        match self.transfer.delete_server().server_id(id).send().await {
            Ok(_) => Ok(true),
            Err(e) if kind(&e) == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(from_sdk(format_args!("SFTP server {id}"), &e)),
        }
    }

    fn price(&self) -> Option<&'static str> {
        Some(PRICE)
    }
}
