//! Objects: what is stored comes back, refusals are told apart, and signatures are those another implementation makes.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use emulator::PACKAGES;
use orchestrator_aws::clients::Clients;
use orchestrator_aws::fault::{Fault, Kind};
use orchestrator_aws::meter::Meter;
use orchestrator_aws::objects::Bucket;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::world::World;

const REGION: &str = "eu-central-1";
/// Of one call.
const TRIES: u32 = 4;
/// Letters that have to be written otherwise in addresses, and some that must not be.
const ODD_KEY: &str = "config/Größe 1+2=3 (100%)~a_b-c.yaml";
/// Reads what was sent and signs the same again.
const SIGN: &str = "
import json, sys
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
sent = json.load(sys.stdin)
auth = S3SigV4Auth(Credentials('AKID', 'secret', 'token'), 's3', sent['region'])
request = AWSRequest(sent['method'], sent['url'], sent['headers'], b'')
request.context['timestamp'] = sent['headers']['x-amz-date']
print(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))
";

#[tokio::test]
async fn what_is_stored_comes_back() {
    let world = World::new().await;
    let name = world.config.bucket.as_deref().expect("a bucket");
    let bucket = world.clients.objects.bucket(name);
    let large = vec![b'x'; 1_200_000];
    for (key, bytes) in [
        ("empty", Vec::new()),
        ("blobs/large", large),
        (ODD_KEY, b"a: b".to_vec()),
    ] {
        assert!(!bucket.exists(key).await.expect("an answer"), "{key}");
        assert_eq!(bucket.get(key).await.expect("an answer"), None, "{key}");
        bucket.put(key, bytes.clone()).await.expect("stored");
        assert!(bucket.exists(key).await.expect("an answer"), "{key}");
        assert!(bucket.get(key).await.expect("an answer") == Some(bytes), "{key}");
    }
    let other = world.clients.objects.bucket("no-such-bucket-anywhere");
    let fault = Fault::of(&other.get("a").await.expect_err("there is no such bucket"));
    assert_eq!(fault.kind, Kind::Fatal);
    assert!(fault.detail.starts_with("NoSuchBucket: "), "{}", fault.detail);
}

#[tokio::test]
async fn refusals_are_told_apart_and_passing_ones_tried_again() {
    let answers = |answers: &[(u16, &str)]| {
        let body = |code: &str| match code {
            "" => String::new(),
            code => format!(
                "<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>so it is</Message></Error>"
            ),
        };
        let answers = answers.iter().rev().map(|(status, code)| (*status, body(code)));
        Service::new(answers.collect())
    };
    let busy = answers(&[(503, "SlowDown"), (500, "InternalError"), (200, "")]);
    let bucket = busy.bucket("bucket");
    bucket
        .put("key", b"text".to_vec())
        .await
        .expect("stored at the third try");
    let sent = busy.sent();
    assert_eq!(sent.len(), 3);
    assert!(
        sent.iter().all(|sent| sent.body == b"text"),
        "the whole body every time"
    );

    for (status, code, kind, tries) in [
        (403, "AccessDenied", Kind::Fatal, 1),
        (404, "NoSuchBucket", Kind::Fatal, 1),
        (503, "SlowDown", Kind::Throttled, 4),
        (500, "InternalError", Kind::Transient, 4),
    ] {
        let service = answers(&[(status, code); 4]);
        let error = service.bucket("bucket").get("key").await.expect_err("refused");
        assert_eq!(
            Fault::of(&error),
            Fault {
                kind,
                detail: format!("{code}: so it is")
            }
        );
        assert_eq!(service.sent().len(), tries, "{code}");
    }
}

#[tokio::test]
async fn signatures_are_those_of_another_implementation() {
    let service = Service::new(Vec::new());
    for name in ["bucket", "bucket.with.dots"] {
        let bucket = service.bucket(name);
        bucket.put(ODD_KEY, b"a: b".to_vec()).await.expect("an answer");
        bucket.get("payloads/a b.json").await.expect("an answer");
        bucket.exists("x").await.expect("an answer");
    }
    let sent = service.sent();
    let hosts: Vec<&str> = sent.iter().step_by(3).map(|sent| &*sent.url).collect();
    let odd = "config/Gr%C3%B6%C3%9Fe%201%2B2%3D3%20%28100%25%29~a_b-c.yaml";
    assert_eq!(
        hosts,
        [
            format!("https://bucket.s3.{REGION}.amazonaws.com/{odd}"),
            format!("https://s3.{REGION}.amazonaws.com/bucket.with.dots/{odd}"),
        ]
    );
    for sent in sent {
        let (rest, signature) = sent.authorization.rsplit_once("Signature=").expect("a signature");
        assert!(
            rest.contains("host;x-amz-content-sha256;x-amz-date;x-amz-security-token"),
            "{rest}"
        );
        assert_eq!(sent.headers["x-amz-content-sha256"], hex(&sent.body));
        assert_eq!(signature, sent.signed_again(), "{sent:?}");
    }
}

fn hex(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Keeps what is sent to it, and answers with what is left to be answered, last first, and then with success.
#[derive(Debug, Clone)]
struct Service(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    answers: Vec<(u16, String)>,
    sent: Vec<Sent>,
}

#[derive(Debug, Clone)]
struct Sent {
    method: String,
    url: String,
    authorization: String,
    /// Those that are signed.
    headers: Value,
    body: Vec<u8>,
}

impl Service {
    fn new(answers: Vec<(u16, String)>) -> Service {
        let sent = Vec::new();
        Service(Arc::new(Mutex::new(Kept { answers, sent })))
    }

    fn bucket(&self, name: &str) -> Bucket {
        let credentials = Credentials::new("AKID", "secret", Some("token".to_owned()), None, "tests");
        let connector = SharedHttpConnector::new(self.clone());
        // Not from the environment, which names the emulator.
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        Clients::new(config.build(), Meter::default())
            .objects
            .bucket(name)
    }

    fn sent(&self) -> Vec<Sent> {
        self.0.lock().expect("no panic").sent.clone()
    }
}

impl HttpConnector for Service {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut kept = self.0.lock().expect("no panic");
        kept.sent.push(Sent::from(&request));
        let (status, body) = kept.answers.pop().unwrap_or((200, String::new()));
        let status = StatusCode::try_from(status).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}

impl From<&HttpRequest> for Sent {
    fn from(request: &HttpRequest) -> Sent {
        let header = |name: &str| request.headers().get(name).unwrap_or_default().to_owned();
        let authorization = header("authorization");
        let signed = authorization
            .split_once("SignedHeaders=")
            .and_then(|(_, rest)| rest.split_once(','))
            .map_or("", |(names, _)| names)
            .to_owned();
        let signed = signed.split(';').filter(|name| *name != "host");
        Sent {
            method: request.method().to_owned(),
            url: request.uri().to_owned(),
            headers: signed
                .map(|name| (name.to_owned(), json!(header(name))))
                .collect(),
            body: request.body().bytes().expect("a body in memory").to_vec(),
            authorization,
        }
    }
}

impl Sent {
    /// What botocore makes of the same request.
    fn signed_again(&self) -> String {
        let request =
            json!({"method": self.method, "url": self.url, "headers": self.headers, "region": REGION});
        let mut python = Command::new(PACKAGES.python().expect("the packages"));
        let python = python
            .args(["-c", SIGN])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut python = python.spawn().expect("Python");
        let mut stdin = python.stdin.take().expect("a pipe");
        stdin.write_all(request.to_string().as_bytes()).expect("a reader");
        drop(stdin);
        let output = python.wait_with_output().expect("its output");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }
}
