//! Requests of the HTTP API: the engine's own API, and the console's pages, behind API Gateway.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::ACCEPT;
use http::request::Parts;
use orchestrator_aws::backend::{AwsBackend, Place};
use orchestrator_aws::messages::send::TRACEPARENT;
use orchestrator_aws::translations::{self, ApiTranslator};
use orchestrator_console::{Console, Live};
use orchestrator_engine::api::response::Answer;
use orchestrator_engine::api::route::{self, Operation};
use orchestrator_engine::api::{Access, Code, Problem, handle, response, take_back};
use orchestrator_engine::trace::Context;
use orchestrator_translate::Translator;

use crate::gateway::{GatewayAnswer, GatewayRequest};
use crate::identity::Identities;
use crate::start::Function;

/// What answers requests.
#[derive(Debug, Clone)]
pub struct Api {
    backend: AwsBackend<ApiTranslator>,
    identities: Identities,
    operations: Operations,
    /// The pages for browsers, where they are wanted.
    console: Option<(Arc<Console>, Pages)>,
}

/// Carries out an operation. A function comes with those it asks for: what it does not ask for need not be uploaded.
type Operations = for<'a> fn(
    &'a AwsBackend<ApiTranslator>,
    &'a Access,
    Request<Bytes>,
) -> Pin<Box<dyn Future<Output = Answer> + 'a>>;

/// Answers with a page; the same.
type Pages = for<'a> fn(
    &'a Console,
    &'a AwsBackend<ApiTranslator>,
    &'a Access,
    Request<Bytes>,
) -> Pin<Box<dyn Future<Output = Answer> + 'a>>;

/// The deployment behind the API, with whoever translates.
pub(crate) fn backend<T: Translator>(function: &Function, translator: T) -> AwsBackend<T> {
    let place = Place {
        translations_queue: function.config.translations_queue.clone(),
        service_name: function.telemetry.service_name.clone(),
    };
    let desk = translations::desk(&function.engine, &function.translation, translator);
    AwsBackend::new(function.engine.clone(), function.intake.clone(), desk, place)
}

impl Api {
    /// All operations.
    pub fn new(function: &Function) -> Api {
        Api::with(function, |backend, access, request| {
            Box::pin(handle(backend, access, request))
        })
    }

    /// Only the operations that take runs back; there is nothing under the others' paths.
    pub fn taking_back(function: &Function) -> Api {
        Api::with(function, |backend, access, request| {
            Box::pin(take_back(backend, access, request))
        })
    }

    fn with(function: &Function, operations: Operations) -> Api {
        Api {
            backend: backend(function, ApiTranslator::of(&function.translation)),
            identities: Identities::from_env(),
            operations,
            console: None,
        }
    }

    /// With the console's pages.
    pub fn with_console(mut self) -> Api {
        // API Gateway does not stream: pages ask again.
        let console = Arc::new(Console::new(Live::Poll));
        // On the heap: the futures of all pages, one in the other, are a type too deep for the compiler.
        self.console = Some((console, |console, backend, access, request| {
            Box::pin(orchestrator_console::handle(console, backend, access, request))
        }));
        self
    }

    /// Answers a request. Never fails: whatever goes wrong is an answer too.
    ///
    /// The request is part of its invocation, which is part of whatever the request says it is part of.
    pub async fn answer(&self, mut request: GatewayRequest, invocation: Option<Context>) -> GatewayAnswer {
        if let Some(context) = invocation {
            let headers = &mut request.headers;
            headers.retain(|name, _| !name.eq_ignore_ascii_case(TRACEPARENT));
            headers.insert(TRACEPARENT.to_owned(), context.traceparent());
        }
        let authorizer = request.request_context.authorizer.as_ref();
        let access = Access::known(self.identities.caller(authorizer));
        let answer = match request.into_http() {
            Err(detail) => response::problem(&Problem::new(Code::Malformed, detail)),
            Ok(request) => self.dispatch(&access, request).await,
        };
        self.backend.count_translations();
        GatewayAnswer::of(answer)
    }

    async fn dispatch(&self, access: &Access, request: Request<Bytes>) -> Answer {
        let (parts, body) = request.into_parts();
        if let Some((console, pages)) = &self.console
            && orchestrator_console::is_for(&parts)
        {
            return pages(console, &self.backend, access, Request::from_parts(parts, body)).await;
        }
        if wants_stream(&parts) {
            let detail = "API Gateway does not stream (ask for application/json again and again, with ?after= the last 'next_after')";
            return response::problem(&Problem::new(Code::Unsupported, detail));
        }
        (self.operations)(&self.backend, access, Request::from_parts(parts, body)).await
    }
}

fn wants_stream(parts: &Parts) -> bool {
    let accept = parts.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    // Unknown paths and methods are the API's own affair.
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
        && route::find(&parts.method, parts.uri.path())
            .is_ok_and(|matched| matched.route.operation == Operation::ListEvents)
}
