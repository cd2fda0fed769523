//! `policy test`: files of given/expect cases against the policy.

use std::path::Path;

use orchestrator_core::policy::cases::{self, CaseResult, Cases};
use serde::Serialize;

use super::submission::read_text;
use crate::args::{Global, PolicyTestArgs};
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::{Output, text};

/// What came of one file.
#[derive(Debug, Serialize)]
struct Tested {
    file: String,
    passed: usize,
    failed: usize,
    cases: Vec<CaseResult>,
}

/// Tests the policy.
pub fn run(global: &Global, args: &PolicyTestArgs, output: &Output) -> Result<Exit, Failure> {
    let tested: Result<Vec<Tested>, Failure> = args.files.iter().map(|file| test(global, file)).collect();
    let tested = tested?;
    let failed: usize = tested.iter().map(|file| file.failed).sum();
    output.answer(&tested, |tested, page| {
        for file in tested {
            for case in &file.cases {
                let sign = if case.passed() { "ok" } else { "FAILED" };
                page.line(format!("{sign:<6}  {}", text::one_line(&case.name)));
                for difference in &case.differences {
                    page.line(format!(
                        "        {}: expected {}, found {}",
                        difference.key, difference.expected, difference.found
                    ));
                }
                if !case.passed() {
                    page.line(format!(
                        "        the policy says: {}",
                        text::one_line(&case.choice.reason)
                    ));
                }
            }
            page.line(format!(
                "{}: {}, {} failed",
                file.file,
                text::count(file.cases.len(), "case"),
                file.failed
            ));
        }
    });
    Ok(if failed == 0 { Exit::Success } else { Exit::Failed })
}

fn test(global: &Global, path: &Path) -> Result<Tested, Failure> {
    let config = Config::load(global, Some(path))?;
    let file = path.display().to_string();
    let cases: Cases = cases::read(&read_text(path)?).map_err(|problems| {
        let details = problems
            .iter()
            .map(|problem| problem.in_file(&file).to_string())
            .collect();
        Failure::usage(format!("the cases in '{file}' cannot be read")).with_details(details)
    })?;
    let results = cases::run(&config.settings.policy, &cases);
    let failed = results.iter().filter(|case| !case.passed()).count();
    Ok(Tested {
        file,
        passed: results.len() - failed,
        failed,
        cases: results,
    })
}
