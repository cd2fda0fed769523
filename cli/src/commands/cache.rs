//! `cache`: remembered translations.

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
            let answer = json!({"cache": stats.cache, "translation": stats.translation});
            output.answer(&answer, |_, page| {
                let lookups: Vec<String> = stats
                    .cache
                    .iter()
                    .map(|(word, count)| format!("{count} {word}"))
                    .collect();
                let translation = stats.translation;
                page.pairs(&[
                    ("remembered", translation.remembered.to_string()),
                    ("lookups", lookups.join(", ")),
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
                ]);
            });
        }
        CacheVerb::Clear => {
            let cleared: ClearedView = client.post("/cache/clear", &json!({}))?;
            output.answer(&cleared, |cleared, page| {
                page.line(match cleared.forgotten {
                    Some(count) => format!("{count} remembered translations were forgotten"),
                    None => "this host forgets by itself, and does not tell how many there are".to_owned(),
                });
            });
        }
    }
    Ok(Exit::Success)
}
