//! The routing table: every path, once.

use std::borrow::Cow;

use http::Method;

/// One route.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path; `{name}` stands for one segment.
    pub path: &'static str,
    /// What it does.
    pub operation: Operation,
    /// In a few words, for documents.
    pub summary: &'static str,
    /// Whether it can be asked without a token.
    pub is_open: bool,
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the summaries in the table say it")]
pub enum Operation {
    SubmitWorkflow,
    TranslateText,
    SuggestWorkflow,
    GetTranslation,
    ListAgents,
    ClearCache,
    ListRuns,
    GetRun,
    SetPriority,
    ListEvents,
    GetTrace,
    CancelRun,
    PauseRun,
    ResumeRun,
    RetryRun,
    RollbackRun,
    ListRollbacks,
    GetTask,
    ExplainTask,
    GetLogs,
    ApproveTask,
    RejectTask,
    RerunTask,
    ReportEvent,
    ExplainPolicy,
    ListPools,
    GetStats,
    GetMetrics,
    GetSla,
    GetHealth,
    GetOpenApi,
}

impl Operation {
    /// Whether it takes a run back or does something of it again.
    pub fn takes_back(self) -> bool {
        use Operation::{RerunTask, RetryRun, RollbackRun};
        matches!(self, RollbackRun | RetryRun | RerunTask)
    }
}

const fn route(method: Method, path: &'static str, operation: Operation, summary: &'static str) -> Route {
    Route {
        method,
        path,
        operation,
        summary,
        is_open: false,
    }
}

const fn open(method: Method, path: &'static str, operation: Operation, summary: &'static str) -> Route {
    Route {
        method,
        path,
        operation,
        summary,
        is_open: true,
    }
}

/// Every route.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    route(Method::POST,  "/workflows",                          Operation::SubmitWorkflow, "Start a run, or plan one"),
    route(Method::POST,  "/workflows/translate",                Operation::TranslateText,  "Translate a text into a workflow, later"),
    route(Method::POST,  "/workflows/suggest",                  Operation::SuggestWorkflow, "What could be asked for"),
    route(Method::GET,   "/translation/{token}",                Operation::GetTranslation, "A translation, and how far it has come"),
    route(Method::GET,   "/agents",                             Operation::ListAgents,     "The agents and what they can do"),
    route(Method::POST,  "/cache/clear",                        Operation::ClearCache,     "Forget remembered translations"),
    route(Method::GET,   "/runs",                               Operation::ListRuns,       "List runs, newest first"),
    route(Method::GET,   "/runs/{run}",                         Operation::GetRun,         "One run with its tasks"),
    route(Method::PATCH, "/runs/{run}",                         Operation::SetPriority,    "Change the priority of a run"),
    route(Method::GET,   "/runs/{run}/events",                  Operation::ListEvents,     "The history of a run, or a stream of it"),
    route(Method::GET,   "/runs/{run}/trace",                   Operation::GetTrace,       "Where the time of a run went"),
    route(Method::POST,  "/runs/{run}/cancel",                  Operation::CancelRun,      "End a run"),
    route(Method::POST,  "/runs/{run}/pause",                   Operation::PauseRun,       "Decide nothing new"),
    route(Method::POST,  "/runs/{run}/resume",                  Operation::ResumeRun,      "Go on deciding"),
    route(Method::POST,  "/runs/{run}/retry",                   Operation::RetryRun,       "Start a failed or cancelled run again from where it failed"),
    route(Method::POST,  "/runs/{run}/rollback",                Operation::RollbackRun,    "Take tasks and everything downstream of them back, or say what that would do"),
    route(Method::GET,   "/runs/{run}/rollbacks",               Operation::ListRollbacks,  "The rollbacks of a run, with what each did"),
    route(Method::GET,   "/runs/{run}/tasks/{task}",            Operation::GetTask,        "One task with everything known about it"),
    route(Method::GET,   "/runs/{run}/tasks/{task}/explain",    Operation::ExplainTask,    "Why it ran there, waits, was skipped or failed"),
    route(Method::GET,   "/runs/{run}/tasks/{task}/logs",       Operation::GetLogs,        "What its agent printed"),
    route(Method::POST,  "/runs/{run}/tasks/{task}/approve",    Operation::ApproveTask,    "Let a held task run"),
    route(Method::POST,  "/runs/{run}/tasks/{task}/reject",     Operation::RejectTask,     "Fail a held task"),
    route(Method::POST,  "/runs/{run}/tasks/{task}/rerun",      Operation::RerunTask,      "Do a task and everything downstream of it again"),
    open (Method::POST,  "/runs/{run}/tasks/{task}/events",     Operation::ReportEvent,    "Report from an agent, with its task token"),
    route(Method::POST,  "/policy/explain",                     Operation::ExplainPolicy,  "What the policy would choose for each task of a workflow, and how"),
    route(Method::GET,   "/pools",                              Operation::ListPools,      "Pools, with who holds their slots and who waits"),
    route(Method::GET,   "/stats",                              Operation::GetStats,       "What the host has done so far"),
    route(Method::GET,   "/metrics",                            Operation::GetMetrics,     "The same numbers in the text format of Prometheus"),
    route(Method::GET,   "/sla",                                Operation::GetSla,         "What is late, what may become late, and how long tasks take"),
    open (Method::GET,   "/healthz",                            Operation::GetHealth,      "Whether the server answers"),
    open (Method::GET,   "/openapi.json",                       Operation::GetOpenApi,     "This API as an OpenAPI 3.1 document"),
];

/// A route with the segments its path stands for, decoded.
#[derive(Debug)]
pub struct Matched<'a> {
    /// The route.
    pub route: &'static Route,
    segments: Vec<Cow<'a, str>>,
}

impl Matched<'_> {
    /// The segment at `{run}` or `{token}`.
    pub fn run(&self) -> &str {
        self.segments.first().map_or("", |segment| segment)
    }

    /// The segment at `{task}`.
    pub fn task(&self) -> &str {
        self.segments.get(1).map_or("", |segment| segment)
    }
}

/// Why no route matches.
#[derive(Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// No route has this path.
    Path,
    /// The path has these methods only.
    Method(Vec<Method>),
}

/// Finds the route of a request. `HEAD` counts as `GET`.
///
/// # Errors
/// When there is none.
pub fn find<'a>(method: &Method, path: &'a str) -> Result<Matched<'a>, Mismatch> {
    let method = if *method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let mut others = Vec::new();
    for route in ROUTES {
        let Some(segments) = matches(route.path, path) else {
            continue;
        };
        if route.method == *method {
            return Ok(Matched { route, segments });
        }
        others.push(route.method.clone());
    }
    match others.is_empty() {
        true => Err(Mismatch::Path),
        false => Err(Mismatch::Method(others)),
    }
}

fn matches<'a>(pattern: &str, path: &'a str) -> Option<Vec<Cow<'a, str>>> {
    let mut captured = Vec::new();
    let mut segments = path.strip_prefix('/')?.split('/');
    for expected in pattern.trim_start_matches('/').split('/') {
        let segment = segments.next()?;
        if expected.starts_with('{') {
            captured.push(decode(segment).filter(|segment| !segment.is_empty())?);
        } else if expected != segment {
            return None;
        }
    }
    segments.next().is_none().then_some(captured)
}

/// Undoes percent-encoding; `None` when the result is not UTF-8.
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| first == b'%').and_then(|digits| {
            let digits = std::str::from_utf8(digits)
                .ok()
                .filter(|digits| !digits.starts_with('+'))?;
            u8::from_str_radix(digits, 16).ok()
        });
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// Percent-encodes everything in a path segment or a parameter that could mean something else.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte))
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_finds_itself() {
        for route in ROUTES {
            let path = route
                .path
                .replace("{run}", "R")
                .replace("{task}", "a%5B0%5D")
                .replace("{token}", "T");
            let matched = find(&route.method, &path).unwrap();
            assert_eq!(matched.route.operation, route.operation, "{path}");
            if route.path.contains("{task}") {
                assert_eq!((matched.run(), matched.task()), ("R", "a[0]"));
            }
        }
    }

    #[test]
    fn other_paths_and_methods_are_told_apart() {
        for path in [
            "",
            "/",
            "//",
            "/runs/",
            "/runs//events",
            "/runs/R/tasks",
            "/runs/../etc",
            "/Runs",
            "/runs/%ff",
        ] {
            let found = find(&Method::GET, path);
            assert!(matches!(found, Err(Mismatch::Path)), "{path}: {found:?}");
        }
        assert_eq!(
            find(&Method::DELETE, "/runs/R").unwrap_err(),
            Mismatch::Method(vec![Method::GET, Method::PATCH])
        );
        assert_eq!(
            find(&Method::HEAD, "/healthz").unwrap().route.operation,
            Operation::GetHealth
        );
        assert_eq!(find(&Method::GET, "/runs/%2e%2e%2fetc").unwrap().run(), "../etc");
    }
}
