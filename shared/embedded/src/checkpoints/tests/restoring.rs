//! What was saved is restored as it was, or not at all.

use std::fs::{self, File};

use orchestrator_core::run::{ContentId, NewFiles};
use serde_json::{Value, json};

use super::{ENDED, Place, tree, view};
use crate::checkpoints::COMPLETING;
use crate::checkpoints::list::{FileList, ListedFile};
use crate::checkpoints::restore::restore;
use crate::checkpoints::store::RestoreError;

#[test]
fn what_was_saved_is_restored_byte_for_byte() {
    let mut place = Place::new();
    let odd = "a \"quoted\" name\nwith ünïcödé\t🐧";
    for (path, content) in [
        ("weights.bin", &[0, 255, 10][..]),
        ("deep/er/x", b""),
        (odd, b"odd"),
        (COMPLETING, b" {\"step\" : 3} "),
    ] {
        place.write(path, content);
    }
    for unfinished in ["next.tmp", "deep/next.part"] {
        place.write(unfinished, b"half");
    }
    let saved = place.take();
    assert_eq!((saved.files.count, saved.files.bytes), (4, 20));
    assert_eq!(saved.value, json!({"step": 3}));
    let (restored, directory) = place.restore();
    assert_eq!(
        (restored.used, restored.value, restored.rejected.len()),
        (Some(0), Some(json!({"step": 3})), 0)
    );
    let expected: Vec<_> = tree(&place.work())
        .into_iter()
        .filter(|(path, _)| !path.ends_with(".tmp") && !path.ends_with(".part"))
        .collect();
    assert_eq!(tree(&directory), expected);
    assert!(
        matches!(place.saver().take(ENDED), Ok(None)),
        "the same is nothing new"
    );
}

#[test]
fn damaged_files_are_found_and_the_checkpoint_before_is_used() {
    type Harm = fn(&Place, &NewFiles);
    let harms: [(&str, Harm); 7] = [
        ("has another SHA-256", |place, saved| {
            let path = place.stored_file(saved, "weights.bin");
            let mut content = fs::read(&path).unwrap();
            content[500] ^= 1;
            fs::write(path, content).unwrap();
        }),
        ("has 999 bytes instead of 1000", |place, saved| {
            let path = place.stored_file(saved, "weights.bin");
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(999)
                .unwrap();
        }),
        ("has 1001 bytes instead of 1000", |place, saved| {
            let path = place.stored_file(saved, "weights.bin");
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(1001)
                .unwrap();
        }),
        ("file 'weights.bin' is missing", |place, saved| {
            fs::remove_file(place.stored_file(saved, "weights.bin")).unwrap();
        }),
        ("the list of files is missing", |place, saved| {
            fs::remove_file(place.store().path(saved.files.list)).unwrap();
        }),
        ("the list of files has another SHA-256", |place, saved| {
            let path = place.store().path(saved.files.list);
            let text = fs::read_to_string(&path)
                .unwrap()
                .replace("weights.bin", "weights.bim");
            fs::write(path, text).unwrap();
        }),
        ("the list of files has another SHA-256", |place, saved| {
            fs::write(place.store().path(saved.files.list), "").unwrap();
        }),
    ];
    for (says, harm) in harms {
        let mut place = Place::new();
        place.write("weights.bin", &[1; 1000]);
        place.take();
        place.write("weights.bin", &[2; 1000]);
        let second = place.take();
        harm(&place, &second);
        let (restored, directory) = place.restore();
        assert_eq!(restored.used, Some(1), "{says}");
        assert_eq!(tree(&directory), [("weights.bin".to_owned(), vec![1; 1000])]);
        let [rejected] = &restored.rejected[..] else {
            panic!("{restored:?}")
        };
        assert!(rejected.reason.contains(says), "{}", rejected.reason);
        assert_eq!(rejected.files, Some(second.files));
    }
}

#[test]
fn without_an_undamaged_checkpoint_there_is_an_empty_directory() {
    let mut place = Place::new();
    for step in 0..3_u8 {
        place.write("weights.bin", &[step; 9]);
        place.take();
    }
    fs::remove_dir_all(place.temp.path().join("saved")).unwrap();
    let (restored, directory) = place.restore();
    assert_eq!(
        (restored.used, restored.value, restored.rejected.len()),
        (None, None, 3)
    );
    assert_eq!(tree(&directory), []);
}

#[test]
fn a_list_never_leads_out_of_its_directory() {
    for path in [
        "../escaped",
        "/escaped",
        "a/../../escaped",
        "",
        "a//b",
        ".",
        "a/\0",
    ] {
        let mut place = Place::new();
        let sha256 = place.store().write(b"x").unwrap();
        let file = ListedFile {
            path: path.to_owned(),
            bytes: 1,
            sha256,
        };
        let list = FileList::new(vec![file]);
        place.store().write(&list.encode()).unwrap();
        let files = list.saved();
        place.known = vec![view(&NewFiles {
            files,
            value: Value::Null,
        })];
        let (restored, directory) = place.restore();
        assert!(
            restored.rejected[0].reason.contains("it has the path"),
            "{path}: {restored:?}"
        );
        assert_eq!(tree(&directory), []);
    }
}

#[test]
fn old_checkpoints_are_removed_and_what_they_share_is_kept() {
    let mut place = Place::new();
    place.write("shared", &[9; 100]);
    for step in 0..10_u8 {
        place.write("weights.bin", &[step; 50]);
        place.take();
    }
    // Four lists, the weights of each, and what they share.
    assert_eq!(place.stored(), 9);
    let (restored, directory) = place.restore();
    assert_eq!((restored.used, tree(&directory)[1].1[0]), (Some(0), 9));
    fs::write(place.temp.path().join("saved/new-1-1"), "left by a crash").unwrap();
    place.write("weights.bin", b"last");
    place.take();
    assert_eq!(place.stored(), 9);
}

#[test]
fn a_damaged_file_heals_when_it_is_saved_again() {
    let mut place = Place::new();
    place.write("shared", &[9; 100]);
    place.write("weights.bin", b"1");
    let first = place.take();
    fs::write(place.stored_file(&first, "shared"), [8; 100]).unwrap();
    fs::remove_dir_all(place.work()).unwrap();
    place.write("shared", &[9; 100]);
    place.write("weights.bin", b"2");
    place.take();
    assert_eq!(place.restore().0.used, Some(0));
}

#[test]
fn what_comes_from_elsewhere_is_stored_only_if_it_is_what_was_saved() {
    let place = Place::new();
    let content = ContentId::of(b"weights");
    for wrong in [&b"weighty"[..], b"weight", b"weights and more", b""] {
        let refused = place.store().receive(&mut &wrong[..], 7, content);
        assert!(refused.is_err(), "{wrong:?}");
        assert_eq!(place.stored(), 0);
    }
    place.store().receive(&mut &b"weights"[..], 7, content).unwrap();
    assert!(place.store().has(content));
}

#[test]
fn a_directory_that_cannot_be_made_is_no_damage() {
    let place = Place::new();
    let nowhere = place.temp.path().join("missing/work");
    let error = restore(&place.store(), &[], None, &nowhere).unwrap_err();
    assert!(matches!(error, RestoreError::Io { .. }), "{error}");
}
