//! The packages that are deployed: the functions' programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use emulator::{PACKAGES, place};

/// Names a folder with other programs than those of this build: the functions as they are deployed, for example.
const GIVEN: &str = "ORCHESTRATOR_TEST_FUNCTIONS";

/// The deployment package of a function: its program without debug information, as a zip, made once.
pub(crate) fn package(function: &str) -> Vec<u8> {
    #[expect(clippy::disallowed_methods, reason = "this is where tests read it")]
    let given = std::env::var(GIVEN).ok().map(PathBuf::from);
    let program = match &given {
        Some(folder) => folder.join(function),
        None => PathBuf::from(built(function)),
    };
    // Those of a folder are not mixed up with those of another.
    let own = given.map_or_else(String::new, |folder| folder.to_string_lossy().replace('/', "_"));
    let folder = place::target()
        .expect("a target folder")
        .join("localstack")
        .join(own);
    fs::create_dir_all(&folder).expect("the target folder is writable");
    let zip = folder.join(format!("{function}.zip"));
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    if modified(&zip) < modified(&program) {
        make(&program, &zip);
    }
    fs::read(&zip).expect("it was made")
}

fn built(function: &str) -> &'static str {
    match function {
        "intake" => env!("CARGO_BIN_EXE_intake"),
        "decision" => env!("CARGO_BIN_EXE_decision"),
        "task_events" => env!("CARGO_BIN_EXE_task_events"),
        "sla_sweep" => env!("CARGO_BIN_EXE_sla_sweep"),
        "rollback" => env!("CARGO_BIN_EXE_rollback"),
        "translator" => env!("CARGO_BIN_EXE_translator"),
        other => panic!("there is no function '{other}'"),
    }
}

/// Other test programs may do the same at the same time, so it is renamed into place.
fn make(program: &Path, zip: &Path) {
    let folder = tempfile::tempdir_in(zip.parent().expect("a folder")).expect("a folder");
    let bootstrap: PathBuf = folder.path().join("bootstrap");
    run(Command::new("strip").arg("-o").arg(&bootstrap).arg(program));
    let new = folder.path().join("new.zip");
    let python = PACKAGES.python().unwrap_or_else(|problem| panic!("{problem}"));
    run(Command::new(python)
        .args(["-m", "zipfile", "-c"])
        .arg(&new)
        .arg(&bootstrap));
    fs::rename(new, zip).expect("the same folder");
}

fn run(command: &mut Command) {
    let status = command.status().expect("the program starts");
    assert!(status.success(), "{command:?}");
}
