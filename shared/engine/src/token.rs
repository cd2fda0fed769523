//! Task tokens: an agent that reports over HTTP proves which attempt it works on.

use hmac::{Hmac, Mac};
use orchestrator_core::ids::AttemptKey;
use sha2::Sha256;

/// The key that signs task tokens. Kept by the host, never sent.
#[derive(Clone)]
pub struct TokenKey(Vec<u8>);

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(secret)")
    }
}

impl TokenKey {
    /// Wraps at least 16 secret bytes.
    pub fn new(secret: Vec<u8>) -> TokenKey {
        TokenKey(secret)
    }

    /// The token of an attempt: HMAC-SHA-256 over its key, in hexadecimal.
    pub fn sign(&self, key: AttemptKey) -> String {
        // Every attempt gets one: written in place.
        let mut text = [0; 64];
        hex::encode_to_slice(self.mac(key).finalize().into_bytes(), &mut text).expect("two digits a byte");
        str::from_utf8(&text).expect("digits").to_owned()
    }

    /// Whether `token` is the attempt's, in constant time.
    pub fn verify(&self, key: AttemptKey, token: &str) -> bool {
        hex::decode(token).is_ok_and(|bytes| self.mac(key).verify_slice(&bytes).is_ok())
    }

    fn mac(&self, key: AttemptKey) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(&key.run.to_bytes());
        mac.update(&key.node.0.to_be_bytes());
        mac.update(&key.epoch.to_be_bytes());
        mac.update(&key.attempt.to_be_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_core::ids::{NodeIx, RunId};

    use super::*;

    #[test]
    fn a_token_fits_its_attempt_only() {
        let tokens = TokenKey::new(vec![7; 32]);
        let key = AttemptKey {
            run: RunId::from_parts(1, 2),
            node: NodeIx(3),
            epoch: 1,
            attempt: 1,
        };
        let token = tokens.sign(key);
        assert!(tokens.verify(key, &token));
        assert!(!tokens.verify(AttemptKey { attempt: 2, ..key }, &token));
        assert!(!tokens.verify(key, "") && !tokens.verify(key, &"é".repeat(32)));
        assert!(!TokenKey::new(vec![8; 32]).verify(key, &token));
    }
}
