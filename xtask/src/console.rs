//! The console in a real browser: `tests/console`, run by Node.js.
//!
//! The browser is the machine's own Chromium, or the one that the npm package `@sparticuz/chromium` carries; it comes from the
//! package registry like everything else, and needs neither an administrator nor a download from elsewhere.

use std::fs;
use std::path::PathBuf;

use crate::counts::{Counts, of_node};
use crate::infra::dependencies;
use crate::report::{Report, Step};
use crate::run::{Outcome, built, cargo, is_there, program, quietly, root, target};
use crate::verbs;

/// Node.js tests, in the order in which they run.
const FILES: [&str; 3] = [
    "tests/console/pages.test.js",
    "tests/console/actions.test.js",
    "tests/console/speed.test.js",
];

/// `cargo xtask console`: builds the program, then tests it.
pub fn verb() -> bool {
    let mut report = Report::default();
    let built = report.step("build", || {
        let build = ["build", "--package", "orchestrator", "--locked", "--quiet"];
        Step::check(quietly(&mut cargo(build)))
    });
    if built {
        report.step("console", test);
    }
    report.finish()
}

/// Tests the console. Left out where there is no Node.js or no browser.
pub fn test() -> Step {
    let packages = match installed() {
        Ok(packages) => packages,
        Err(why) => return left_out(&why),
    };
    let node = |arguments: &[&str]| {
        let mut node = program("node");
        node.args(arguments)
            .env("NODE_PATH", packages.join("node_modules"))
            .env(verbs::BINARY, built().join("orchestrator"));
        quietly(&mut node)
    };
    let browser = node(&["tests/console/browser.js"]);
    if !browser.success {
        return left_out(&last_line(&browser));
    }
    let mut arguments = vec!["--test", "--test-reporter=tap", "--test-concurrency=1"];
    arguments.extend(FILES);
    let Outcome { success, output, .. } = node(&arguments);
    let mut counts = of_node(&output);
    if !success && counts.failed == 0 {
        counts.failed = 1;
    }
    let figures = output.lines().filter_map(|line| line.split_once("figure: "));
    let figures: String = figures.map(|(_, figure)| format!("\n  {figure}")).collect();
    Step {
        counts,
        note: format!("{} tests in {}{figures}", counts.passed, browser.output.trim()),
        output,
    }
}

/// Nobody should take this for a success.
fn left_out(why: &str) -> Step {
    let bar = "!".repeat(80);
    let text = format!(
        "{why}\n{bar}\n  THE CONSOLE WAS NOT TESTED IN A BROWSER. Install Node.js 20 with npm, and Chromium\n  \
         (Debian: apt-get install chromium), or name one in ORCHESTRATOR_TEST_BROWSER.\n{bar}"
    );
    Step {
        counts: Counts::default(),
        ..Step::left_out(&text)
    }
}

/// The folder with the packages, installed on first use.
fn installed() -> Result<PathBuf, String> {
    if !is_there(program("npm").arg("--version")) {
        return Err("Node.js is not installed".to_owned());
    }
    let folder = target().join("console");
    let manifest = root().join("tests/console/package.json");
    let wanted = fs::read_to_string(&manifest).map_err(|error| format!("{}: {error}", manifest.display()))?;
    let stamp = folder.join("installed.json");
    if fs::read_to_string(&stamp).unwrap_or_default() == wanted {
        return Ok(folder);
    }
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let options = [
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
    ];
    let mut npm = program("npm");
    npm.args(options).arg("--prefix").arg(&folder);
    let outcome = quietly(npm.args(dependencies(&wanted)));
    if !outcome.success {
        return Err(format!("its packages cannot be had: {}", last_line(&outcome)));
    }
    // Last: without it the packages are installed again.
    fs::write(&stamp, &wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(folder)
}

fn last_line(outcome: &Outcome) -> String {
    let mut lines = outcome.output.lines().map(str::trim);
    let line = lines.rfind(|line| !line.is_empty());
    line.unwrap_or("no reason was given").to_owned()
}
