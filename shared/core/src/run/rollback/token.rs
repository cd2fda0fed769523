//! What stands for a plan.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::ids::RunId;

/// Stands for the exact content of a plan of one run. Progress of tasks that the plan does not name leaves it valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanToken(pub [u8; PlanToken::BYTES]);

/// The text is no plan token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a plan token (a plan token has 20 hexadecimal digits, as a preview prints them)")]
pub struct PlanTokenError(pub String);

impl PlanToken {
    /// Its length: enough that two plans of a run never share one by accident.
    pub const BYTES: usize = 10;

    /// The token of a plan that is written down as `content`.
    pub(super) fn of(run: RunId, content: &[u8]) -> PlanToken {
        let digest = Sha256::new()
            .chain_update(run.to_bytes())
            .chain_update(content)
            .finalize();
        let mut token = [0; PlanToken::BYTES];
        token.copy_from_slice(&digest[..PlanToken::BYTES]);
        PlanToken(token)
    }
}

impl fmt::Display for PlanToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for PlanToken {
    type Err = PlanTokenError;

    fn from_str(text: &str) -> Result<PlanToken, PlanTokenError> {
        let wrong = || PlanTokenError(text.chars().take(64).collect());
        let mut token = [0; PlanToken::BYTES];
        hex::decode_to_slice(text, &mut token).map_err(|_| wrong())?;
        Ok(PlanToken(token))
    }
}

impl Serialize for PlanToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_printed_and_read_back_and_nothing_else_is_one() {
        let token = PlanToken::of(RunId::from_parts(1, 1), b"a plan");
        assert_eq!(token.to_string().parse(), Ok(token));
        for text in [
            "",
            "0",
            "00112233445566778899aa",
            "+0112233445566778899",
            "äääääääääääääääääääa",
        ] {
            assert_eq!(
                text.parse::<PlanToken>(),
                Err(PlanTokenError(text.to_owned())),
                "{text}"
            );
        }
        assert_ne!(token, PlanToken::of(RunId::from_parts(1, 2), b"a plan"));
    }
}
