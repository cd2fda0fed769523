//! Messages about texts that are to be translated. The form is public: `events/` has its schema and samples.
//!
//! ```json
//! {"kind": "translate", "token": "01J…"}
//! ```
//!
//! A message says only which text; the text, and what becomes of it, is on the table. Losing one costs time, and so does repeating it.

use orchestrator_core::ids::RunId;
use serde::{Deserialize, Serialize};

use super::wire::WireError;

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Wire {
    Translate { token: RunId },
}

/// The message about the text that was accepted under this token.
pub fn encode(token: RunId) -> String {
    serde_json::to_string(&Wire::Translate { token }).expect("a message is plain data")
}

/// The token in a message.
///
/// # Errors
/// When it is no such message.
pub fn decode(text: &str) -> Result<RunId, WireError> {
    let Wire::Translate { token } =
        serde_json::from_str(text).map_err(|error| WireError::new(&error.to_string()))?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written_and_nonsense_is_told() {
        let token = RunId::from_parts(1, 2);
        assert_eq!(decode(&encode(token)).ok(), Some(token));
        for nonsense in [
            "",
            "{",
            "{}",
            r#"{"kind":"translate"}"#,
            r#"{"kind":"sweep"}"#,
            r#"{"kind":"translate","token":7}"#,
        ] {
            let error = decode(nonsense).expect_err("it is none").to_string();
            assert!(error.contains("events/"), "{error}");
        }
    }
}
