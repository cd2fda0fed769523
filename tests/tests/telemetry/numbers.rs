//! The same numbers wherever they are looked at: `GET /stats`, `GET /metrics`, and at a collector.

use std::collections::BTreeMap;

use serde_json::json;
use tests::collector::Collector;
use tests::requests::Request;
use tests::server::{Server, ask, eventually};

use crate::{Place, configuration, run_workflow, script};

/// Two runs: one that ends well after a retry and a missed deadline, one that fails.
fn place(collector: &Collector) -> Place {
    let flaky = r#"[ "$ORCHESTRATOR_ATTEMPT" = 1 ] && exit 75; sleep 1; exit 0"#;
    let agents = json!({"flaky": script(flaky), "broken": script("exit 3"), "nothing": {"builtin": "noop"}});
    Place::new(&configuration(&collector.endpoint(), &agents), &json!({}))
}

/// The lines of `GET /metrics` that are numbers, by name and label.
fn scraped(server: &Server) -> BTreeMap<String, f64> {
    let reply = Request::new("GET", "/metrics").send(&server.endpoint);
    let kind = reply.header("content-type").unwrap_or_default().to_owned();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let text = String::from_utf8(reply.body).expect("it is text");
    let mut described: Vec<&str> = Vec::new();
    let mut numbers = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            described.push(rest.split(' ').next().expect("a name"));
        } else if !line.starts_with('#') {
            let (name, number) = line.rsplit_once(' ').expect("a name and a number");
            let plain = name.split('{').next().expect("a name");
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| plain.strip_suffix(suffix));
            let is_described =
                described.contains(&plain) || family.is_some_and(|name| described.contains(&name));
            assert!(is_described, "{line}: nothing says what it is");
            let before = numbers.insert(name.to_owned(), number.parse::<f64>().expect(line));
            assert_eq!(before, None, "{line} is there twice");
        }
    }
    numbers
}

#[test]
fn statistics_a_scrape_and_a_collector_tell_the_same() {
    let collector = Collector::start();
    let place = place(&collector);
    let server = Server::start(&place.data(), &place.configuration());
    let good = server.submit(
        &json!({"name": "good", "tasks": [
            {"id": "a", "agent": "flaky", "action": "work", "sla": {"task_max_seconds": 0.3, "warn_percent": 100}},
            {"id": "b", "agent": "nothing", "action": "work", "depends_on": ["a"]},
        ]}),
    );
    let bad = server.submit(&json!({"name": "bad", "tasks": [
        {"id": "c", "agent": "broken", "action": "work", "retry": {"max_retries": 0}},
        {"id": "d", "agent": "nothing", "action": "work", "depends_on": ["c"]},
    ]}));
    for (run, expected) in [(&good, "SUCCESS"), (&bad, "FAILED")] {
        eventually("the run ends", || {
            (ask(&place.data(), &["get", run])["status"] == expected).then_some(())
        });
    }
    let stats = Request::new("GET", "/stats").send(&server.endpoint).json();
    let expected = json!({
        "runs": {"FAILED": 1, "SUBMITTED": 2, "SUCCESS": 1},
        "tasks": {"FAILED": 1, "SKIPPED": 1, "SUCCESS": 2},
        "attempts": 4, "retries": 1, "failures": {"error": 1, "transient": 1},
        "decisions": {"allow": 4},
        "alerts": {"SlaBreached": 1, "SlaResolved": 1}, "breaches": {"task": 1},
    });
    let seen = json!({
        "runs": stats["runs"]["by_event"], "tasks": stats["tasks"]["by_status"],
        "attempts": stats["tasks"]["attempts"], "retries": stats["tasks"]["retries"],
        "failures": stats["tasks"]["failures"], "decisions": stats["decisions"]["by_outcome"],
        "alerts": stats["alerts"]["by_type"], "breaches": stats["alerts"]["breaches"],
    });
    assert_eq!(seen, expected, "{stats:#}");
    for part in ["telemetry", "decisions", "runs", "sla", "cache", "pools"] {
        assert!(stats[part].is_object(), "{part} of {stats:#}");
    }
    assert_eq!(stats["telemetry"]["enabled"], true);
    assert_eq!(stats["runs"]["seconds"]["count"], 2);
    assert_eq!(stats["tasks"]["run_seconds"]["count"], 4);

    let scraped = scraped(&server);
    let number = |name: &str| {
        *scraped
            .get(&format!("orchestrator_{name}"))
            .unwrap_or_else(|| panic!("{name} of {scraped:#?}"))
    };
    for (name, expected) in [
        ("runs_total{event=\"SUCCESS\"}", 1.0),
        ("tasks_total{status=\"SKIPPED\"}", 1.0),
        ("attempts_total", 4.0),
        ("failures_total{class=\"transient\"}", 1.0),
        ("sla_alerts_total{type=\"SlaBreached\"}", 1.0),
        ("sla_breaches_total{deadline=\"task\"}", 1.0),
        ("run_seconds_count", 2.0),
        ("task_seconds_bucket{le=\"+Inf\"}", 4.0),
        ("pool_used{pool=\"cpu\"}", 0.0),
        ("runs_active", 0.0),
    ] {
        assert!(
            (number(name) - expected).abs() < f64::EPSILON,
            "{name}: {}",
            number(name)
        );
    }
    assert!(number("journal_appends_total") > 3.0 && number("uptime_seconds") < 600.0);

    // At its end the program sends what it has counted; what is scraped goes on being a scrape.
    server.end();
    let told = eventually("metrics are sent", || {
        Some(collector.metrics()).filter(|metrics| metrics.contains_key("orchestrator.runs"))
    });
    let of = |name: &str, label: &str| {
        let points = told.get(name).unwrap_or_else(|| panic!("{name} of {told:#?}"));
        *points
            .get(label)
            .unwrap_or_else(|| panic!("{label} of {points:?}"))
    };
    assert_eq!(of("orchestrator.runs", "SUCCESS"), 1);
    assert_eq!(of("orchestrator.tasks", "FAILED"), 1);
    assert_eq!(of("orchestrator.attempts", ""), 4);
    assert_eq!(of("orchestrator.decisions", "allow"), 4);
    assert_eq!(of("orchestrator.sla_breaches", "task"), 1);
    assert_eq!(of("orchestrator.run", ""), 2);
    assert!(of("orchestrator.spans_sent", "") > 10 && of("orchestrator.uptime", "") > 0);
    assert_eq!(of("orchestrator.task", ""), 4);
}

#[test]
fn pools_are_told_while_the_program_runs() {
    let collector = Collector::start();
    let agents = json!({"slow": script("sleep 3")});
    let late = json!({"task_max_seconds": 0.2, "warn_percent": 100});
    let task = json!({"id": "a", "agent": "slow", "action": "work", "sla": late});
    let workflow = json!({"name": "slow", "tasks": [task]});
    let place = Place::new(&configuration(&collector.endpoint(), &agents), &workflow);
    let (file, data) = (place.workflow(), place.data());
    let told = std::thread::scope(|scope| {
        let often = [
            ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ];
        let running = scope.spawn(move || run_workflow(&file, &data, &often));
        let told = eventually("a slot is held, and its task is late", || {
            let metrics = collector.metrics();
            let is = |name: &str, label: &str| metrics.get(name)?.get(label).map(|number| *number == 1);
            let is_late = is("orchestrator.pool_used", "cpu")? && is("orchestrator.sla_active", "")?;
            is_late.then_some(metrics)
        });
        running.join().expect("the run ends well");
        told
    });
    assert_eq!(told["orchestrator.attempts_live"][""], 1);
    assert_eq!(told["orchestrator.sla_active"][""], 1);
    assert_eq!(told["orchestrator.pool_waiting"]["cpu"], 0);
    assert!(told["orchestrator.pool_capacity"]["cpu"] > 0);
}
