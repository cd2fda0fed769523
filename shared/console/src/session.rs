//! Signing in, on hosts that ask for tokens: a browser shows its token once and keeps a session in a cookie.

use http::{HeaderMap, HeaderValue, header};
use maud::html;
use orchestrator_engine::api::response::Answer;
use orchestrator_engine::api::{Access, Backend, Caller, Problem};

use crate::form::Fields;
use crate::shell::{Page, Section, redirect};
use crate::url;

/// Name of the cookie.
const COOKIE: &str = "orchestrator_session";
/// How long a session lasts.
const SESSION_MS: u64 = 12 * 3_600_000;

/// Who visits: whom the API would take them for, or whose session their cookie is.
///
/// # Errors
/// When they are nobody.
pub fn caller<B: Backend>(
    backend: &B,
    access: &Access,
    method: &http::Method,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let session = cookie(headers).and_then(|text| access.of_session(text, backend.now()));
    match session {
        Some(caller) => Ok(caller),
        None => access.caller(method, headers),
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter();
    let pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}

/// The page to sign in on.
pub fn page(to: &str, problem: Option<&str>) -> Page {
    let body = html! {
        div.card.narrow {
            h1 { "Sign in" }
            p { "This server asks for a token. It is the one that programs send as " code { "Authorization: Bearer" }
                "; whoever runs the server gave it to you or can make one." }
            @if let Some(problem) = problem {
                p.problem role="alert" { (problem) }
            }
            form method="post" action=(format!("{}/sign-in", url::BASE)) {
                input type="hidden" name="to" value=(own(to));
                label for="token" { "Token" }
                input #token type="password" name="token" autocomplete="current-password" required autofocus;
                button.primary type="submit" { "Sign in" }
            }
        }
    };
    Page::new("Sign in", Section::None, body)
}

/// Takes the token and begins a session.
pub fn sign_in<B: Backend>(
    backend: &B,
    access: &Access,
    fields: &Fields,
    is_secure: bool,
) -> Result<Answer, Page> {
    let to = own(fields.text("to"));
    let until = backend.now() + SESSION_MS;
    match access.begin_session(fields.text("token"), until) {
        Some(session) => {
            // A cookie that must not go over plain HTTP would be lost on a server without TLS.
            let secure = if is_secure { "; Secure" } else { "" };
            Ok(with_cookie(redirect(to), &session, SESSION_MS / 1_000, secure))
        }
        None => Err(page(
            to,
            Some("This token is not known here. Was it copied whole?"),
        )),
    }
}

/// Forgets the session.
pub fn sign_out() -> Answer {
    with_cookie(redirect(&format!("{}/sign-in", url::BASE)), "", 0, "")
}

fn with_cookie(mut answer: Answer, value: &str, seconds: u64, secure: &str) -> Answer {
    let path = url::BASE;
    let cookie =
        format!("{COOKIE}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let cookie = HeaderValue::from_str(&cookie).expect("a session is digits and a dot");
    answer.headers_mut().insert(header::SET_COOKIE, cookie);
    answer
}

/// An address within the console; others lead to its first page.
fn own(to: &str) -> &str {
    let is_own = to.starts_with("/ui/") && to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    match is_own {
        true => to,
        false => "/ui/runs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        assert_eq!(own("/ui/pools?a=1"), "/ui/pools?a=1");
        for to in [
            "",
            "//evil.example",
            "https://evil.example",
            "/ui/\r\nx: y",
            "/ui/\\\\evil",
            "/runs",
        ] {
            assert_eq!(own(to), "/ui/runs", "{to}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let headers = |text: &str| {
            [(header::COOKIE, text.parse().unwrap())]
                .into_iter()
                .collect::<HeaderMap>()
        };
        assert_eq!(
            cookie(&headers("a=1; orchestrator_session=5.ab; b=2")),
            Some("5.ab")
        );
        assert_eq!(cookie(&headers("xorchestrator_session=5.ab")), None);
        assert_eq!(cookie(&HeaderMap::new()), None);
    }
}
