//! Objects in S3: storing one, reading one, and asking whether there is one.
//!
//! The SDK's crate for S3 is left out: with its checksums of every kind it is half a megabyte of what is uploaded for a function, and
//! three calls without options are all that is needed. What is hard about a call stays the SDK's: credentials, signatures, tries,
//! time-outs, connections. A signature covers the body, so that nothing damaged is stored.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_http::label::{EncodingStrategy, fmt_string};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{AuthSchemeOptionResolverParams, SharedAuthScheme};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::service_config::ServiceConfigKey;

use crate::meter::{Counting, Meter, Service};

/// Makes clients of buckets; cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    config: SdkConfig,
    meter: Meter,
}

/// The objects of one bucket; cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket {
    name: String,
    /// What keys are put after: the bucket, where it is not in the name of the host.
    prefix: String,
    operation: Arc<Operation<Call, Vec<u8>, Refused>>,
}

/// What came instead of an answer.
pub type ObjectError = SdkError<Refused, HttpResponse>;

/// What S3 said when it did not do what it was asked.
#[derive(Debug)]
pub struct Refused(ErrorMetadata);

#[derive(Debug)]
struct Call {
    method: &'static str,
    path: String,
    body: Vec<u8>,
}

impl Objects {
    /// Counts its requests at `meter`.
    pub(crate) fn new(config: &SdkConfig, meter: &Meter) -> Objects {
        Objects {
            config: config.clone(),
            meter: meter.clone(),
        }
    }

    /// The objects of a bucket. Nothing is sent before they are asked for.
    pub fn bucket(&self, name: &str) -> Bucket {
        let (endpoint, prefix) = place(&self.config, name);
        Bucket {
            name: name.to_owned(),
            prefix,
            operation: Arc::new(self.operation(&endpoint)),
        }
    }

    fn operation(&self, endpoint: &str) -> Operation<Call, Vec<u8>, Refused> {
        let config = &self.config;
        let mut operation = Operation::builder()
            .service_name("S3")
            .operation_name("Object")
            .endpoint_url(endpoint)
            .standard_retry(config.retry_config().unwrap_or(&RetryConfig::standard()))
            .timeout_config(
                config
                    .timeout_config()
                    .cloned()
                    .unwrap_or_else(TimeoutConfig::disabled),
            )
            .retry_classifier(TransientErrorClassifier::<Refused>::new())
            .retry_classifier(AwsErrorCodeClassifier::<Refused>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .interceptor(Counting::new(&self.meter, Service::S3))
            .runtime_plugin(signing(config))
            .with_connection_poisoning();
        if let Some(version) = config.behavior_version() {
            operation = operation.behavior_version(version);
        }
        if let Some(client) = config.http_client() {
            operation = operation.http_client(client);
        }
        if let Some(sleep) = config.sleep_impl() {
            operation = operation.sleep_impl(sleep);
        }
        if let Some(time) = config.time_source() {
            operation = operation.time_source(time);
        }
        operation.serializer(request).deserializer(answer).build()
    }
}

impl Bucket {
    /// The bucket's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Stores an object.
    ///
    /// # Errors
    /// When it is not known to be stored.
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), ObjectError> {
        self.call("PUT", key, bytes).await.map(drop)
    }

    /// An object; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        match self.call("GET", key, Vec::new()).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether there is an object.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn exists(&self, key: &str) -> Result<bool, ObjectError> {
        match self.call("HEAD", key, Vec::new()).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(NOT_FOUND) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn call(&self, method: &'static str, key: &str, body: Vec<u8>) -> Result<Vec<u8>, ObjectError> {
        let path = format!("{}/{}", self.prefix, fmt_string(key, EncodingStrategy::Greedy));
        self.operation.invoke(Call { method, path, body }).await
    }
}

/// The address of a bucket, and what comes before keys there.
fn place(config: &SdkConfig, bucket: &str) -> (String, String) {
    let in_path = format!("/{bucket}");
    if let Some(endpoint) = configured(config) {
        // Emulators and private endpoints have no name per bucket.
        return (endpoint, in_path);
    }
    let region = config.region().map_or("us-east-1", |region| region.as_ref());
    let fips = if config.use_fips() == Some(true) {
        "-fips"
    } else {
        ""
    };
    let stack = if config.use_dual_stack() == Some(true) {
        ".dualstack"
    } else {
        ""
    };
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    let host = format!("s3{fips}{stack}.{region}.amazonaws.com{china}");
    match bucket.contains('.') {
        // Certificates are for one label before the host.
        true => (format!("https://{host}"), in_path),
        false => (format!("https://{bucket}.{host}"), String::new()),
    }
}

/// The endpoint that the environment or the profile names, the one for S3 first, as the SDK's clients look for it.
fn configured(config: &SdkConfig) -> Option<String> {
    let any = config.endpoint_url().map(str::to_owned);
    if config.get_origin("endpoint_url").is_client_config() {
        return any;
    }
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .expect("all three parts are set");
    let of_s3 = config
        .service_config()
        .and_then(|service| service.load_config(key));
    of_s3.or(any)
}

/// Signatures as S3 wants them: of the body, and of the path as it is.
fn signing(config: &SdkConfig) -> StaticRuntimePlugin {
    let mut options = SigningOptions::default();
    options.double_uri_encode = false;
    options.normalize_uri_path = false;
    options.content_sha256_header = true;
    let mut layer = Layer::new("signing");
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig {
        region: config.region().cloned().map(SigningRegion::from),
        region_set: None,
        name: Some(SigningName::from_static("s3")),
        signing_options: options,
    });
    let mut components = RuntimeComponentsBuilder::new("signing")
        .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
        .with_identity_cache(config.identity_cache());
    if let Some(credentials) = config.credentials_provider() {
        components.set_identity_resolver(SCHEME_ID, credentials);
    }
    StaticRuntimePlugin::new()
        .with_config(layer.freeze())
        .with_runtime_components(components)
}

fn request(call: Call) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(call.body));
    request.set_method(call.method)?;
    request.set_uri(call.path)?;
    Ok(request)
}

/// What an answer without a body of its own, to `HEAD`, means.
const NOT_FOUND: &str = "NotFound";

fn answer(response: &HttpResponse) -> Result<Vec<u8>, OrchestratorError<Refused>> {
    let body = response.body().bytes().unwrap_or_default();
    let status = response.status();
    if status.is_success() {
        return Ok(body.to_vec());
    }
    let text = String::from_utf8_lossy(body);
    let code = match (element(&text, "Code"), status.as_u16()) {
        (Some(code), _) => code.to_owned(),
        (None, 404) => NOT_FOUND.to_owned(),
        (None, status) => format!("status {status}"),
    };
    let message = element(&text, "Message").unwrap_or_default();
    let refused = ErrorMetadata::builder().code(code).message(message).build();
    Err(OrchestratorError::operation(Refused(refused)))
}

/// The text of the first element of this name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

impl ProvideErrorMetadata for Refused {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Refused {}

#[cfg(test)]
mod tests {
    use aws_config::Region;

    use super::*;

    #[test]
    fn a_bucket_is_in_the_name_of_its_host_unless_an_endpoint_is_named() {
        let place = |region: &'static str, fips: bool, endpoint: Option<&str>, bucket: &str| {
            let mut config = SdkConfig::builder()
                .region(Region::from_static(region))
                .use_fips(fips);
            config.set_endpoint_url(endpoint.map(str::to_owned));
            super::place(&config.build(), bucket)
        };
        let table = [
            (
                ("us-east-1", false, None, "b"),
                ("https://b.s3.us-east-1.amazonaws.com", ""),
            ),
            (
                ("us-east-1", true, None, "b"),
                ("https://b.s3-fips.us-east-1.amazonaws.com", ""),
            ),
            (
                ("cn-north-1", false, None, "b"),
                ("https://b.s3.cn-north-1.amazonaws.com.cn", ""),
            ),
            (
                ("eu-west-1", false, None, "b.c"),
                ("https://s3.eu-west-1.amazonaws.com", "/b.c"),
            ),
            (
                ("eu-west-1", false, Some("http://[::1]:1"), "b"),
                ("http://[::1]:1", "/b"),
            ),
        ];
        for ((region, fips, endpoint, bucket), (host, prefix)) in table {
            assert_eq!(
                place(region, fips, endpoint, bucket),
                (host.to_owned(), prefix.to_owned())
            );
        }
    }

    #[test]
    fn elements_are_found_or_not() {
        let xml = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message/></Error>";
        assert_eq!(element(xml, "Code"), Some("SlowDown"));
        assert_eq!((element(xml, "Message"), element("<Code>", "Code")), (None, None));
    }
}
