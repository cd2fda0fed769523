//! `simulate --seeds N [--start S]`: runs the simulator on many seeds, in both compositions, on every core.
//!
//! Prints seeds per second and what happened how often; exits with 1 at the first broken rule, after printing its seed.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use orchestrator_testkit::simulator::{Breach, Coverage, simulate_both};

const HELP: &str = "usage: simulate [--seeds N] [--start S]   (default: 2000 seeds from 0 on)";

/// Below this many seeds, something rare may well not have happened.
const SEEDS_FOR_COVERAGE: u64 = 1_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((seeds, start)) = parse(&arguments) else {
        eprintln!("{HELP}");
        return ExitCode::from(2);
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "measures itself; nothing it simulates sees this"
    )]
    let begin = std::time::Instant::now();
    let (coverage, breach) = run(seeds, start);
    if let Some(breach) = breach {
        println!("{breach}");
        return ExitCode::FAILURE;
    }
    let seconds = begin.elapsed().as_secs_f64();
    print!("{coverage}");
    println!(
        "{seeds} seeds from {start} in both compositions in {seconds:.1} s, {:.0} seeds/s",
        seeds as f64 / seconds
    );
    let missing = coverage.missing();
    if seeds >= SEEDS_FOR_COVERAGE && !missing.is_empty() {
        println!("never happened: {}", missing.join(", "));
        return ExitCode::FAILURE;
    }
    println!("no rule was broken");
    ExitCode::SUCCESS
}

fn run(seeds: u64, start: u64) -> (Coverage, Option<Box<Breach>>) {
    let next = AtomicU64::new(start);
    let end = start + seeds;
    let stop = AtomicBool::new(false);
    let total = Mutex::new((Coverage::default(), None::<Box<Breach>>));
    let work = || {
        let mut coverage = Coverage::default();
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                break;
            }
            match simulate_both(seed) {
                Ok(seen) => coverage.add(&seen),
                Err(breach) => {
                    stop.store(true, Ordering::Relaxed);
                    let mut total = total.lock().expect("no thread panics while it holds this");
                    if total.1.as_ref().is_none_or(|known| breach.seed < known.seed) {
                        total.1 = Some(breach);
                    }
                }
            }
        }
        total
            .lock()
            .expect("no thread panics while it holds this")
            .0
            .add(&coverage);
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
    total.into_inner().expect("no thread panicked")
}

fn parse(arguments: &[String]) -> Option<(u64, u64)> {
    let (mut seeds, mut start) = (2_000, 0);
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let value = rest.next()?.parse().ok()?;
        match name.as_str() {
            "--seeds" => seeds = value,
            "--start" => start = value,
            _ => return None,
        }
    }
    Some((seeds, start))
}
