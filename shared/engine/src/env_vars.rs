//! Every environment variable that is read or handed to agents. `docs/configuration.md` describes the same list; a test
//! compares the two.

/// Configuration file, when `--config` does not name one.
pub const ORCHESTRATOR_CONFIG: &str = "ORCHESTRATOR_CONFIG";
/// Data directory, when `--data` does not name one.
pub const ORCHESTRATOR_DATA: &str = "ORCHESTRATOR_DATA";
/// URL of the server to talk to, when `--endpoint` does not name one.
pub const ORCHESTRATOR_ENDPOINT: &str = "ORCHESTRATOR_ENDPOINT";
/// Bearer token for the server, when `--token` does not give one; `serve` asks its clients for it.
pub const ORCHESTRATOR_TOKEN: &str = "ORCHESTRATOR_TOKEN";

/// To agents: path of the task's envelope, a JSON file.
pub const ORCHESTRATOR_ENVELOPE: &str = "ORCHESTRATOR_ENVELOPE";
/// To agents: path where the output is to be written, as JSON.
pub const ORCHESTRATOR_OUTPUT: &str = "ORCHESTRATOR_OUTPUT";
/// To agents: directory shared by all tasks of the run.
pub const ORCHESTRATOR_RUN_DIR: &str = "ORCHESTRATOR_RUN_DIR";
/// To agents: directory of the task's checkpoints; it outlives attempts.
pub const ORCHESTRATOR_CHECKPOINT_DIR: &str = "ORCHESTRATOR_CHECKPOINT_DIR";
/// To agents: id of the run.
pub const ORCHESTRATOR_RUN_ID: &str = "ORCHESTRATOR_RUN_ID";
/// To agents: id of the task.
pub const ORCHESTRATOR_TASK_ID: &str = "ORCHESTRATOR_TASK_ID";
/// To agents: which attempt this is, from 1.
pub const ORCHESTRATOR_ATTEMPT: &str = "ORCHESTRATOR_ATTEMPT";
/// To agents: the data directory that started them, by which left-over processes are found after a crash.
pub const ORCHESTRATOR_DATA_DIR: &str = "ORCHESTRATOR_DATA_DIR";
/// To agents: key of the attempt, by which left-over processes are found after a crash.
pub const ORCHESTRATOR_ATTEMPT_KEY: &str = "ORCHESTRATOR_ATTEMPT_KEY";
/// To agents: W3C trace context of the attempt.
pub const TRACEPARENT: &str = "TRACEPARENT";

/// To agents: W3C `tracestate` of the request that started the run.
pub const TRACESTATE: &str = "TRACESTATE";
/// To agents: W3C `baggage` of the request that started the run.
pub const BAGGAGE: &str = "BAGGAGE";

/// `true` exports nothing.
pub const OTEL_SDK_DISABLED: &str = "OTEL_SDK_DISABLED";
/// `otlp`, or `none` to export nothing.
pub const OTEL_TRACES_EXPORTER: &str = "OTEL_TRACES_EXPORTER";
/// Where a collector is; traces go to `/v1/traces` under it.
pub const OTEL_EXPORTER_OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Where traces go, as it is.
pub const OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// Headers of every request: `name=value,name=value`.
pub const OTEL_EXPORTER_OTLP_HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
/// The same for traces.
pub const OTEL_EXPORTER_OTLP_TRACES_HEADERS: &str = "OTEL_EXPORTER_OTLP_TRACES_HEADERS";
/// Longest time of one request, milliseconds.
pub const OTEL_EXPORTER_OTLP_TIMEOUT: &str = "OTEL_EXPORTER_OTLP_TIMEOUT";
/// The same for traces.
pub const OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: &str = "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT";
/// Only `http/protobuf` is spoken.
pub const OTEL_EXPORTER_OTLP_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
/// The same for traces.
pub const OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL";
/// Name of the service in traces.
pub const OTEL_SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
/// Further attributes of the service: `name=value,name=value`.
pub const OTEL_RESOURCE_ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
/// Which traces are exported: `always_on`, `always_off`, `traceidratio`, or one of them after `parentbased_`.
pub const OTEL_TRACES_SAMPLER: &str = "OTEL_TRACES_SAMPLER";
/// The ratio, 0 to 1.
pub const OTEL_TRACES_SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
/// Which headers carry a trace: `tracecontext`, `baggage`, `xray`, `none`.
pub const OTEL_PROPAGATORS: &str = "OTEL_PROPAGATORS";
/// Spans that wait to be sent, or events that spans are made of; more are dropped.
pub const OTEL_BSP_MAX_QUEUE_SIZE: &str = "OTEL_BSP_MAX_QUEUE_SIZE";
/// Spans in one request.
pub const OTEL_BSP_MAX_EXPORT_BATCH_SIZE: &str = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
/// Longest time a span waits for others to be sent with, milliseconds.
pub const OTEL_BSP_SCHEDULE_DELAY: &str = "OTEL_BSP_SCHEDULE_DELAY";
/// `none`: no metrics are exported.
pub const OTEL_METRICS_EXPORTER: &str = "OTEL_METRICS_EXPORTER";
/// Where metrics go.
pub const OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
/// Time between two exports of metrics, milliseconds.
pub const OTEL_METRIC_EXPORT_INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";

/// Read by the program. `TRACEPARENT`, `TRACESTATE` and `BAGGAGE` make runs it starts part of the trace of whoever calls it.
pub const READ: [&str; 28] = [
    ORCHESTRATOR_CONFIG,
    ORCHESTRATOR_DATA,
    ORCHESTRATOR_ENDPOINT,
    ORCHESTRATOR_TOKEN,
    TRACEPARENT,
    TRACESTATE,
    BAGGAGE,
    OTEL_SDK_DISABLED,
    OTEL_TRACES_EXPORTER,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    OTEL_EXPORTER_OTLP_HEADERS,
    OTEL_EXPORTER_OTLP_TRACES_HEADERS,
    OTEL_EXPORTER_OTLP_TIMEOUT,
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    OTEL_SERVICE_NAME,
    OTEL_RESOURCE_ATTRIBUTES,
    OTEL_TRACES_SAMPLER,
    OTEL_TRACES_SAMPLER_ARG,
    OTEL_PROPAGATORS,
    OTEL_BSP_MAX_QUEUE_SIZE,
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    OTEL_BSP_SCHEDULE_DELAY,
    OTEL_METRICS_EXPORTER,
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT,
    OTEL_METRIC_EXPORT_INTERVAL,
];

/// Handed to agents, so that a configuration cannot set them.
pub const OF_AGENTS: [&str; 12] = [
    ORCHESTRATOR_ENVELOPE,
    ORCHESTRATOR_OUTPUT,
    ORCHESTRATOR_RUN_DIR,
    ORCHESTRATOR_CHECKPOINT_DIR,
    ORCHESTRATOR_RUN_ID,
    ORCHESTRATOR_TASK_ID,
    ORCHESTRATOR_ATTEMPT,
    ORCHESTRATOR_DATA_DIR,
    ORCHESTRATOR_ATTEMPT_KEY,
    TRACEPARENT,
    TRACESTATE,
    BAGGAGE,
];
