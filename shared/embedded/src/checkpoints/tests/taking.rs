//! Which directories are checkpoints, and when they are taken.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::{Value, json};

use super::{ENDED, MIB, Place, tree};
use crate::checkpoints::saver::{Taken, When};
use crate::checkpoints::{COMPLETING, FILES_MAX, VALUE_BYTES_MAX};

#[test]
fn a_directory_is_taken_while_its_completing_file_is_the_newest() {
    let place = Place::new();
    let saver = place.saver();
    place.write_at("weights.bin", b"1", 0);
    assert!(!saver.is_due());
    assert_eq!(saver.take(When::Working).unwrap(), None, "nothing completes it");
    place.write_at(COMPLETING, b"{\"step\"", 10);
    assert!(saver.is_due());
    assert_eq!(saver.take(When::Working).unwrap(), None, "it is half written");
    place.write_at(COMPLETING, b"{\"step\": 1}", 11);
    assert!(matches!(saver.take(When::Working), Ok(Some(Taken::Files(_)))));
    assert!(!saver.is_due());
    place.write_at("weights.bin", b"2", 15);
    assert_eq!(
        saver.take(When::Working).unwrap(),
        None,
        "the next one is being made"
    );
    let torn = saver.take(When::Ended { well: false }).unwrap_err().to_string();
    assert!(
        torn.starts_with("'weights.bin' is newer than 'checkpoint.json'"),
        "{torn}"
    );
    place.write_at(COMPLETING, b"{\"step\": 2}", 20);
    assert!(saver.is_due() && matches!(saver.take(When::Working), Ok(Some(Taken::Files(_)))));
}

#[test]
fn a_value_alone_needs_no_files() {
    let place = Place::new();
    let saver = place.saver();
    place.write(COMPLETING, b"{\"fold\": 3}");
    assert_eq!(
        saver.take(When::Working).unwrap(),
        Some(Taken::Value(json!({"fold": 3})))
    );
    assert_eq!((saver.take(ENDED).unwrap(), place.stored()), (None, 0));
    fs::remove_file(place.work().join(COMPLETING)).unwrap();
    assert_eq!(saver.take(When::Ended { well: false }).unwrap(), None);
    assert_eq!(
        saver.take(ENDED).unwrap(),
        Some(Taken::Value(Value::Null)),
        "whoever did well and removed it needs it no more"
    );
}

#[test]
fn what_is_no_file_is_refused_by_its_name() {
    type Put = fn(&Path);
    let puts: [(&str, Put); 6] = [
        ("'x' is a symbolic link", |path| {
            symlink("/etc/passwd", path).unwrap()
        }),
        ("'x' is a symbolic link", |path| symlink("/", path).unwrap()),
        ("'x' is a socket", |path| drop(UnixListener::bind(path).unwrap())),
        ("'x' is a pipe", |path| {
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.unwrap().success());
        }),
        ("'checkpoint.json' is not JSON", |path| {
            fs::write(path.with_file_name(COMPLETING), "{").unwrap()
        }),
        ("'checkpoint.json' has 524289 bytes", |path| {
            let large = File::create(path.with_file_name(COMPLETING)).unwrap();
            large.set_len(VALUE_BYTES_MAX + 1).unwrap();
        }),
    ];
    for (says, put) in puts {
        let place = Place::new();
        put(&place.work().join("x"));
        let error = place.saver().take(ENDED).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
        assert_eq!(place.stored(), 0, "{says}");
    }
    let place = Place::new();
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff\xfe");
    fs::write(place.work().join(name), "").unwrap();
    let error = place.saver().take(ENDED).unwrap_err().to_string();
    assert!(error.contains("is not UTF-8"), "{error}");
}

#[test]
fn limits_are_told() {
    let place = Place::new();
    for number in 0..=FILES_MAX {
        File::create(place.work().join(number.to_string())).unwrap();
    }
    let error = place.saver().take(ENDED).unwrap_err().to_string();
    assert!(error.contains("more than 10000 files"), "{error}");
    let place = Place::new();
    place.write("large", &vec![0; 1 + usize::try_from(MIB).unwrap()]);
    let error = place.saver().take(ENDED).unwrap_err().to_string();
    assert!(
        error.contains("more than 1048576 (raise limits.agent_checkpoint_bytes_max)"),
        "{error}"
    );
    let place = Place::new();
    place.write(&format!("{}x", "d/".repeat(16)), b"");
    let error = place.saver().take(ENDED).unwrap_err().to_string();
    assert!(error.contains("deeper than 16"), "{error}");
}

#[test]
fn ten_thousand_files_are_a_checkpoint() {
    let mut place = Place::new();
    for number in 0..FILES_MAX {
        place.write(&format!("{}/{number}", number % 10), &number.to_le_bytes());
    }
    assert_eq!(place.take().files.count, 10_000);
    let (restored, directory) = place.restore();
    assert_eq!(restored.used, Some(0));
    assert_eq!(tree(&directory), tree(&place.work()));
}
