//! Finding an ElastiCache cache by name, and getting in with the function's role.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_elasticache::Client;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Clock;

use super::{WHAT, of_cache};
use crate::clients::Clients;
use crate::clock::SystemClock;
use crate::fault::Fault;

/// How long a token opens new connections: the most ElastiCache allows.
const TOKEN_LIFE: Duration = Duration::from_secs(900);

/// A cache to be found.
#[derive(Debug)]
pub struct Discovery {
    client: Client,
    config: SdkConfig,
    name: String,
    is_serverless: bool,
    user: Option<String>,
}

/// Where a cache is.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Address, encryption, user and token.
    pub url: String,
    /// Whether it spreads keys over nodes, as serverless caches do.
    pub is_cluster: bool,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Endpoint(with a secret)")
    }
}

impl Discovery {
    /// A cache of this name; a serverless one or a replication group. With a user, connections are opened with IAM
    /// authentication.
    pub fn new(clients: &Clients, name: String, is_serverless: bool, user: Option<String>) -> Discovery {
        Discovery {
            client: clients.elasticache.clone(),
            config: clients.config.clone(),
            name,
            is_serverless,
            user,
        }
    }

    /// Asks where the cache is and makes a fresh token.
    ///
    /// # Errors
    /// When there is no such cache, it has no endpoint yet, or nothing can be signed.
    pub async fn find(&self) -> Result<Endpoint, HostError> {
        let (host, port, is_encrypted, is_cluster) = match self.is_serverless {
            true => self.serverless().await?,
            false => self.replication_group().await?,
        };
        let scheme = if is_encrypted { "rediss" } else { "redis" };
        let login = match &self.user {
            Some(user) => {
                let token = self.token(user, SystemClock.now()).await?;
                format!("{}:{}@", escaped(user), escaped(&token))
            }
            None => String::new(),
        };
        Ok(Endpoint {
            url: format!("{scheme}://{login}{host}:{port}"),
            is_cluster,
        })
    }

    async fn serverless(&self) -> Result<(String, i32, bool, bool), HostError> {
        let request = self
            .client
            .describe_serverless_caches()
            .serverless_cache_name(&self.name);
        let output = request
            .send()
            .await
            .map_err(|error| of_cache(Fault::of(&error)))?;
        let caches = output.serverless_caches.unwrap_or_default();
        let endpoint = caches.first().and_then(|cache| cache.endpoint());
        let found =
            endpoint.and_then(|endpoint| Some((endpoint.address.clone()?, endpoint.port.unwrap_or(6379))));
        let (host, port) = found.ok_or_else(|| self.not_there())?;
        Ok((host, port, true, true))
    }

    async fn replication_group(&self) -> Result<(String, i32, bool, bool), HostError> {
        let request = self
            .client
            .describe_replication_groups()
            .replication_group_id(&self.name);
        let output = request
            .send()
            .await
            .map_err(|error| of_cache(Fault::of(&error)))?;
        let groups = output.replication_groups.unwrap_or_default();
        let group = groups.first().ok_or_else(|| self.not_there())?;
        let is_encrypted = group.transit_encryption_enabled.unwrap_or(false);
        let of_cluster = group.configuration_endpoint();
        let of_primary = group
            .node_groups()
            .first()
            .and_then(|nodes| nodes.primary_endpoint());
        let endpoint = of_cluster.or(of_primary).ok_or_else(|| self.not_there())?;
        let host = endpoint.address.clone().ok_or_else(|| self.not_there())?;
        let port = endpoint.port.unwrap_or(6379);
        Ok((host, port, is_encrypted, of_cluster.is_some()))
    }

    fn not_there(&self) -> HostError {
        HostError {
            what: WHAT,
            detail: format!("'{}' has no endpoint yet (is it still being created?)", self.name),
        }
    }

    /// A signed request to connect, which the server takes for a password.
    async fn token(&self, user: &str, now: Timestamp) -> Result<String, HostError> {
        let wrong = |detail: String| HostError { what: WHAT, detail };
        let provider = self.config.credentials_provider();
        let provider = provider.ok_or_else(|| wrong("there are no credentials to sign with".to_owned()))?;
        let credentials = provider.provide_credentials().await;
        let identity = credentials.map_err(|error| wrong(error.to_string()))?.into();
        let region = self.config.region().map(ToString::to_string).unwrap_or_default();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(TOKEN_LIFE);
        let millis = u64::try_from(now.0).unwrap_or(0);
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&region)
            .name("elasticache")
            .time(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
            .settings(settings)
            .build()
            .map_err(|error| wrong(error.to_string()))?
            .into();
        let mut uri = format!("http://{}/?Action=connect&User={}", self.name, escaped(user));
        if self.is_serverless {
            uri.push_str("&ResourceType=ServerlessCache");
        }
        let request = SignableRequest::new("GET", &uri, std::iter::empty(), SignableBody::Bytes(&[]));
        let request = request.map_err(|error| wrong(error.to_string()))?;
        let signed = sign(request, &params).map_err(|error| wrong(error.to_string()))?;
        let (instructions, _) = signed.into_parts();
        for (name, value) in instructions.params() {
            uri.push_str(&format!("&{name}={}", escaped(value)));
        }
        Ok(uri.trim_start_matches("http://").to_owned())
    }
}

/// Percent-encoded.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use aws_config::Region;
    use aws_credential_types::Credentials;

    use super::*;
    use crate::meter::Meter;

    #[tokio::test]
    async fn a_token_is_a_signed_request_to_connect_as_one_user_to_one_cache() {
        let config = crate::clients::loader(crate::clients::new_connector())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "tests"))
            .load()
            .await;
        let clients = Clients::new(config, Meter::default());
        let discovery = Discovery::new(&clients, "results".to_owned(), true, None);
        let at = Timestamp(1_700_000_000_000);
        let token = discovery.token("functions", at).await.unwrap();
        let begin = "results/?Action=connect&User=functions&ResourceType=ServerlessCache&X-Amz-Algorithm=AWS4-HMAC-SHA256";
        assert!(token.starts_with(begin), "{token}");
        for part in [
            "X-Amz-Credential=id%2F20231114%2Feu-central-1%2Felasticache%2Faws4_request",
            "X-Amz-Expires=900",
            "X-Amz-SignedHeaders=host",
            "X-Amz-Signature=",
        ] {
            assert!(token.contains(part), "{part} in {token}");
        }
        let other = discovery.token("somebody", at).await.unwrap();
        assert_ne!(token.split("Signature=").nth(1), other.split("Signature=").nth(1));
    }
}
