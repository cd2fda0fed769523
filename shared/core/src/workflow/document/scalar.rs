//! What an unquoted scalar means: the core schema of YAML 1.2 (section 10.3.2). So `on`, `yes` and `1:30` are texts.

use std::borrow::Cow;

use serde_json::Number;

use super::Content;

/// The value of a plain scalar; `None` for a number that JSON cannot hold (NaN, infinity).
pub(super) fn resolve(text: Cow<'_, str>) -> Option<Content<'_>> {
    let content = match text.as_bytes() {
        [] | b"~" | b"null" | b"Null" | b"NULL" => Content::Null,
        b"true" | b"True" | b"TRUE" => Content::Bool(true),
        b"false" | b"False" | b"FALSE" => Content::Bool(false),
        [b'0'..=b'9' | b'-' | b'+' | b'.', ..] => match number(&text) {
            Found::Number(number) => Content::Number(number),
            Found::NoJson => return None,
            Found::Text => Content::Text(text),
        },
        _ => Content::Text(text),
    };
    Some(content)
}

enum Found {
    Number(Number),
    NoJson,
    Text,
}

fn number(text: &str) -> Found {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Found::NoJson;
    }
    if let Some(number) = radix(text, "0x", 16).or_else(|| radix(text, "0o", 8)) {
        return Found::Number(number);
    }
    match shape(unsigned.as_bytes()) {
        Shape::Text => Found::Text,
        Shape::Integer => match text.parse::<i64>() {
            Ok(integer) => Found::Number(integer.into()),
            Err(_) => match text.parse::<u64>() {
                Ok(natural) => Found::Number(natural.into()),
                Err(_) => double(text),
            },
        },
        Shape::Double => double(text),
    }
}

fn double(text: &str) -> Found {
    match text.parse::<f64>().ok().and_then(Number::from_f64) {
        Some(number) => Found::Number(number),
        None => Found::NoJson,
    }
}

fn radix(text: &str, prefix: &str, radix: u32) -> Option<Number> {
    let digits = text.strip_prefix(prefix)?;
    if digits.starts_with('+') {
        None
    } else {
        u64::from_str_radix(digits, radix).ok().map(Number::from)
    }
}

enum Shape {
    Integer,
    Double,
    Text,
}

/// `( "." [0-9]+ | [0-9]+ ( "." [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn shape(text: &[u8]) -> Shape {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(text);
    let mut rest = &text[whole..];
    if rest.is_empty() && whole > 0 {
        return Shape::Integer;
    }
    let mut fraction = 0;
    if let Some(tail) = rest.strip_prefix(b".") {
        fraction = digits(tail);
        rest = &tail[fraction..];
    }
    if whole + fraction == 0 {
        return Shape::Text;
    }
    if let [b'e' | b'E', tail @ ..] = rest {
        let tail = if let [b'-' | b'+', tail @ ..] = tail {
            tail
        } else {
            tail
        };
        let exponent = digits(tail);
        rest = &tail[exponent..];
        if exponent == 0 {
            return Shape::Text;
        }
    }
    if rest.is_empty() {
        Shape::Double
    } else {
        Shape::Text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::workflow::document::Node;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let cases = [
            ("", json!(null)),
            ("~", json!(null)),
            ("null", json!(null)),
            ("True", json!(true)),
            ("0", json!(0)),
            ("-12", json!(-12)),
            ("+12", json!(12)),
            ("007", json!(7)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("1.5", json!(1.5)),
            ("-.5", json!(-0.5)),
            ("1.", json!(1.0)),
            ("1e3", json!(1000.0)),
            ("2.5E-1", json!(0.25)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1e", json!("1e")),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("1:30", json!("1:30")),
            ("2026-11-22", json!("2026-11-22")),
            ("1_000", json!("1_000")),
            (".", json!(".")),
            ("-", json!("-")),
            ("1.2.3", json!("1.2.3")),
            ("0x", json!("0x")),
            ("0b1", json!("0b1")),
            ("+-1", json!("+-1")),
            (".e1", json!(".e1")),
        ];
        for (text, expected) in cases {
            let content = resolve(Cow::Borrowed(text)).unwrap();
            let value: Value = Node { at: 0, content }.to_json();
            assert_eq!(value, expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_without_json_form_are_refused() {
        for text in [".inf", "-.INF", "+.inf", ".nan", "1e999", "-1e999"] {
            assert_eq!(resolve(Cow::Borrowed(text)), None, "{text}");
        }
    }
}
