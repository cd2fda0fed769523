//! A sentence as tokens.

use super::lang;

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub kind: Kind,
    /// As it was written.
    pub raw: String,
    /// In lower case.
    pub text: String,
    /// Without its ending; equal for forms of one word.
    pub stem: String,
    /// Whether it was misspelt and has been put right.
    pub corrected: bool,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Word,
    /// With what it is worth; 20 % is 0.2.
    Number(f64),
    Path,
    Email,
    /// Something in quotes.
    Quoted,
    Mark(char),
    /// A piece of writing without blanks that no known word is found in.
    Rest,
}

impl Token {
    fn new(kind: Kind, raw: &str) -> Token {
        let text = raw.to_lowercase();
        Token {
            kind,
            raw: raw.to_owned(),
            stem: stem(&text),
            text,
            corrected: false,
        }
    }

    pub fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }

    pub fn has(&self, role: lang::Role) -> bool {
        self.kind == Kind::Word && lang::is(&self.text, role)
    }
}

/// A word without the endings by which forms differ. Crude on purpose: it only has to give the same for the same.
pub(super) fn stem(word: &str) -> String {
    const KEPT_MIN: usize = 3;
    const ENDINGS: [&str; 4] = ["ing", "ed", "es", "s"];
    let mut stem = word;
    if word.is_ascii() && word.len() > 4 {
        for ending in ENDINGS {
            if let Some(rest) = word.strip_suffix(ending)
                && rest.len() >= KEPT_MIN
                && !(ending == "s" && rest.ends_with('s'))
            {
                stem = rest;
                break;
            }
        }
        if stem.len() > KEPT_MIN {
            stem = stem.strip_suffix('e').unwrap_or(stem);
        }
    }
    stem.to_owned()
}

/// The words of a phrase, as stems.
pub(super) fn stems(phrase: &str) -> Vec<String> {
    let words = phrase.split(|c: char| c.is_whitespace() || "_-'’./".contains(c));
    words
        .filter(|word| !word.is_empty())
        .map(|word| stem(&word.to_lowercase()))
        .collect()
}

/// Takes a sentence apart; `known` are the words that writing without blanks is taken apart by, the longest first.
pub(super) fn tokens(text: &str, known: &[String]) -> Vec<Token> {
    const PLAIN: [(&str, &str); 9] = [
        ("->", " → "),
        ("=>", " → "),
        ("n't", " not"),
        ("n’t", " not"),
        ("，", ", "),
        ("、", ", "),
        ("。", ". "),
        ("；", "; "),
        ("：", ": "),
    ];
    let text = PLAIN
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let mut tokens = Vec::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            if first == '\n' {
                tokens.push(Token::new(Kind::Mark('\n'), "\n"));
            }
            rest = &rest[first.len_utf8()..];
        } else if let Some((inside, after)) = quoted(rest, first) {
            tokens.push(Token::new(
                if is_path(inside) { Kind::Path } else { Kind::Quoted },
                inside,
            ));
            rest = after;
        } else {
            let end = rest
                .char_indices()
                .find(|(at, c)| c.is_whitespace() || *at > 0 && closing(*c).is_some());
            let (chunk, after) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
            take_chunk(chunk, known, &mut tokens);
            rest = after;
        }
    }
    tokens
}

/// The mark that ends what this mark begins.
fn closing(first: char) -> Option<char> {
    match first {
        '"' | '`' => Some(first),
        '“' | '„' => Some('”'),
        '«' => Some('»'),
        '「' => Some('」'),
        _ => None,
    }
}

fn quoted(rest: &str, first: char) -> Option<(&str, &str)> {
    const BYTES_MAX: usize = 400;
    let end = closing(first)?;
    let inside = &rest[first.len_utf8()..];
    let at = inside.find(end).filter(|at| (1..=BYTES_MAX).contains(at))?;
    Some((inside[..at].trim(), &inside[at + end.len_utf8()..]))
}

fn take_chunk(chunk: &str, known: &[String], tokens: &mut Vec<Token>) {
    let start = chunk.trim_start_matches(['(', '[', '{']);
    let core = start.trim_end_matches([',', '.', ';', ':', '!', '?', ')', ']', '}']);
    let marks = &start[core.len()..];
    match whole(core) {
        Some(kind) => tokens.push(Token::new(kind, core)),
        None => take_words(core, known, tokens),
    }
    for mark in marks.chars() {
        tokens.push(Token::new(Kind::Mark(mark), &mark.to_string()));
    }
}

/// What a chunk is as a whole.
fn whole(chunk: &str) -> Option<Kind> {
    if let Some(number) = number(chunk) {
        return Some(Kind::Number(number));
    }
    let is_email =
        chunk.contains('@') && !chunk.contains('/') && chunk.split('@').all(|part| !part.is_empty());
    if is_email {
        return Some(Kind::Email);
    }
    is_path(chunk).then_some(Kind::Path)
}

/// `0.3`, `20%`, `1,000,000`, `10k`, `2M`, and the second part of `80/20`.
fn number(chunk: &str) -> Option<f64> {
    if !chunk.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some((left, right)) = chunk.split_once('/') {
        let (left, right): (f64, f64) = (left.parse().ok()?, right.parse().ok()?);
        return (left + right == 100.0).then_some(right / 100.0);
    }
    let plain = chunk.replace([',', '_'], "");
    let (digits, factor) = match plain.chars().next_back()? {
        '%' => (&plain[..plain.len() - 1], 0.01),
        'k' | 'K' => (&plain[..plain.len() - 1], 1e3),
        'm' | 'M' => (&plain[..plain.len() - 1], 1e6),
        _ => (plain.as_str(), 1.0),
    };
    let number: f64 = digits.parse().ok()?;
    (number.is_finite() && number < 1e15).then_some(number * factor)
}

fn is_path(chunk: &str) -> bool {
    const ENDINGS: [&str; 19] = [
        "csv", "tsv", "parquet", "json", "jsonl", "xlsx", "xls", "feather", "arrow", "orc", "avro", "txt",
        "db", "sqlite", "h5", "pkl", "gz", "zip", "onnx",
    ];
    let lower = chunk.to_lowercase();
    let has_ending = lower
        .rsplit_once('.')
        .is_some_and(|(name, ending)| !name.is_empty() && ENDINGS.contains(&ending));
    let begins = ["/", "./", "../", "~", "data/"]
        .iter()
        .any(|start| lower.starts_with(start))
        && chunk.len() > 1;
    has_ending || begins || chunk.contains("://") || chunk.matches('/').count() > 1
}

fn take_words(chunk: &str, known: &[String], tokens: &mut Vec<Token>) {
    let mut rest = chunk;
    while let Some(first) = rest.chars().next() {
        let same = |c: char| match lang::is_unspaced(first) {
            true => lang::is_unspaced(c),
            false => c.is_alphanumeric() && !lang::is_unspaced(c),
        };
        let end = rest
            .char_indices()
            .find(|(_, c)| !same(*c))
            .map_or(rest.len(), |(at, _)| at);
        if end == 0 {
            if !"-_'’".contains(first) {
                tokens.push(Token::new(Kind::Mark(first), &first.to_string()));
            }
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(end);
        if lang::is_unspaced(first) {
            take_unspaced(word, known, tokens);
        } else {
            let kind = number(word).map_or(Kind::Word, Kind::Number);
            tokens.push(Token::new(kind, word));
        }
        rest = after;
    }
}

/// Takes the longest known word at each place; what is between known words stays together.
fn take_unspaced(run: &str, known: &[String], tokens: &mut Vec<Token>) {
    let mut between = 0;
    let mut at = 0;
    while at < run.len() {
        match known.iter().find(|word| run[at..].starts_with(word.as_str())) {
            Some(word) => {
                if between < at {
                    tokens.push(Token::new(Kind::Rest, &run[between..at]));
                }
                tokens.push(Token::new(Kind::Word, word));
                at += word.len();
                between = at;
            }
            None => at += run[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    if between < run.len() {
        tokens.push(Token::new(Kind::Rest, &run[between..]));
    }
}

/// Whether `typed` is probably `meant`, misspelt. Short words only with two letters swapped: `form` is not `from` by accident more
/// often than it is another word.
pub(super) fn is_misspelt(typed: &str, meant: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (typed.chars().collect(), meant.chars().collect());
    if a.len() < 4 || b.len() < 4 || a[0] != b[0] || a == b {
        return false;
    }
    let prefix = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[prefix..], &b[prefix..]);
    let suffix = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(x, y)| x == y)
        .count();
    let (left, right) = (a.len() - suffix.min(a.len()), b.len() - suffix.min(b.len()));
    let length = meant.chars().count();
    match (left, right) {
        (2, 2) => a[0] == b[1] && a[1] == b[0],
        (1, 0) | (0, 1) => typed.chars().count() >= 5,
        (1, 1) => length >= 6,
        (2, 0) | (0, 2) | (2, 1) | (1, 2) => length >= 9,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let known = ["训练", "模型"].map(str::to_owned);
        let show = |token: Token| match token.kind {
            Kind::Word => token.text,
            Kind::Number(number) => format!("#{number}"),
            Kind::Path => format!("path:{}", token.raw),
            Kind::Email => format!("mail:{}", token.raw),
            Kind::Quoted => format!("'{}'", token.raw),
            Kind::Rest => format!("?{}", token.raw),
            Kind::Mark(mark) => mark.to_string(),
        };
        tokens(text, &known).into_iter().map(show).collect()
    }

    #[test]
    fn sentences_become_tokens() {
        let cases: [(&str, &[&str]); 7] = [
            (
                "Load data/x.csv, then clean.",
                &["load", "path:data/x.csv", ",", "then", "clean", "."],
            ),
            (
                "cross-validate with 10 folds",
                &["cross", "validate", "with", "#10", "folds"],
            ),
            (
                "split 80/20, 1,000,000 rows, 20%",
                &["split", "#0.2", ",", "#1000000", "rows", ",", "#0.2"],
            ),
            (
                "mail a.b@example.org; target=\"is churned\"",
                &["mail", "mail:a.b@example.org", ";", "target", "=", "'is churned'"],
            ),
            ("请训练一种模型", &["?请", "训练", "?一种", "模型"]),
            (
                "train/test split -> report",
                &["train", "/", "test", "split", "→", "report"],
            ),
            ("don't read ~/.ssh/id", &["do", "not", "read", "path:~/.ssh/id"]),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn only_likely_misspellings_are_put_right() {
        for (typed, meant) in [
            ("tarin", "train"),
            ("laod", "load"),
            ("evalute", "evaluate"),
            ("reprot", "report"),
            ("visualze", "visualize"),
            ("profil", "profile"),
        ] {
            assert!(is_misspelt(typed, meant), "{typed}");
        }
        for (typed, other) in [
            ("clear", "clean"),
            ("lead", "load"),
            ("trail", "train"),
            ("drain", "train"),
            ("rain", "train"),
            ("store", "score"),
            ("train", "train"),
        ] {
            assert!(!is_misspelt(typed, other), "{typed}");
        }
    }

    #[test]
    fn forms_of_a_word_have_one_stem() {
        for forms in [
            ["train", "training", "trained"],
            ["evaluate", "evaluating", "evaluates"],
            ["profile", "profiling", "profiles"],
            ["model", "models", "modeling"],
        ] {
            let first = stem(forms[0]);
            assert!(forms.iter().all(|form| stem(form) == first), "{forms:?}");
        }
    }
}
