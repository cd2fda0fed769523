//! Query parameters: every one is known, or the request is refused.

use std::borrow::Cow;
use std::str::FromStr;

use super::problem::{Code, Problem};
use super::route::decode;

/// The parameters of a request, in order.
#[derive(Debug)]
pub struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Reads the text behind the `?`.
    ///
    /// # Errors
    /// When it is not percent-encoded UTF-8, or has a parameter that is not among `known`.
    pub fn read(text: Option<&'a str>, known: &[&str]) -> Result<Query<'a>, Problem> {
        let mut pairs = Vec::new();
        for pair in text
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = match (plain(name), plain(value)) {
                (Some(name), Some(value)) => (name, value),
                _ => return Err(bad(format!("'{}' is not percent-encoded UTF-8", short(pair)))),
            };
            if !known.contains(&name.as_ref()) {
                let remedy = match known {
                    [] => "this path takes none".to_owned(),
                    known => format!("this path takes {}", known.join(", ")),
                };
                return Err(bad(format!("unknown parameter '{}' ({remedy})", short(&name))));
            }
            pairs.push((name, value));
        }
        Ok(Query { pairs })
    }

    /// The value of a parameter; the last one counts.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .rev()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_ref())
    }

    /// Every value of a parameter, also where commas separate them.
    pub fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        let values = self.pairs.iter().filter(move |(found, _)| found == name);
        values.map(|(_, value)| value.as_ref())
    }

    /// A number within bounds.
    ///
    /// # Errors
    /// When it is not one.
    pub fn number<T: FromStr + PartialOrd + std::fmt::Display>(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match text.parse::<T>() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(bad(format!(
                "parameter '{name}' is '{}' (a whole number from {} to {})",
                short(text),
                range.start(),
                range.end()
            ))),
        }
    }

    /// `true` or `false`; a parameter without value is `true`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.text(name) {
            None | Some("false" | "0") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(other) => Err(bad(format!(
                "parameter '{name}' is '{}' (true or false)",
                short(other)
            ))),
        }
    }
}

/// A problem with a parameter.
pub fn bad(detail: String) -> Problem {
    Problem::new(Code::BadParameter, detail)
}

/// The beginning of a text from outside, for messages.
pub fn short(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(64) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

fn plain(text: &str) -> Option<Cow<'_, str>> {
    match text.contains('+') {
        true => decode(&text.replace('+', " ")).map(|text| Cow::Owned(text.into_owned())),
        false => decode(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_bounded() {
        let query = Query::read(
            Some("limit=7&status=A,B&q=a+b%2Bc&items"),
            &["limit", "status", "q", "items"],
        )
        .unwrap();
        assert_eq!(query.number("limit", 1..=10), Ok(Some(7_u32)));
        assert_eq!(
            query.number::<u32>("status", 1..=10).unwrap_err().code,
            "request.bad-parameter"
        );
        assert_eq!(query.text("q"), Some("a b+c"));
        assert_eq!((query.flag("items"), query.flag("none")), (Ok(true), Ok(false)));
    }

    #[test]
    fn an_unknown_parameter_is_named_with_the_known_ones() {
        let problem = Query::read(Some("statsu=A"), &["status"]).unwrap_err();
        assert_eq!(
            problem.detail,
            "unknown parameter 'statsu' (this path takes status)"
        );
    }
}
