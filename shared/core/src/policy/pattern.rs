//! Lists of names with `*`.

/// A list of names and patterns, prepared for asking often: plain names cost one binary search, patterns one pass each.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    /// Sorted.
    exact: Vec<String>,
    globs: Vec<Glob>,
}

/// A pattern with at least one `*`, which stands for any run of characters.
#[derive(Debug, Clone)]
struct Glob {
    prefix: String,
    middle: Vec<String>,
    suffix: String,
}

impl Patterns {
    /// Prepares a list.
    pub fn new<S: AsRef<str>>(list: &[S]) -> Patterns {
        let mut patterns = Patterns::default();
        for entry in list {
            match Glob::parse(entry.as_ref()) {
                Some(glob) => patterns.globs.push(glob),
                None => patterns.exact.push(entry.as_ref().to_owned()),
            }
        }
        patterns.exact.sort_unstable();
        patterns
    }

    /// Whether `name` is on the list.
    pub fn matches(&self, name: &str) -> bool {
        self.exact
            .binary_search_by(|entry| entry.as_str().cmp(name))
            .is_ok()
            || self.globs.iter().any(|glob| glob.matches(name))
    }
}

impl Glob {
    fn parse(pattern: &str) -> Option<Glob> {
        let mut parts = pattern.split('*');
        let prefix = parts.next()?.to_owned();
        let suffix = parts.next_back()?.to_owned();
        let middle = parts.filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Some(Glob {
            prefix,
            middle,
            suffix,
        })
    }

    fn matches(&self, name: &str) -> bool {
        let (name, prefix, suffix) = (name.as_bytes(), self.prefix.as_bytes(), self.suffix.as_bytes());
        // Most names differ from most patterns in the first or last letter, which spares a call to compare the rest.
        let differs = (!prefix.is_empty() && prefix.first() != name.first())
            || (!suffix.is_empty() && suffix.last() != name.last());
        if differs {
            return false;
        }
        let inner = name
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_suffix(suffix));
        let Some(mut rest) = inner else { return false };
        for part in &self.middle {
            match find(rest, part.as_bytes()) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        true
    }
}

/// Where `part`, which is not empty, first stands in `text`. Both are short: trying every place beats preparing a search.
fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    let places = 0..=text.len().checked_sub(part.len())?;
    places
        .into_iter()
        .find(|&at| text[at] == part[0] && text[at..].starts_with(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        let table = [
            ("load", "load", true),
            ("load", "load_data", false),
            ("load_*", "load_data", true),
            ("load_*", "load_", true),
            ("load_*", "reload_data", false),
            ("*_report", "weekly_report", true),
            ("*report*", "generate_report_pdf", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(
                Patterns::new(&[pattern]).matches(name),
                expected,
                "'{pattern}' on '{name}'"
            );
        }
    }
}
