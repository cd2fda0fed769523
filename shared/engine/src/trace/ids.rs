//! Ids of spans, derived from what the spans are about. So every process that knows the journal knows them, whether it made
//! the span or not: after a restart or a retry nothing has to be remembered, and a span that is sent twice is the same span.

use orchestrator_core::ids::{AttemptKey, NodeIx, RunId};
use orchestrator_core::time::Timestamp;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::context::{SpanId, TraceId};

/// The trace of a run or a request that came without one. Begins with the seconds since 1970, as AWS X-Ray wants it.
pub fn trace_of(run: RunId) -> TraceId {
    // Lengths stand before what they count.
    let digest = Sha256::new()
        .chain_update(b"\x05trace\x10")
        .chain_update(run.to_bytes())
        .finalize();
    let seconds = u32::try_from(run.created_at().0 / 1_000).unwrap_or(u32::MAX);
    let mut id = [0; 16];
    id[..4].copy_from_slice(&seconds.to_be_bytes());
    id[4..].copy_from_slice(&digest[..12]);
    TraceId(id)
}

/// The request with this id. Requests have ids like runs, and a run gets that of the request that starts it.
pub fn request(id: RunId) -> SpanId {
    span(&[b"request", &id.to_bytes()])
}

/// A part of a run: 0 is the run from its submission to its first end, the others begin with a retry, rerun or rollback.
pub fn part(run: RunId, part: u32) -> SpanId {
    span(&[b"run", &run.to_bytes(), &part.to_be_bytes()])
}

/// One life of a task: an epoch of it, or what follows when a `for_each` task goes on after its end.
pub fn task(run: RunId, node: NodeIx, epoch: u32, reopened: u32) -> SpanId {
    let numbers = [node.0.to_be_bytes(), epoch.to_be_bytes(), reopened.to_be_bytes()];
    span(&[b"task", &run.to_bytes(), numbers.as_flattened()])
}

/// An attempt.
pub fn attempt(key: AttemptKey) -> SpanId {
    let numbers = [
        key.node.0.to_be_bytes(),
        key.epoch.to_be_bytes(),
        key.attempt.to_be_bytes(),
    ];
    span(&[b"attempt", &key.run.to_bytes(), numbers.as_flattened()])
}

/// A time of waiting of a task, told apart by what was waited for and by how many waits of the epoch came before.
pub fn wait(run: RunId, what: &str, node: NodeIx, epoch: u32, waits: u32) -> SpanId {
    let numbers = [node.0, epoch, waits].map(u32::to_be_bytes);
    span(&[b"wait", what.as_bytes(), &run.to_bytes(), numbers.as_flattened()])
}

/// A time of waiting of a part of a run, told apart by when it began.
pub fn wait_of_run(run: RunId, what: &str, part: u32, since: Timestamp) -> SpanId {
    span(&[
        b"run wait",
        what.as_bytes(),
        &run.to_bytes(),
        &part.to_be_bytes(),
        &since.0.to_be_bytes(),
    ])
}

/// The turn that made append `seq`.
pub fn turn(run: RunId, seq: u64) -> SpanId {
    span(&[b"turn", &run.to_bytes(), &seq.to_be_bytes()])
}

/// Messages of a run that were taken at a time, told apart by the first of them.
pub fn delivery(run: RunId, message: &str, at: Timestamp) -> SpanId {
    span(&[
        b"delivery",
        &run.to_bytes(),
        message.as_bytes(),
        &at.0.to_be_bytes(),
    ])
}

/// What a turn did to an attempt: `what` is `dispatch` or `stop`.
pub fn within_turn(run: RunId, seq: u64, what: &str, key: Option<AttemptKey>) -> SpanId {
    let key = key.map_or([0; 12], |key| {
        let numbers = [key.node.0, key.epoch, key.attempt].map(u32::to_be_bytes);
        let mut bytes = [0; 12];
        bytes.copy_from_slice(numbers.as_flattened());
        bytes
    });
    span(&[what.as_bytes(), &run.to_bytes(), &seq.to_be_bytes(), &key])
}

/// XXH3, which is the same everywhere and for all time, and a fifth of the work of SHA-256: every span needs its own id, its
/// parent's and those of its links. Each part is the seed of the next, so that no two lists of parts read the same.
fn span(parts: &[&[u8]]) -> SpanId {
    let hash = parts.iter().fold(0, |seed, part| xxh3_64_with_seed(part, seed));
    SpanId(hash.max(1).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_differ_where_what_they_name_differs_and_nowhere_else() {
        let run = RunId::from_parts(1_763_836_461_007, 7);
        let key = |node, epoch, attempt| AttemptKey {
            run,
            node: NodeIx(node),
            epoch,
            attempt,
        };
        let ids = [
            part(run, 0),
            part(run, 1),
            task(run, NodeIx(1), 1, 0),
            task(run, NodeIx(1), 1, 1),
            task(run, NodeIx(1), 2, 0),
            attempt(key(1, 1, 1)),
            attempt(key(1, 1, 2)),
            attempt(key(2, 1, 1)),
            attempt(AttemptKey {
                run: RunId::from_parts(1, 7),
                ..key(1, 1, 1)
            }),
            wait(run, "held", NodeIx(1), 1, 1),
            wait(run, "held", NodeIx(1), 1, 2),
            wait(run, "retry", NodeIx(1), 1, 2),
            wait_of_run(run, "paused", 0, Timestamp(5)),
            wait_of_run(run, "paused", 0, Timestamp(6)),
            turn(run, 1),
            turn(run, 2),
            within_turn(run, 2, "dispatch", Some(key(1, 1, 1))),
        ];
        assert_eq!(BTreeSet::from(ids).len(), ids.len());
        assert_eq!(attempt(key(1, 1, 1)), attempt(key(1, 1, 1)));
    }

    #[test]
    fn a_trace_begins_with_its_time_as_x_ray_wants_it() {
        let run = RunId::from_parts(1_763_836_461_007, 7);
        assert_eq!(trace_of(run).0[..4], 1_763_836_461_u32.to_be_bytes());
        assert_ne!(trace_of(run), trace_of(RunId::from_parts(1_763_836_461_007, 8)));
    }
}
