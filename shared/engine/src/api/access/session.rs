//! Sessions of browsers: what a console keeps in a cookie instead of the token itself.
//!
//! A session is an end and a MAC of it and the client under the client's token. The server keeps nothing, and a token that is
//! taken away takes its sessions with it.

use hmac::{Hmac, Mac};
use orchestrator_core::time::Timestamp;
use sha2::Sha256;

use super::{Access, Caller, Kind, Token, is_equal};

/// Longest session that is looked at, bytes.
const LENGTH_MAX: usize = 256;

impl Access {
    /// Begins a session of whoever shows this token; `None` when it is not known.
    pub fn begin_session(&self, secret: &str, until: Timestamp) -> Option<String> {
        let Kind::Tokens(tokens) = &self.0 else {
            return None;
        };
        let mut found = None;
        for token in tokens {
            if is_equal(token.secret.as_bytes(), secret.as_bytes()) {
                found = Some(token);
            }
        }
        Some(session(found?, until))
    }

    /// Whose session this is; `None` when it is not one, or is over.
    pub fn of_session(&self, text: &str, now: Timestamp) -> Option<Caller> {
        let Kind::Tokens(tokens) = &self.0 else {
            return None;
        };
        let (until, _) = text.split_once('.').filter(|_| text.len() <= LENGTH_MAX)?;
        let until = Timestamp(until.parse().ok()?);
        let is_this = |token: &&Token| is_equal(session(token, until).as_bytes(), text.as_bytes());
        let token = tokens.iter().find(is_this).filter(|_| now < until)?;
        Some(token.caller.clone())
    }
}

/// `END.MAC`, the end in milliseconds since 1970.
fn session(token: &Token, until: Timestamp) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(token.secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(b"session of a browser\n");
    mac.update(&until.0.to_be_bytes());
    mac.update(token.caller.client_id.as_bytes());
    format!("{}.{}", until.0, hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Role;

    fn access(secrets: &[&str]) -> Access {
        let token = |secret: &&str| Token {
            secret: (*secret).to_owned(),
            caller: Caller {
                client_id: format!("client of {secret}"),
                role: Role::Client,
            },
        };
        Access::with_tokens(secrets.iter().map(token).collect())
    }

    #[test]
    fn a_session_ends_and_goes_with_its_token() {
        let both = access(&["first", "second"]);
        let session = both.begin_session("second", Timestamp(100)).unwrap();
        assert!(!session.contains("second"));
        let caller = both.of_session(&session, Timestamp(99)).unwrap();
        assert_eq!(caller.client_id, "client of second");
        assert_eq!(both.of_session(&session, Timestamp(100)), None);
        assert_eq!(access(&["first"]).of_session(&session, Timestamp(1)), None);
        assert_eq!(both.begin_session("third", Timestamp(100)), None);
        assert_eq!(
            Access::open_on_loopback().of_session(&session, Timestamp(1)),
            None
        );
    }

    #[test]
    fn nonsense_is_no_session() {
        let access = access(&["first"]);
        let session = access.begin_session("first", Timestamp(100)).unwrap();
        let later = session.replacen("100", "999", 1);
        for text in ["", ".", "100.", "x.y", "é.é", &later, &"9.".repeat(5_000)] {
            assert_eq!(access.of_session(text, Timestamp(1)), None, "{text}");
        }
    }
}
