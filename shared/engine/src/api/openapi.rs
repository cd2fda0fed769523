//! The API as an OpenAPI 3.1 document, made from the routing table and from the types of the bodies. `docs/openapi.json` is
//! this text; a test compares the two.

use std::sync::OnceLock;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::backend::Stats;
use super::operations::OperationBody;
use super::problem::{Code, Problem};
use super::reports::{ReportBody, Reported};
use super::rollbacks::RollbackBody;
use super::route::{Operation, ROUTES, Route};
use super::submission::SubmissionBody;
use super::system::ClearedView;
use super::tasks::LogsView;
use super::translations::TextBody;
use super::workflows::SubmittedView;
use crate::views::{
    AgentList, EventPage, ExplainView, PlanView, PoolList, ProposalView, RollbackAnswer, RollbackList,
    RunList, RunSummaryView, RunView, SlaView, SuggestionList, TaskDetail, TaskView, TraceView,
    TranslationAccepted, TranslationView,
};

/// The document, indented JSON with a line break at its end.
pub fn document() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let mut text = serde_json::to_string_pretty(&build()).expect("a document is plain data");
        text.push('\n');
        text
    })
}

fn build() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = SchemaGenerator::new(settings);
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let entry = paths.entry(route.path).or_insert_with(|| json!({}));
        entry[route.method.as_str().to_ascii_lowercase()] = operation(route, &mut generator);
    }
    let problem = generator.subschema_for::<Problem>();
    let schemas = generator.take_definitions(true);
    let codes: Vec<Value> = Code::ALL
        .iter()
        .map(|code| json!({"code": code.as_str(), "status": code.status().as_u16(), "title": code.title()}))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Master Orchestrator",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Runs workflows of agents: submit, watch, explain, operate.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8080"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {"Problem": {
                "description": "An error; see x-problem-codes.",
                "content": {"application/problem+json": {"schema": problem}},
            }},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}, {}],
        "x-problem-codes": codes,
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let Described {
        query,
        body,
        answers,
        headers,
    } = describe(route.operation, generator);
    let mut parameters = Vec::new();
    for name in ["run", "task", "token"] {
        if route.path.contains(&format!("{{{name}}}")) {
            parameters
                .push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
        }
    }
    for (name, kind, text) in query {
        let schema = json!({"type": kind});
        parameters.push(json!({"name": name, "in": "query", "description": text, "schema": schema}));
    }
    for (name, text) in headers {
        let schema = json!({"type": "string"});
        parameters.push(json!({"name": name, "in": "header", "description": text, "schema": schema}));
    }
    let mut responses = Map::new();
    for (status, text, content) in answers {
        let mut response = json!({"description": text});
        if !content.is_empty() {
            response["content"] = Value::Object(content);
        }
        responses.insert(status.to_string(), response);
    }
    responses.insert(
        "default".to_owned(),
        json!({"$ref": "#/components/responses/Problem"}),
    );
    let mut operation = json!({
        "operationId": lower_first(&format!("{:?}", route.operation)),
        "summary": route.summary,
        "responses": responses,
    });
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    if route.is_open {
        operation["security"] = json!([]);
    }
    operation
}

#[derive(Default)]
struct Described {
    query: Vec<(&'static str, &'static str, &'static str)>,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<Value>,
    answers: Vec<(u16, &'static str, Map<String, Value>)>,
}

impl Described {
    fn answer<T: JsonSchema>(generator: &mut SchemaGenerator, status: u16, text: &'static str) -> Described {
        Described {
            answers: vec![(status, text, as_json::<T>(generator))],
            ..Described::default()
        }
    }

    fn and<T: JsonSchema>(
        mut self,
        generator: &mut SchemaGenerator,
        status: u16,
        text: &'static str,
    ) -> Described {
        self.answers.push((status, text, as_json::<T>(generator)));
        self
    }

    fn query(mut self, name: &'static str, kind: &'static str, text: &'static str) -> Described {
        self.query.push((name, kind, text));
        self
    }

    fn header(mut self, name: &'static str, text: &'static str) -> Described {
        self.headers.push((name, text));
        self
    }

    fn body(mut self, body: Value) -> Described {
        self.body = Some(body);
        self
    }
}

fn describe(operation: Operation, generator: &mut SchemaGenerator) -> Described {
    let g = generator;
    match operation {
        Operation::SubmitWorkflow => submission(g),
        Operation::TranslateText => {
            let body = json_body::<TextBody>(g, true);
            Described::answer::<TranslationAccepted>(
                g,
                202,
                "It will be translated; Location says where to ask.",
            )
            .body(body)
        }
        Operation::SuggestWorkflow => {
            let body = json_body::<TextBody>(g, false);
            Described::answer::<SuggestionList>(g, 200, "The nearest first.").body(body)
        }
        Operation::GetTranslation => Described::answer::<TranslationView>(g, 200, "The translation."),
        Operation::ListAgents => Described::answer::<AgentList>(g, 200, "The agents."),
        Operation::ClearCache => Described::answer::<ClearedView>(g, 200, "What was forgotten."),
        Operation::ExplainPolicy => {
            Described::answer::<PlanView>(g, 200, "The plan, with how each choice came about.")
                .query("task", "string", "only this task")
                .body(document_body(g))
        }
        Operation::ListRuns => Described::answer::<RunList>(g, 200, "A page of runs.")
            .query("status", "string", "one or more states, separated by commas")
            .query("client", "string", "submitted by this client")
            .query("workflow", "string", "of the workflow with this name")
            .query("limit", "integer", "1 to 999; default 50")
            .query("cursor", "string", "next_cursor of the page before"),
        Operation::GetRun => Described::answer::<RunView>(g, 200, "The run.")
            .query(
                "tasks_after",
                "integer",
                "tasks to pass over: tasks_next of the page before",
            )
            .query("tasks_limit", "integer", "0 to 10000; default 1000")
            .query("items", "boolean", "with the items of for_each tasks"),
        Operation::ListEvents => {
            let stream = json!({"schema": {"type": "string"}});
            let mut described =
                Described::answer::<EventPage>(g, 200, "A page of events, or a stream of them.")
                    .query(
                        "after",
                        "integer",
                        "events of later appends only: next_after of the page before",
                    )
                    .query("limit", "integer", "1 to 10000; default 1000")
                    .header("Accept", "text/event-stream for a stream")
                    .header("Last-Event-ID", "where a stream goes on");
            described.answers[0]
                .2
                .insert("text/event-stream".to_owned(), stream);
            described
        }
        Operation::CancelRun
        | Operation::PauseRun
        | Operation::ResumeRun
        | Operation::RetryRun
        | Operation::SetPriority => {
            let body = json_body::<OperationBody>(g, operation == Operation::SetPriority);
            Described::answer::<RunSummaryView>(g, 200, "The run afterwards.").body(body)
        }
        Operation::ApproveTask | Operation::RejectTask | Operation::RerunTask => {
            let body = json_body::<OperationBody>(g, false);
            Described::answer::<TaskView>(g, 200, "The task afterwards.").body(body)
        }
        Operation::GetTrace => Described::answer::<TraceView>(g, 200, "The timeline.")
            .query("items", "boolean", "with the items of for_each tasks")
            .query("limit", "integer", "1 to 10000 tasks; default 1000"),
        Operation::RollbackRun => {
            let body = json_body::<RollbackBody>(g, true);
            Described::answer::<RollbackAnswer>(g, 200, "The plan, and the run afterwards.").body(body)
        }
        Operation::ListRollbacks => Described::answer::<RollbackList>(g, 200, "The rollbacks."),
        Operation::GetTask => Described::answer::<TaskDetail>(g, 200, "The task."),
        Operation::ExplainTask => Described::answer::<ExplainView>(g, 200, "The explanation."),
        Operation::GetLogs => Described::answer::<LogsView>(g, 200, "What was printed, from the end.")
            .query("epoch", "integer", "default: the current one")
            .query("attempt", "integer", "default: the last one")
            .query("bytes", "integer", "1 to 4194304; default 65536"),
        Operation::ReportEvent => {
            let body = json_body::<ReportBody>(g, true);
            Described::answer::<Reported>(g, 202, "Recorded.")
                .and::<Reported>(g, 200, "The same was reported before.")
                .header(
                    "Authorization",
                    "Bearer and the task token, unless the body has it",
                )
                .body(body)
        }
        Operation::ListPools => Described::answer::<PoolList>(g, 200, "The pools."),
        Operation::GetStats => Described::answer::<Stats>(g, 200, "The numbers."),
        Operation::GetMetrics => {
            let text = json!({"schema": {"type": "string"}});
            Described {
                answers: vec![(
                    200,
                    "The numbers.",
                    Map::from_iter([("text/plain".to_owned(), text)]),
                )],
                ..Described::default()
            }
        }
        Operation::GetSla => Described::answer::<SlaView>(g, 200, "The board.").query(
            "limit",
            "integer",
            "recent ones; 1 to 500, default 50",
        ),
        Operation::GetHealth => Described::answer::<Value>(g, 200, "The server answers."),
        Operation::GetOpenApi => Described::answer::<Value>(g, 200, "This document."),
    }
}

/// Of `POST /workflows`.
fn submission(g: &mut SchemaGenerator) -> Described {
    let plan: Schema = g.subschema_for::<PlanView>();
    let proposal: Schema = g.subschema_for::<ProposalView>();
    let mut described = Described::answer::<SubmittedView>(g, 201, "The run that was started.")
            .and::<SubmittedView>(
                g,
                200,
                "The run an earlier request with the same key started; or the plan; or what a text would come to.",
            )
            .and::<TranslationAccepted>(
                g,
                202,
                "Where a model translates longer than a request may take: it is being translated. Location says where to look; \
                 the same text posted again gets what has become of it.",
            )
            .query(
                "mode",
                "string",
                "run (default) or plan; of a text, plan is the default",
            )
            .header(
                "Cache-Control",
                "no-cache: neither a remembered translation of a text nor, for the run, kept results of tasks will do",
            )
            .header(
                "Idempotency-Key",
                "1 to 255 characters; the same key and body start one run",
            )
            .header(
                "traceparent",
                "W3C trace context; the run becomes part of the trace",
            )
            .header("tracestate", "W3C trace context, handed on to agents")
            .header("baggage", "W3C baggage, handed on to agents")
            .body(document_body(g));
    let known: Schema = g.subschema_for::<SubmittedView>();
    let answers = json!({"schema": {"anyOf": [known, plan, proposal]}});
    described.answers[1].2 = Map::from_iter([("application/json".to_owned(), answers)]);
    described
}

fn as_json<T: JsonSchema>(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let schema: Schema = generator.subschema_for::<T>();
    Map::from_iter([("application/json".to_owned(), json!({"schema": schema}))])
}

fn json_body<T: JsonSchema>(generator: &mut SchemaGenerator, required: bool) -> Value {
    json!({"required": required, "content": as_json::<T>(generator)})
}

/// A workflow document by itself, or wrapped.
fn document_body(generator: &mut SchemaGenerator) -> Value {
    let wrapped: Schema = generator.subschema_for::<SubmissionBody>();
    let document = json!({"type": "object", "description": "A workflow, see docs/dsl.md."});
    json!({"required": true, "content": {
        "application/json": {"schema": {"anyOf": [wrapped, document]}},
        "application/yaml": {"schema": {"type": "string", "description": "A workflow as YAML, see docs/dsl.md."}},
    }})
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_ascii_lowercase())
        .into_iter()
        .chain(letters)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_every_reference_has_a_target() {
        let document = build();
        for route in ROUTES {
            let method = route.method.as_str().to_ascii_lowercase();
            assert!(
                document["paths"][route.path][&method]["operationId"].is_string(),
                "{method} {}",
                route.path
            );
        }
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let target = reference.split('"').next().unwrap();
            assert!(document.pointer(target).is_some(), "{target}");
        }
    }
}
