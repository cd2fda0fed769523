//! The SDK's clients: built once per process, over one connection pool and one TLS stack.

use std::sync::OnceLock;
use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

pub use aws_config::SdkConfig;

use crate::meter::{Counting, Meter, Service};
use crate::objects::Objects;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for an answer by anybody; the clients give up earlier.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// With all attempts; below the shortest visibility time-out a queue should have.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);
/// Tries of one call by the SDK, for throttling and lost connections.
const ATTEMPTS_MAX: u32 = 4;

static CONNECTOR: OnceLock<SharedHttpConnector> = OnceLock::new();

/// The connection pool of this process, for everything that speaks HTTP: the SDK's clients, exporters of traces.
pub fn connector() -> SharedHttpConnector {
    CONNECTOR.get_or_init(new_connector).clone()
}

/// A connection pool. Its connections belong to the runtime that uses it first: a process with several needs several.
pub fn new_connector() -> SharedHttpConnector {
    connector_reading_for(READ_TIMEOUT)
}

/// A connection pool for a service that may take this long to begin with its answer.
pub fn connector_reading_for(read_timeout: Duration) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(read_timeout)
        .build();
    let connector = Connector::builder()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        .build();
    SharedHttpConnector::new(connector)
}

/// Credentials, region and endpoints from the standard chain (`AWS_ENDPOINT_URL*` included), with this crate's time-outs.
pub async fn sdk_config() -> SdkConfig {
    loader(connector()).load().await
}

/// The same before anything is looked up, for callers that know credentials or an endpoint.
pub fn loader(connector: SharedHttpConnector) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(OPERATION_TIMEOUT)
                .build(),
        )
}

/// One client per service; cheap to clone.
#[derive(Debug, Clone)]
pub struct Clients {
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// EventBridge.
    pub eventbridge: aws_sdk_eventbridge::Client,
    /// Batch.
    pub batch: aws_sdk_batch::Client,
    /// S3.
    pub objects: Objects,
    /// ElastiCache, to find a cache's endpoint.
    pub elasticache: aws_sdk_elasticache::Client,
    /// Counts what the clients do.
    pub meter: Meter,
    /// What they were made from.
    pub config: SdkConfig,
}

impl Clients {
    /// Makes the clients. Nothing is sent before they are used.
    pub fn new(config: SdkConfig, meter: Meter) -> Clients {
        macro_rules! client {
            ($sdk:ident, $service:ident) => {
                $sdk::Client::from_conf(
                    $sdk::config::Builder::from(&config)
                        .interceptor(Counting::new(&meter, Service::$service))
                        .build(),
                )
            };
        }
        Clients {
            dynamodb: client!(aws_sdk_dynamodb, DynamoDb),
            sqs: client!(aws_sdk_sqs, Sqs),
            eventbridge: client!(aws_sdk_eventbridge, EventBridge),
            batch: client!(aws_sdk_batch, Batch),
            objects: Objects::new(&config, &meter),
            elasticache: client!(aws_sdk_elasticache, ElastiCache),
            meter,
            config,
        }
    }
}
