//! `cache`: remembered translations and kept results of tasks.

use std::collections::BTreeMap;

use orchestrator_engine::api::backend::Stats;
use orchestrator_engine::api::system::ClearedView;
use serde_json::json;

use crate::args::{CacheVerb, Global};
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// Shows what the memory has done, or clears it.
pub fn run(global: &Global, verb: &CacheVerb, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    match verb {
        CacheVerb::Stats => {
            let stats: Stats = client.get("/stats")?;
            let answer = json!({
                "cache": stats.cache,
                "translation": stats.translation,
                "results_kept": stats.results_kept,
                "result_lookups": stats.counted.tasks.result_lookups,
            });
            output.answer(&answer, |_, page| {
                let lookups = |counts: &BTreeMap<String, u64>| -> String {
                    let words: Vec<String> = counts
                        .iter()
                        .map(|(word, count)| format!("{count} {word}"))
                        .collect();
                    words.join(", ")
                };
                let kept = stats.results_kept.map(|kept| kept.to_string());
                let translation = stats.translation;
                page.pairs(&[
                    ("remembered", translation.remembered.to_string()),
                    ("lookups", lookups(&stats.cache)),
                    ("translations", translation.translations.to_string()),
                    ("rejected answers", translation.rejected.to_string()),
                    (
                        "calls of models",
                        format!("{} ({} failed)", translation.calls, translation.failed_calls),
                    ),
                    (
                        "tokens",
                        format!("{} used, {} saved", translation.tokens, translation.saved_tokens),
                    ),
                    (
                        "cost",
                        format!(
                            "{:.4} US dollars, {:.4} saved",
                            translation.cost_usd, translation.saved_usd
                        ),
                    ),
                    (
                        "results kept",
                        kept.unwrap_or_else(|| "not counted here".to_owned()),
                    ),
                    ("lookups of results", lookups(&stats.counted.tasks.result_lookups)),
                ]);
            });
        }
        CacheVerb::Clear => {
            let cleared: ClearedView = client.post("/cache/clear", &json!({}))?;
            output.answer(&cleared, |cleared, page| {
                let line = |count: Option<u64>, what: &str| match count {
                    Some(count) => format!("{count} {what} were forgotten"),
                    None => format!("{what} are left to expire on this host"),
                };
                page.line(line(cleared.forgotten, "remembered translations"));
                page.line(line(cleared.results, "kept results of tasks"));
            });
        }
    }
    Ok(Exit::Success)
}
