//! A request of somebody who may come in, and what its pages ask of the host.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, header};
use orchestrator_core::run::RunState;
use orchestrator_engine::api::{Access, Backend, Caller, Code, Problem, REQUEST_ID, handle, runs};
use orchestrator_engine::views::RunView;
use orchestrator_engine::views::run::TaskPage;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::form::Fields;
use crate::serve::{Console, Live};

/// The view of a run without its tasks.
pub const NO_TASKS: TaskPage = TaskPage {
    after: 0,
    limit: 0,
    items: false,
};

/// A request on its way to its page.
pub struct Visit<'a, B> {
    pub console: &'a Console,
    pub backend: &'a B,
    /// Lets the caller ask the API.
    pub access: Access,
    pub caller: Caller,
    pub parts: &'a Parts,
    /// Parameters of the address.
    pub query: Fields,
    /// Fields of the form, when one was sent.
    pub form: Fields,
}

impl<B: Backend> Visit<'_, B> {
    /// Asks the API on behalf of the caller.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, Problem> {
        let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let mut request = Request::new(bytes);
        *request.method_mut() = method;
        *request.uri_mut() = path
            .parse()
            .map_err(|error| Problem::new(Code::NoRoute, format!("'{path}' is no address: {error}")))?;
        let headers = request.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        for name in [REQUEST_ID, HeaderName::from_static("traceparent")] {
            if let Some(value) = self.parts.headers.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        // On the heap: it is large, and every page has several.
        let answer = Box::pin(handle(self.backend, &self.access, request)).await;
        let unreadable = |error: serde_json::Error| {
            Problem::new(
                Code::Corrupt,
                format!("the answer of the API cannot be read: {error}"),
            )
        };
        match answer.status().is_success() {
            true => serde_json::from_slice(answer.body()).map_err(unreadable),
            false => Err(serde_json::from_slice(answer.body()).unwrap_or_else(unreadable)),
        }
    }

    /// Asks the API for something.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Problem> {
        self.ask(Method::GET, path, None).await
    }

    /// A run without its tasks, and whatever else `see` sees of it at the same moment.
    pub async fn run<T: Send + 'static>(
        &self,
        run: &str,
        see: impl FnOnce(&RunState) -> T + Send + 'static,
    ) -> Result<(RunView, T), Problem> {
        let now = self.backend.now();
        let look = move |state: &RunState, seq: u64| (RunView::of(state, seq, NO_TASKS, now), see(state));
        runs::look_at(self.backend, &self.caller, run, look).await
    }

    /// Whether the caller sees the runs of all clients.
    pub fn is_operator(&self) -> bool {
        self.caller.need_operator().is_ok()
    }

    /// How a page stays up to date: with a run, or with all runs.
    pub fn live(&self, run: Option<orchestrator_core::ids::RunId>) -> String {
        match (self.console.live, run) {
            (Live::Stream, Some(run)) => format!("/ui/live?run={run}"),
            // Others would learn when somebody else's runs change.
            (Live::Stream, None) if self.is_operator() => "/ui/live".to_owned(),
            _ => "poll".to_owned(),
        }
    }
}
