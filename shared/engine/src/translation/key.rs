//! What a remembered translation is bound to.

use orchestrator_core::policy::Policy;
use orchestrator_translate::{draft, guard};
use sha2::{Digest, Sha256};

use super::Request;
use super::desk::MEMO_PREFIX;
use crate::api::Intake;

/// The key of a request's answer: the hash of everything the answer depends on. Another client, another metadata, another policy, a
/// changed catalogue, a new version of the guardrails or of the translator (`translator` is its identity): another key.
pub fn memo_key(translator: &str, request: &Request, intake: &Intake, policy: &Policy) -> String {
    let mut digest = Sha256::new();
    let limits = &intake.translation;
    let parts = [
        request.client_id.as_bytes(),
        request.prompt.text().as_bytes(),
        request.metadata.to_string().as_bytes(),
        translator.as_bytes(),
        &intake.catalogue.digest(),
        draft::json_schema().to_string().as_bytes(),
        &guard::VERSION.to_be_bytes(),
        policy.version().as_bytes(),
        &limits.confidence_min.to_be_bytes(),
        &limits.repairs_max.to_be_bytes(),
    ]
    .map(<[u8]>::to_vec);
    for part in parts {
        // With its length, so that parts cannot run into each other.
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let hash: [u8; 32] = digest.finalize().into();
    format!("{MEMO_PREFIX}{}", hex::encode(hash))
}

#[cfg(test)]
mod tests {
    use orchestrator_core::policy::Surroundings;
    use orchestrator_translate::offline::Offline;
    use orchestrator_translate::{Prompt, Translator as _};
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_bound_to_the_client_the_text_and_the_rules() {
        let policy = Policy::new(&Default::default(), Surroundings::default()).unwrap();
        let intake = Intake::default();
        let request = |client: &str, text: &str, urgent: bool| Request {
            client_id: client.to_owned(),
            prompt: Prompt::new(text, 100).unwrap(),
            metadata: json!({"urgent": urgent}),
            is_fresh: false,
        };
        let key =
            |request: &Request, intake: &Intake| memo_key(&Offline.identity(), request, intake, &policy);
        let first = key(&request("a", "train", true), &intake);
        assert_eq!(first, key(&request("a", "train", true), &intake));
        let mut surer = intake.clone();
        surer.translation.confidence_min = 0.9;
        for other in [
            key(&request("b", "train", true), &intake),
            key(&request("a", "trains", true), &intake),
            key(&request("a", "train", false), &intake),
            key(&request("a", "train", true), &surer),
        ] {
            assert_ne!(first, other);
        }
    }
}
