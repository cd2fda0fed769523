//! What surrounds every page.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use maud::{DOCTYPE, Markup, html};
use orchestrator_engine::api::Caller;
use orchestrator_engine::api::Role;
use orchestrator_engine::api::response::Answer;
use sha2::{Digest, Sha256};

use crate::parts::icon;
use crate::{asset, url};

/// A page.
pub struct Page {
    /// For the browser's tab.
    pub title: String,
    /// Which entry of the menu it belongs to.
    pub section: Section,
    /// What it shows.
    pub body: Markup,
    /// Its status.
    pub status: StatusCode,
    /// How it stays up to date: the address of a stream, or `poll`.
    pub live: Option<String>,
}

/// An entry of the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Runs,
    New,
    Pools,
    Deadlines,
    Policy,
    Agents,
    Stats,
    None,
}

const MENU: [(Section, &str, &str); 7] = [
    (Section::Runs, "Runs", "runs"),
    (Section::New, "New run", "new"),
    (Section::Pools, "Pools", "pools"),
    (Section::Deadlines, "Deadlines", "sla"),
    (Section::Policy, "Policy", "policy"),
    (Section::Agents, "Agents", "agents"),
    (Section::Stats, "Numbers", "stats"),
];

/// Who looks at a page.
pub struct Frame {
    caller: Option<(String, &'static str)>,
    has_session: bool,
}

impl Frame {
    /// For somebody who has come in.
    pub fn of(caller: &Caller, has_session: bool) -> Frame {
        let role = match caller.role {
            Role::Operator => "operator",
            Role::Client => "client",
        };
        Frame {
            caller: Some((caller.client_id.clone(), role)),
            has_session,
        }
    }

    /// For somebody who has not.
    pub fn closed() -> Frame {
        Frame {
            caller: None,
            has_session: false,
        }
    }
}

impl Page {
    /// A page that stays as it is.
    pub fn new(title: impl Into<String>, section: Section, body: Markup) -> Page {
        Page {
            title: title.into(),
            section,
            body,
            status: StatusCode::OK,
            live: None,
        }
    }

    /// The same, kept up to date.
    pub fn live(self, live: String) -> Page {
        Page {
            live: Some(live),
            ..self
        }
    }
}

/// Whether the request asks for the inner part of a page only.
pub fn wants_part(parts: &Parts) -> bool {
    parts.headers.contains_key("hx-request")
}

/// The answer with a page. An unchanged page is not sent again.
pub fn render(page: Page, parts: &Parts, frame: &Frame) -> Answer {
    let status = page.status;
    let text = match wants_part(parts) {
        true => html! { title { (title(&page)) } (main(&page)) },
        false => whole(&page, frame),
    };
    let bytes = Bytes::from(text.into_string());
    let tag = tag(&bytes);
    let mut answer = Response::new(bytes);
    *answer.status_mut() = status;
    if status == StatusCode::OK && is_known(parts, &tag) {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        *answer.body_mut() = Bytes::new();
    }
    let headers = answer.headers_mut();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, html);
    let ask_again = HeaderValue::from_static("private, no-cache");
    headers.insert(header::CACHE_CONTROL, ask_again);
    headers.insert(
        header::VARY,
        HeaderValue::from_static("cookie, authorization, hx-request"),
    );
    headers.insert(header::ETAG, tag);
    answer
}

fn tag(bytes: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(bytes);
    HeaderValue::from_str(&format!("\"{}\"", hex::encode(&digest[..12]))).expect("digits are ASCII")
}

fn is_known(parts: &Parts, tag: &HeaderValue) -> bool {
    let known = parts.headers.get(header::IF_NONE_MATCH);
    let known = known.and_then(|value| value.to_str().ok()).unwrap_or_default();
    known
        .split(',')
        .any(|known| known.trim().trim_start_matches("W/").as_bytes() == tag.as_bytes())
}

/// Sends a browser to another page.
pub fn redirect(to: &str) -> Answer {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/ui/runs"));
    answer.headers_mut().insert(header::LOCATION, to);
    answer
}

fn title(page: &Page) -> String {
    format!("{} · Master Orchestrator", page.title)
}

/// htmx compiles no text into code, adds no styles, and asks this server only. Error pages are shown as well.
const HTMX: &str = r#"{"allowEval":false,"includeIndicatorStyles":false,"selfRequestsOnly":true,"historyCacheSize":0,"responseHandling":[{"code":"204","swap":false},{"code":"...","swap":true}]}"#;

fn whole(page: &Page, frame: &Frame) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="htmx-config" content=(HTMX);
                title { (title(page)) }
                link rel="icon" type="image/svg+xml" href=(asset::url("icon.svg"));
                link rel="stylesheet" href=(asset::url("console.css"));
                script src=(asset::url("theme.js")) {}
                script src=(asset::url("htmx.min.js")) defer {}
                script src=(asset::url("idiomorph-ext.min.js")) defer {}
                script src=(asset::url("console.js")) defer {}
            }
            body hx-ext="morph" {
                a.skip href="#main" { "Skip to the page" }
                (icon::sprite())
                header.top {
                    a.brand href=(format!("{}/runs", url::BASE)) { (icon::use_("logo")) span { "Master Orchestrator" } }
                    @if let Some((client, role)) = &frame.caller {
                        nav aria-label="Console" {
                            @for (section, name, path) in MENU {
                                a href=(format!("{}/{path}", url::BASE)) aria-current=[(section == page.section).then_some("page")] { (name) }
                            }
                        }
                        div.who {
                            span.caller title=(format!("You are '{client}', {role} of this server")) { (client) " · " (role) }
                            @if frame.has_session {
                                form method="post" action=(format!("{}/sign-out", url::BASE)) { button.quiet type="submit" { "Sign out" } }
                            }
                            button.quiet #theme type="button" hidden aria-label="Colours: as the system has them" { (icon::use_("theme")) }
                        }
                    }
                }
                p #offline role="status" hidden { "The server does not answer. This page shows what was known before; it goes on by itself." }
                (main(page))
                footer #zone hidden { "Times are in your time zone; point at one to see it in full." }
            }
        }
    }
}

fn main(page: &Page) -> Markup {
    html! {
        main #main tabindex="-1" data-live=[page.live.as_deref()] { (page.body) }
    }
}
