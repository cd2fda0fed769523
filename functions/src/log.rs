//! Logs: one JSON object a line, as CloudWatch understands them.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Which lines are written: `error`, `warn`, `info`, `debug`, or such levels by target as in `info,orchestrator_aws=debug`.
/// Without it, `info`. Lines of `trace` are only in debug builds.
pub const RUST_LOG: &str = "RUST_LOG";

/// Sends what the program says about itself to the standard output. Call it once, first.
pub fn init() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the level is needed before the configuration is read"
    )]
    let wanted = std::env::var(RUST_LOG).ok().filter(|wanted| !wanted.is_empty());
    let parsed = wanted.as_deref().unwrap_or("info").parse::<Targets>();
    let (filter, problem) = match parsed {
        Ok(filter) => (filter, None),
        Err(problem) => (Targets::new().with_default(tracing::Level::INFO), Some(problem)),
    };
    // CloudWatch adds the time itself.
    let lines = fmt::layer()
        .json()
        .flatten_event(true)
        .without_time()
        .with_ansi(false);
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .init();
    if let Some(problem) = problem {
        tracing::warn!(%problem, "{RUST_LOG} cannot be read (use a level such as info); info is used");
    }
}
