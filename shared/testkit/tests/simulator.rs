//! The simulator itself, and seeds that once broke a rule. Thousands of seeds run in `cargo xtask simulate`.

use orchestrator_testkit::simulator::{Composition, simulate, simulate_both};

#[test]
fn a_seed_does_the_same_again() {
    for composition in Composition::ALL {
        let again = || simulate(7, composition).map_err(|breach| breach.to_string());
        assert_eq!(again(), again(), "{composition}");
    }
}

/// Seed, and what went wrong under it.
const REGRESSIONS: [(u64, &str); 4] = [
    (
        9_563,
        "a task became ready in the turn that heard of its slot, was held for something else, and nobody gave the slot back",
    ),
    (
        171,
        "a task ran with the slots that a lost turn had taken for it under another choice, and was counted under its own",
    ),
    (
        91_224,
        "a repeated submission asked for other slots for a task in line, got them, and nobody told the task",
    ),
    (
        9,
        "a rule that holds a task was asked again for ever, and the sweep that other runs waited for never came by",
    ),
];

#[test]
fn seeds_that_broke_a_rule_no_longer_do() {
    for (seed, story) in REGRESSIONS {
        if let Err(breach) = simulate_both(seed) {
            panic!("{story}: {breach}");
        }
    }
}

#[test]
fn the_first_seeds_break_no_rule() {
    for seed in 0..50 {
        if let Err(breach) = simulate_both(seed) {
            panic!("{breach}");
        }
    }
}
