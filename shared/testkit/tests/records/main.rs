//! The persisted form of events: what is written is read back, and what was written before is still read.

mod drawn;

use std::path::Path;

use orchestrator_core::run::Event;
use orchestrator_engine::record;
use orchestrator_testkit::random::Random;

use drawn::{AT, KINDS, event};

#[test]
fn what_is_written_is_read_back() {
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let kinds: Vec<u64> = (0..random.below(8)).map(|_| random.below(KINDS)).collect();
        let events: Vec<Event> = kinds.into_iter().map(|kind| event(kind, &mut random)).collect();
        let read = record::decode(&record::encode(AT, &events));
        assert_eq!(read, Ok((AT, events)), "seed {seed}");
    }
}

#[test]
fn damaged_records_are_refused_and_nothing_else_happens() {
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let kind = random.below(KINDS);
        let mut record = record::encode(AT, &[event(kind, &mut random)]);
        match random.below(3) {
            0 => record.truncate(random.index(record.len())),
            1 => {
                let index = random.index(record.len());
                record[index] ^= u8::try_from(random.range(1, 255)).unwrap_or(1);
            }
            _ => {
                record = (0..random.below(40))
                    .map(|_| random.bits().to_le_bytes()[0])
                    .collect()
            }
        }
        // Whatever comes out, it comes out: no panic, no endless allocation.
        let _ = record::decode(&record);
    }
    assert!(matches!(
        record::decode(&[0x83, 0x18, 99, 0, 0x80]),
        Err(record::Error::Newer(99))
    ));
}

/// One record of each kind of event, drawn from its number.
fn samples() -> Vec<(u64, Vec<Event>)> {
    (0..KINDS)
        .map(|kind| (kind, vec![event(kind, &mut Random::new(kind))]))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Records written by version 1, which every later version must read. A change of this file is a change of what is stored
/// on people's disks: add a version and an upcast instead.
#[test]
fn records_of_version_1_are_still_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/journals/version-1.hex");
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let written: String = samples()
        .iter()
        .map(|(kind, events)| format!("{kind} {}\n", hex(&record::encode(AT, events))))
        .collect();
    assert_eq!(
        stored, written,
        "left: the stored records; right: what this program writes"
    );
    for (line, (_, events)) in stored.lines().zip(samples()) {
        let digits = line.split_once(' ').map_or("", |(_, digits)| digits);
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
        let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        assert_eq!(record::decode(&bytes), Ok((AT, events)), "{line}");
    }
}
