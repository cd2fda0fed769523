//! Signatures of alerts, so that their receiver knows who sent them and when.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The key that signs alerts.
#[derive(Clone, PartialEq, Eq)]
pub struct AlertKeySecret(Vec<u8>);

impl std::fmt::Debug for AlertKeySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AlertKeySecret(secret)")
    }
}

impl AlertKeySecret {
    /// Wraps the secret as it is.
    pub fn new(secret: impl Into<Vec<u8>>) -> AlertKeySecret {
        AlertKeySecret(secret.into())
    }

    /// `v1=` and HMAC-SHA-256 over the seconds since 1970 as text, a dot, and the body, in hexadecimal.
    pub fn sign(&self, seconds: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(seconds.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("v1={}", hex::encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_documented_one() {
        // printf '1.{}' | openssl dgst -sha256 -hmac key
        let signature = AlertKeySecret::new("key").sign(1, b"{}");
        assert_eq!(
            signature,
            "v1=1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224"
        );
    }
}
