//! Whether a form was sent from a page of ours.
//!
//! A session's cookie is `SameSite=Strict`, so a browser does not send it with what another site makes it send. This is the
//! second lock, and the only one on a host without tokens, where there is no cookie to hold back.

use http::{HeaderMap, header};
use orchestrator_engine::api::{Code, Problem};

/// Refuses a form that comes from elsewhere. Browsers say so themselves: in `Sec-Fetch-Site`, or, where they do not send it
/// (over plain HTTP), in `Origin`. A form without either comes from no browser.
///
/// # Errors
/// When it does.
pub fn need_own(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text(header::HeaderName::from_static("sec-fetch-site"));
    let is_own = match (site, text(header::ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let authority = origin.split_once("://").map(|(_, authority)| authority);
            authority.is_some() && authority == text(header::HOST)
        }
        (None, None) => false,
    };
    match is_own {
        true => Ok(()),
        false => {
            let detail = "the form was not sent from a page of this console (open the console and try again)";
            Err(Problem::new(Code::ForeignOrigin, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_other_sites_are_refused() {
        let cases: &[(&[(&'static str, &str)], bool)] = &[
            (&[("sec-fetch-site", "same-origin")], true),
            (
                &[
                    ("sec-fetch-site", "same-site"),
                    ("origin", "http://here"),
                    ("host", "here"),
                ],
                false,
            ),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "http://here:1"), ("host", "here:1")], true),
            (&[("origin", "http://here:2"), ("host", "here:1")], false),
            (&[("origin", "null"), ("host", "here")], false),
            (&[("origin", "null")], false),
            (&[("host", "here")], false),
            (&[], false),
        ];
        for (pairs, allowed) in cases {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()));
            let headers: HeaderMap = pairs.collect();
            assert_eq!(need_own(&headers).is_ok(), *allowed, "{headers:?}");
        }
    }
}
