//! The one HTTP client of all services.
//!
//! Left to itself each of the SDK's clients makes one of its own, and when it is made reads and parses the machine's
//! certificate authorities, which takes milliseconds each time. A function makes half a dozen clients before it asks for
//! work.

use std::sync::OnceLock;

use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        connector_metadata::ConnectorMetadata,
        http::{HttpClient, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector},
        runtime_components::{RuntimeComponents, RuntimeComponentsBuilder},
    },
};
use aws_smithy_types::config_bag::ConfigBag;

/// Connections to every service, with the trust of the machine and the proxy of its environment, as the SDK's own
/// default has them.
#[derive(Debug)]
pub(crate) struct Connections {
    client: SharedHttpClient,
    is_ready: OnceLock<()>,
}

impl Connections {
    pub(crate) fn new() -> Self {
        let client = Builder::new().build_with_connector_fn(|settings, components| {
            let mut builder = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
            builder.set_connector_settings(settings.cloned());
            builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            builder.set_proxy_config(Some(ProxyConfig::from_env()));
            builder.build()
        });
        Self { client, is_ready: OnceLock::new() }
    }
}

impl HttpClient for Connections {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        self.client.http_connector(settings, components)
    }

    /// Reads the certificate authorities, for the first client that is made: before the first event, not with it.
    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        if self.is_ready.set(()).is_ok() {
            self.client.validate_base_client_config(components, config)?;
        }
        Ok(())
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.client.connector_metadata()
    }
}
