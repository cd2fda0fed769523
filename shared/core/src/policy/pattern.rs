//! Lists of names with `*`.

use std::collections::HashSet;

/// A list of names and patterns, prepared for asking often: plain names cost one look-up, patterns one pass each.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    exact: HashSet<String>,
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
                None => {
                    patterns.exact.insert(entry.as_ref().to_owned());
                }
            }
        }
        patterns
    }

    /// Whether `name` is on the list.
    pub fn matches(&self, name: &str) -> bool {
        self.exact.contains(name) || self.globs.iter().any(|glob| glob.matches(name))
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
        let Some(rest) = name.strip_prefix(self.prefix.as_str()) else {
            return false;
        };
        let Some(mut rest) = rest.strip_suffix(self.suffix.as_str()) else {
            return false;
        };
        for part in &self.middle {
            match rest.find(part.as_str()) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        true
    }
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
