//! What a browser sends: parameters of an address, and forms.

use std::borrow::Cow;

use http::{HeaderMap, header};
use orchestrator_engine::api::route::decode;
use orchestrator_engine::api::{Code, Problem};

/// Names and values, in order.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `a=1&b=2`. What is not UTF-8 is left out.
    pub fn read(text: &str) -> Fields {
        let plain = |text: &str| decode(&text.replace('+', " ")).map(Cow::into_owned);
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((plain(name)?, plain(value)?))
        });
        Fields(pairs.collect())
    }

    /// Reads the body of a form.
    ///
    /// # Errors
    /// When it is not one.
    pub fn of_form(headers: &HeaderMap, body: &[u8]) -> Result<Fields, Problem> {
        let kind = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default();
        if !kind
            .trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        {
            let detail = "the body is no form (programs use the API, see /openapi.json)";
            return Err(Problem::new(Code::ContentType, detail));
        }
        match std::str::from_utf8(body) {
            Ok(text) => Ok(Fields::read(text)),
            Err(_) => Err(Problem::new(Code::Malformed, "the form is not UTF-8")),
        }
    }

    /// A value without the white space around it; empty when it is absent. The last one counts.
    pub fn text(&self, name: &str) -> &str {
        self.whole(name).trim()
    }

    /// A value as it came.
    pub fn whole(&self, name: &str) -> &str {
        let found = self.0.iter().rev().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }

    /// A number, when it is one.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name).parse().ok()
    }

    /// Whether the field was sent.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_nonsense_is_left_out() {
        let fields = Fields::read("a=+x%3Cb%3E+&b=2&b=3&&c&d=%ff");
        assert_eq!(fields.text("a"), "x<b>");
        assert_eq!(fields.whole("a"), " x<b> ");
        assert_eq!(fields.number::<u32>("b"), Some(3));
        assert_eq!(
            (fields.has("c"), fields.has("d"), fields.has("e")),
            (true, false, false)
        );
        assert_eq!(fields.number::<u32>("a"), None);
    }

    #[test]
    fn only_forms_are_forms() {
        let headers = |kind: &str| {
            [(header::CONTENT_TYPE, kind.parse().unwrap())]
                .into_iter()
                .collect()
        };
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        assert_eq!(Fields::of_form(&headers(form), b"a=1").unwrap().text("a"), "1");
        assert_eq!(
            Fields::of_form(&headers("text/plain"), b"a=1").unwrap_err().code,
            "request.content-type"
        );
        assert_eq!(
            Fields::of_form(&headers(form), b"\xff").unwrap_err().code,
            "request.malformed"
        );
    }
}
