//! What a run remembers of checkpoints that have files.

use std::sync::Arc;

use serde_json::{Value, json};

use super::given::tasks;
use super::script::Script;
use crate::ids::NodeIx;
use crate::run::{ContentId, NewFiles, RejectedCheckpoint, ReportKind, SavedFiles, TaskStatus};

const A: NodeIx = NodeIx(0);

fn files(content: &str) -> SavedFiles {
    SavedFiles {
        list: ContentId::of(content.as_bytes()),
        count: 1,
        bytes: 10,
    }
}

fn saved(content: &str) -> ReportKind {
    ReportKind::FilesSaved(Arc::new(NewFiles {
        files: files(content),
        value: json!({ "saved": content }),
    }))
}

fn rejected(content: Option<&str>) -> Arc<RejectedCheckpoint> {
    Arc::new(RejectedCheckpoint {
        files: content.map(files),
        reason: "a byte differs".to_owned(),
    })
}

fn values(run: &Script) -> Vec<Value> {
    let last = run.state.node(A).checkpoint.as_deref();
    let value = |checkpoint: &crate::run::Checkpoint| checkpoint.value["saved"].clone();
    last.map_or(Vec::new(), |last| last.newest_first().map(value).collect())
}

#[test]
fn saved_files_imply_the_start_and_the_same_files_again_are_nothing_new() {
    let mut run = Script::of(tasks(&["a"]));
    run.queue("a")
        .report("a", saved("one"))
        .expect(&["TaskFilesSaved a"], &[]);
    assert_eq!(run.status("a"), TaskStatus::Running);
    run.report("a", saved("one")).expect(&[], &[]);
    let last = run.state.node(A).checkpoint.clone().unwrap();
    assert_eq!((last.epoch, last.attempt, last.files), (1, 1, Some(files("one"))));
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before() {
    let mut run = Script::of(tasks(&["a"]));
    run.start("a");
    for content in ["one", "two", "three", "four"] {
        run.report("a", saved(content));
    }
    assert_eq!(values(&run), ["four", "three", "two"]);
    let reject = |content| ReportKind::CheckpointRejected(rejected(Some(content)));
    run.report("a", reject("four"))
        .expect(&["CheckpointRejected a"], &[]);
    assert_eq!(values(&run), ["three", "two"]);
    run.report("a", reject("four")).expect(&[], &[]);
    run.report("a", reject("two"));
    run.report("a", reject("three"));
    assert_eq!(run.state.node(A).checkpoint, None);
}

#[test]
fn a_checkpoint_that_could_not_be_made_is_recorded_and_changes_nothing() {
    let mut run = Script::of(tasks(&["a"]));
    run.start("a").report("a", saved("one"));
    run.report("a", ReportKind::CheckpointRejected(rejected(None)))
        .expect(&["CheckpointRejected a"], &[]);
    assert_eq!(values(&run), ["one"]);
}

#[test]
fn null_takes_back_what_was_saved() {
    let mut run = Script::of(tasks(&["a"]));
    run.start("a").report("a", saved("one"));
    run.report("a", ReportKind::Checkpoint(Arc::new(Value::Null)));
    assert_eq!(run.state.node(A).checkpoint, None);
}

#[test]
fn checkpoints_outlive_epochs_and_those_of_fenced_attempts_are_refused() {
    let mut run = Script::of(tasks(&["a"]));
    run.start("a").report("a", saved("one"));
    let before = run.key("a");
    run.rerun("a");
    run.report_of(before, saved("two"))
        .expect(&["ReportRefused a"], &[]);
    assert_eq!(values(&run), ["one"]);
}
