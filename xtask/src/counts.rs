//! Reads from what test runners print how many tests passed and failed.

/// How many passed, how many failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
}

impl Counts {
    /// One check that has no parts.
    pub fn one(passed: bool) -> Counts {
        Counts {
            passed: passed.into(),
            failed: (!passed).into(),
        }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Adds up the summaries of `cargo test`: `test result: ok. 3 passed; 0 failed; ...`, one for each test binary.
pub fn of_cargo_test(output: &str) -> Counts {
    let mut counts = Counts::default();
    for summary in output.lines().filter(|line| line.starts_with("test result:")) {
        counts += Counts {
            passed: number_before(summary, "passed"),
            failed: number_before(summary, "failed"),
        };
    }
    counts
}

/// Reads the summary of nextest: `Summary [ 1.2s] 9 tests run: 8 passed (1 slow), 1 failed, 0 skipped`. Tests that
/// timed out or did not start count as failed, therefore the difference.
pub fn of_nextest(output: &str) -> Counts {
    let Some(summary) = output
        .lines()
        .rev()
        .find(|line| line.trim_start().starts_with("Summary ["))
    else {
        return Counts::default();
    };
    let run = number_before(summary, "test run:").max(number_before(summary, "tests run:"));
    let passed = number_before(summary, "passed");
    Counts {
        passed,
        failed: run.saturating_sub(passed),
    }
}

/// Reads the end of what `node --test` prints as TAP: `# pass 9`, then `# fail 0`.
pub fn of_node(output: &str) -> Counts {
    let last = |name: &str| {
        let mut lines = output.lines().rev();
        let number = lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        number.unwrap_or(0)
    };
    Counts {
        passed: last("# pass "),
        failed: last("# fail ") + last("# cancelled "),
    }
}

/// Reads the end of Python's unittest: `Ran 9 tests in 0.1s`, then `FAILED (failures=1, errors=2, skipped=1)` if not all is
/// well. A test with failing parts may count more than once as failed.
pub fn of_unittest(output: &str) -> Counts {
    let last = |start: &str| output.lines().rev().find(|line| line.starts_with(start));
    let Some(ran) = last("Ran ") else {
        return Counts::default();
    };
    let run = number_before(ran, "test");
    let failed = last("FAILED (").map_or(0, |line| {
        let number = |name: &str| -> u64 {
            let after = line.split_once(name).map_or("", |(_, after)| after);
            let end = after.find([',', ')']).unwrap_or(after.len());
            after[..end].parse().unwrap_or(0)
        };
        number("failures=") + number("errors=")
    });
    Counts {
        passed: run.saturating_sub(failed),
        failed,
    }
}

/// The number that stands directly before a text; 0 if there is none. `3/9 tests run` means that 3 were run.
fn number_before(line: &str, text: &str) -> u64 {
    let Some((before, _)) = line.split_once(text) else {
        return 0;
    };
    let word = before.split_whitespace().next_back().unwrap_or_default();
    let number = word.split('/').next().unwrap_or_default();
    number.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binaries_of_cargo_test_are_added_up() {
        let output = "\
running 3 tests
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
noise: 77 passed
test result: FAILED. 40 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s
";
        assert_eq!(
            of_cargo_test(output),
            Counts {
                passed: 43,
                failed: 2
            }
        );
    }

    #[test]
    fn whatever_nextest_ran_and_did_not_pass_has_failed() {
        let cases = [
            ("     Summary [   0.005s] 1 test run: 1 passed, 0 skipped", 1, 0),
            (
                "     Summary [   1.205s] 312 tests run: 312 passed (2 slow), 4 skipped",
                312,
                0,
            ),
            (
                "     Summary [   1.2s] 9 tests run: 6 passed, 2 failed, 1 timed out, 0 skipped",
                6,
                3,
            ),
            (
                "     Summary [   1.2s] 3/9 tests run: 2 passed, 1 failed, 0 skipped",
                2,
                1,
            ),
            ("error: no summary", 0, 0),
        ];
        for (line, passed, failed) in cases {
            assert_eq!(of_nextest(line), Counts { passed, failed }, "{line}");
        }
    }

    #[test]
    fn the_last_summary_of_node_counts() {
        let output = "ok 1 - a\n# pass 7\nnot ok 2\n# tests 5\n# pass 3\n# fail 1\n# cancelled 1\n";
        assert_eq!(of_node(output), Counts { passed: 3, failed: 2 });
        assert_eq!(of_node("nothing"), Counts::default());
    }

    #[test]
    fn failures_and_errors_of_unittest_have_failed() {
        let cases = [
            ("Ran 23 tests in 7.202s\n\nOK\n", 23, 0),
            ("Ran 1 test in 0.1s\n\nFAILED (errors=1)\n", 0, 1),
            (
                "Ran 9 tests in 1s\n\nFAILED (failures=2, errors=1, skipped=1)\n",
                6,
                3,
            ),
            ("Traceback", 0, 0),
        ];
        for (output, passed, failed) in cases {
            assert_eq!(of_unittest(output), Counts { passed, failed }, "{output}");
        }
    }
}
