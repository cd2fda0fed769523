//! What is exported where: the `telemetry` block of the configuration with the variables of the OpenTelemetry specification
//! on top, <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>.

use std::time::Duration;

use super::otlp::Resource;
use super::propagation::Propagators;
use super::sampler::Sampler;
use crate::env_vars as env;
use crate::settings::Telemetry;

/// How spans are exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// Where spans are sent, OTLP over HTTP.
    pub endpoint: String,
    /// Where metrics are sent, if anywhere.
    pub metrics_endpoint: Option<String>,
    /// Time between two exports of metrics.
    pub metrics_interval: Duration,
    /// Headers of every request, such as an API key.
    pub headers: Vec<(String, String)>,
    /// Longest time of one request.
    pub timeout: Duration,
    /// Who exports.
    pub resource: Resource,
    /// Which traces are exported.
    pub sampler: Sampler,
    /// Which headers carry a trace.
    pub propagators: Propagators,
    /// Spans that wait to be sent; more are dropped.
    pub queue_max: usize,
    /// Spans in one request.
    pub batch_max: usize,
    /// Longest time a span waits for others to be sent with.
    pub delay: Duration,
}

/// Spans that wait, unless set.
const QUEUE_MAX: usize = 16_384;
/// Spans in one request, unless set.
const BATCH_MAX: usize = 512;
const DELAY_MS: u64 = 1_000;
const TIMEOUT_MS: u64 = 10_000;
/// Path of traces under the endpoint that all signals share.
const TRACES_PATH: &str = "/v1/traces";
/// The same of metrics.
const METRICS_PATH: &str = "/v1/metrics";
/// By the specification of metrics.
const METRICS_INTERVAL_MS: u64 = 60_000;

/// How spans are exported; `None`: they are not. Values that cannot be used are left out and told in `warnings`.
pub fn resolve(
    settings: &Telemetry,
    defaults: Propagators,
    var: &dyn Fn(&str) -> Option<String>,
    warnings: &mut Vec<String>,
) -> Option<Export> {
    let mut vars = Variables { var, warnings };
    let is_disabled = vars
        .get(env::OTEL_SDK_DISABLED)
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let exporter = vars.get(env::OTEL_TRACES_EXPORTER);
    let named = vars.get(env::OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);
    let shared = vars.get(env::OTEL_EXPORTER_OTLP_ENDPOINT);
    // Whoever names an endpoint wants traces there; whoever says no in the file means it.
    let is_wanted = settings.enabled.unwrap_or(named.is_some() || shared.is_some());
    if is_disabled || !is_wanted || exporter.as_deref() == Some("none") {
        return None;
    }
    if let Some(other) = exporter.filter(|exporter| exporter != "otlp") {
        vars.warn(env::OTEL_TRACES_EXPORTER, &other, "only otlp and none are known");
    }
    for name in [
        env::OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
        env::OTEL_EXPORTER_OTLP_PROTOCOL,
    ] {
        if let Some(other) = vars.get(name).filter(|protocol| protocol != "http/protobuf") {
            vars.warn(name, &other, "traces are sent as http/protobuf");
        }
    }
    let shared = shared.map(|endpoint| format!("{}{TRACES_PATH}", endpoint.trim_end_matches('/')));
    let endpoint = named.or(shared).unwrap_or_else(|| settings.otlp_endpoint.clone());
    let headers = vars.first(&[
        env::OTEL_EXPORTER_OTLP_TRACES_HEADERS,
        env::OTEL_EXPORTER_OTLP_HEADERS,
    ]);
    let timeout = vars.millis(
        &[
            env::OTEL_EXPORTER_OTLP_TRACES_TIMEOUT,
            env::OTEL_EXPORTER_OTLP_TIMEOUT,
        ],
        TIMEOUT_MS,
    );
    let metrics_endpoint = vars.metrics_endpoint(&endpoint);
    let queue_max = vars.count(env::OTEL_BSP_MAX_QUEUE_SIZE, QUEUE_MAX);
    Some(Export {
        endpoint,
        metrics_endpoint,
        metrics_interval: vars.millis(&[env::OTEL_METRIC_EXPORT_INTERVAL], METRICS_INTERVAL_MS),
        headers: headers.map(|list| pairs(&list)).unwrap_or_default(),
        timeout,
        resource: vars.resource(settings),
        sampler: vars.sampler(settings),
        propagators: vars.propagators(defaults),
        queue_max,
        batch_max: vars
            .count(env::OTEL_BSP_MAX_EXPORT_BATCH_SIZE, BATCH_MAX)
            .min(queue_max),
        delay: vars.millis(&[env::OTEL_BSP_SCHEDULE_DELAY], DELAY_MS),
    })
}

/// Reads variables and collects what is wrong with them.
struct Variables<'a> {
    var: &'a dyn Fn(&str) -> Option<String>,
    warnings: &'a mut Vec<String>,
}

impl Variables<'_> {
    /// An empty variable is one that is not set, by the specification.
    fn get(&self, name: &str) -> Option<String> {
        (self.var)(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.get(name))
    }

    fn warn(&mut self, name: &str, value: &str, what: &str) {
        self.warnings.push(format!("{name} is '{value}': {what}"));
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        let text = self.get(name)?;
        match text.parse() {
            Ok(0) | Err(_) => {
                self.warn(name, &text, "it must be a whole number above 0, and is ignored");
                None
            }
            Ok(number) => Some(number),
        }
    }

    fn count(&mut self, name: &str, default: usize) -> usize {
        const COUNT_MAX: usize = 1 << 20;
        let number = self.number(name).and_then(|number| usize::try_from(number).ok());
        number.unwrap_or(default).min(COUNT_MAX)
    }

    fn millis(&mut self, names: &[&str], default: u64) -> Duration {
        const MILLIS_MAX: u64 = 600_000;
        let millis = names.iter().find_map(|name| self.number(name));
        Duration::from_millis(millis.unwrap_or(default).min(MILLIS_MAX))
    }

    /// Beside the traces, unless something else is said.
    fn metrics_endpoint(&mut self, of_traces: &str) -> Option<String> {
        let exporter = self.get(env::OTEL_METRICS_EXPORTER);
        if exporter.as_deref() == Some("none") {
            return None;
        }
        if let Some(other) = exporter.filter(|exporter| exporter != "otlp") {
            self.warn(env::OTEL_METRICS_EXPORTER, &other, "only otlp and none are known");
        }
        let beside = || Some(format!("{}{METRICS_PATH}", of_traces.strip_suffix(TRACES_PATH)?));
        self.get(env::OTEL_EXPORTER_OTLP_METRICS_ENDPOINT).or_else(beside)
    }

    fn resource(&self, settings: &Telemetry) -> Resource {
        let own = [
            ("service.name".to_owned(), settings.service_name.clone()),
            ("service.version".to_owned(), settings.service_version.clone()),
            ("telemetry.sdk.language".to_owned(), "rust".to_owned()),
            ("telemetry.sdk.name".to_owned(), "master-orchestrator".to_owned()),
            (
                "telemetry.sdk.version".to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            ),
        ];
        let given = self.get(env::OTEL_RESOURCE_ATTRIBUTES);
        let given = given.map(|list| pairs(&list)).unwrap_or_default();
        let mut resource = Resource::new(own.into_iter().chain(given));
        if let Some(name) = self.get(env::OTEL_SERVICE_NAME) {
            resource.set("service.name", name);
        }
        resource
    }

    fn sampler(&mut self, settings: &Telemetry) -> Sampler {
        let configured = Sampler {
            ratio: settings.sample_ratio,
            ..Sampler::default()
        };
        let Some(name) = self.get(env::OTEL_TRACES_SAMPLER) else {
            return configured;
        };
        let argument = self.get(env::OTEL_TRACES_SAMPLER_ARG);
        Sampler::named(&name, argument.as_deref()).unwrap_or_else(|problem| {
            self.warnings
                .push(format!("{}: {problem}", env::OTEL_TRACES_SAMPLER));
            configured
        })
    }

    fn propagators(&mut self, defaults: Propagators) -> Propagators {
        let Some(list) = self.get(env::OTEL_PROPAGATORS) else {
            return defaults;
        };
        Propagators::named(&list).unwrap_or_else(|unknown| {
            self.warn(
                env::OTEL_PROPAGATORS,
                &unknown,
                "known are tracecontext, baggage, xray and none",
            );
            defaults
        })
    }
}

/// `name=value,name=value`, percent-encoded, as in W3C Baggage. What is malformed is left out.
fn pairs(list: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = crate::api::route::decode(value.trim())?.into_owned();
        (!name.trim().is_empty()).then(|| (name.trim().to_owned(), value))
    };
    list.split(',').filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::settings;

    fn export(file: &str, variables: &[(&str, &str)]) -> (Option<Export>, Vec<String>) {
        let settings = settings::load(file).unwrap().telemetry;
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        let mut warnings = Vec::new();
        let var = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        let export = resolve(&settings, Propagators::default(), &var, &mut warnings);
        (export, warnings)
    }

    const ON: &str =
        "master_orchestrator: {telemetry: {enabled: true, service_name: trainer, sample_ratio: 0.5}}";

    #[test]
    fn traces_are_exported_when_the_file_or_a_variable_says_so() {
        assert_eq!(export("", &[]).0, None);
        let by_file = export(ON, &[]).0.unwrap();
        assert_eq!(by_file.endpoint, "http://localhost:4318/v1/traces");
        assert_eq!(
            (by_file.sampler.ratio, by_file.sampler.follows_parent),
            (0.5, true)
        );
        let endpoint = (env::OTEL_EXPORTER_OTLP_ENDPOINT, "http://c:4318/");
        assert_eq!(
            export("", &[endpoint]).0.unwrap().endpoint,
            "http://c:4318/v1/traces"
        );
        let for_traces = (env::OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, "http://t/x");
        assert_eq!(
            export("", &[endpoint, for_traces]).0.unwrap().endpoint,
            "http://t/x"
        );
        let off = "master_orchestrator: {telemetry: {enabled: false}}";
        assert_eq!(export(off, &[endpoint]).0, None);
        assert_eq!(export(ON, &[(env::OTEL_SDK_DISABLED, "TRUE")]).0, None);
        assert_eq!(export(ON, &[(env::OTEL_TRACES_EXPORTER, "none")]).0, None);
    }

    #[test]
    fn variables_outweigh_the_file() {
        let (export, warnings) = export(
            ON,
            &[
                (env::OTEL_SERVICE_NAME, "s"),
                (
                    env::OTEL_RESOURCE_ATTRIBUTES,
                    "service.name=r,deployment.environment=a%20b,broken",
                ),
                (env::OTEL_TRACES_SAMPLER, "traceidratio"),
                (env::OTEL_TRACES_SAMPLER_ARG, "0.25"),
                (env::OTEL_EXPORTER_OTLP_HEADERS, "api-key=k, x = y"),
                (env::OTEL_EXPORTER_OTLP_TIMEOUT, "250"),
                (env::OTEL_BSP_MAX_QUEUE_SIZE, "100"),
                (env::OTEL_BSP_SCHEDULE_DELAY, "50"),
            ],
        );
        let export = export.unwrap();
        assert_eq!(warnings, [""; 0]);
        assert_eq!(export.resource.get("service.name"), Some("s"));
        assert_eq!(export.resource.get("deployment.environment"), Some("a b"));
        assert_eq!(
            (export.sampler.ratio, export.sampler.follows_parent),
            (0.25, false)
        );
        let headers = [("api-key", "k"), ("x", "y")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(export.headers, headers);
        assert_eq!(
            (export.timeout, export.delay),
            (Duration::from_millis(250), Duration::from_millis(50))
        );
        assert_eq!((export.queue_max, export.batch_max), (100, 100));
    }

    #[test]
    fn what_cannot_be_used_is_named_and_left_out() {
        let wrong = [
            (env::OTEL_TRACES_SAMPLER, "sometimes"),
            (env::OTEL_PROPAGATORS, "tracecontext,pigeon"),
            (env::OTEL_BSP_MAX_QUEUE_SIZE, "many"),
            (env::OTEL_EXPORTER_OTLP_PROTOCOL, "grpc"),
            (env::OTEL_TRACES_EXPORTER, "jaeger"),
        ];
        let (export, warnings) = export(ON, &wrong);
        let export = export.unwrap();
        assert_eq!((export.sampler.ratio, export.queue_max), (0.5, QUEUE_MAX));
        assert_eq!(export.propagators, Propagators::default());
        for (name, value) in wrong {
            let value = value.rsplit(',').next().unwrap_or_default();
            let told = warnings
                .iter()
                .any(|warning| warning.contains(name) && warning.contains(value));
            assert!(told, "{name}: {warnings:?}");
        }
    }
}
