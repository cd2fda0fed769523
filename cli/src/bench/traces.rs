//! What traces cost: the same workload without them, with them, and with nobody listening, in turns.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use orchestrator_core::workflow::Workflow;
use orchestrator_engine::settings::Settings;
use orchestrator_engine::trace::{Export, Propagators, export};
use serde::Serialize;

use super::embedded::{self, Passes};
use super::measure::Measured;
use super::workload::Plan;

/// Bytes the receiver reads at a time: it is to be no burden, as if it were on another machine.
const READ_BYTES: usize = 1 << 20;
/// Rounds; the median of each way counts.
const ROUNDS: usize = 24;
/// Every way comes as often after each of the three: it finds the memory, and the machine, as that leaves them.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [2, 0, 1], [1, 2, 0], [0, 2, 1], [1, 0, 2], [2, 1, 0]];

/// The figures of the comparison.
#[derive(Debug, Clone, Serialize)]
pub struct TraceFigures {
    /// Name of the workload.
    pub workload: String,
    /// Tasks of one round that are measured.
    pub tasks: u32,
    /// Rounds of each way.
    pub rounds: usize,
    /// Milliseconds per task without traces: median.
    pub off_ms_per_task: f64,
    /// With traces that are taken.
    pub on_ms_per_task: f64,
    /// With traces that nobody takes.
    pub dead_ms_per_task: f64,
    /// Middle of the rounds' ratios of on to off.
    pub on_ratio: f64,
    /// Middle of the rounds' ratios of dead to off.
    pub dead_ratio: f64,
    /// Shortest round of on to the shortest of off: what is left when nothing else disturbs.
    pub on_best_ratio: f64,
    /// The same of dead.
    pub dead_best_ratio: f64,
    /// Spread of the rounds without traces, longest to shortest: how much of a ratio is noise.
    pub off_spread: f64,
    /// Spans that were taken in one round, with those of its first pass, which is not measured: median.
    pub spans_sent: u64,
    /// Spans of them that did not fit into the queue: median.
    pub spans_dropped: u64,
}

pub(super) fn compare(
    directory: &Path,
    plan: &Plan,
    workflow: &Arc<Workflow>,
) -> Result<TraceFigures, String> {
    let (listening, dead) = (receiver()?, nobody()?);
    let first = embedded::run(
        &directory.join("first"),
        plan,
        Arc::clone(workflow),
        None,
        Passes::SECOND,
    )?;
    let passes = Passes {
        measured: passes_of(first.wall_s),
        ..Passes::SECOND
    };
    let mut rounds: Vec<[Measured; 3]> = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let run = |name: &str, endpoint: Option<&str>| {
            let folder = directory.join(format!("{name}-{round}"));
            embedded::run(
                &folder,
                plan,
                Arc::clone(workflow),
                endpoint.map(export_to),
                passes,
            )
        };
        let ways = [("off", None), ("on", Some(&*listening)), ("dead", Some(&*dead))];
        let mut measured: [Option<Measured>; 3] = [None, None, None];
        for way in ORDERS[round % ORDERS.len()] {
            measured[way] = Some(run(ways[way].0, ways[way].1)?);
        }
        rounds.push(measured.map(|measured| measured.expect("every way had its turn")));
    }
    let tasks = plan.tasks * plan.runs * passes.measured;
    let wall = |way: usize| rounds.iter().map(|round| round[way].wall_s).collect::<Vec<f64>>();
    let ratio = |way: usize| {
        middle(
            rounds
                .iter()
                .map(|round| round[way].wall_s / round[0].wall_s)
                .collect(),
        )
    };
    let per_task = |way: usize| middle(wall(way)) * 1e3 / f64::from(tasks);
    let best = |way: usize| wall(way).into_iter().fold(f64::INFINITY, f64::min);
    let longest = wall(0).into_iter().fold(0.0, f64::max);
    let spans = |count: fn(&Measured) -> u64| {
        let mut counts: Vec<u64> = rounds.iter().map(|round| count(&round[1])).collect();
        counts.sort_unstable();
        counts[counts.len() / 2]
    };
    Ok(TraceFigures {
        workload: plan.name.to_owned(),
        tasks,
        rounds: ROUNDS,
        off_ms_per_task: per_task(0),
        on_ms_per_task: per_task(1),
        dead_ms_per_task: per_task(2),
        on_ratio: ratio(1),
        dead_ratio: ratio(2),
        on_best_ratio: best(1) / best(0),
        dead_best_ratio: best(2) / best(0),
        off_spread: longest / best(0),
        spans_sent: spans(|measured| measured.spans_sent),
        spans_dropped: spans(|measured| measured.spans_dropped),
    })
}

/// So often the workload is run for a round: a few milliseconds would measure whose turn it is on a processor.
fn passes_of(pass_s: f64) -> u32 {
    const ROUND_S: f64 = 0.25;
    const PASSES_MAX: u32 = 50;
    let enough = (1..PASSES_MAX).find(|passes| f64::from(*passes) * pass_s >= ROUND_S);
    enough.unwrap_or(PASSES_MAX)
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn export_to(endpoint: &str) -> Export {
    let settings = orchestrator_engine::settings::Telemetry {
        enabled: Some(true),
        otlp_endpoint: format!("{endpoint}/v1/traces"),
        ..Settings::without_file().telemetry
    };
    let nothing = |_: &str| None;
    export::resolve(&settings, Propagators::default(), &nothing, &mut Vec::new())
        .expect("traces that are wanted are exported")
}

/// A port that refuses connections.
fn nobody() -> Result<String, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    Ok(format!("http://{address}"))
}

/// A receiver that reads everything and is content; it ends with the process.
fn receiver() -> Result<String, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A connection that breaks off is opened again by whoever sends.
            thread::spawn(move || answer(stream));
        }
    });
    Ok(format!("http://{address}"))
}

fn answer(stream: TcpStream) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(READ_BYTES, stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.trim().is_empty() {
                break;
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    }
}
