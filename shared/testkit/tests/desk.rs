//! Several processes translate behind one cache: who asks, who waits, and what clients may use up together.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::future::{join, join_all, poll_fn};
use orchestrator_core::policy::{Policy, Surroundings};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::api::Intake;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::{Cache, Clock, Pause};
use orchestrator_engine::settings::Budget;
use orchestrator_engine::translation::desk::{Desk, Options};
use orchestrator_engine::translation::{Request, Source, Translated};
use orchestrator_testkit::contract::block_on;
use orchestrator_testkit::memory::MemoryCache;
use orchestrator_translate::catalogue::Shipped;
use orchestrator_translate::{Answered, Ask, Outcome, Prompt, Translator, TranslatorError, Usage};
use serde_json::json;

/// Not yet.
fn again(context: &mut Context<'_>) -> Poll<()> {
    context.waker().wake_by_ref();
    Poll::Pending
}

/// A clock that goes on when somebody waits.
#[derive(Debug, Clone, Default)]
struct TestClock(Arc<AtomicI64>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_000_000 + self.0.load(Ordering::SeqCst))
    }

    fn random_bits(&self) -> u128 {
        self.0.fetch_add(0, Ordering::SeqCst).unsigned_abs().into()
    }
}

impl Pause for TestClock {
    async fn pause(&self, millis: u64) {
        let until = self.0.load(Ordering::SeqCst) + i64::try_from(millis).expect("a short pause");
        // Whoever is polled last moves the time on, a millisecond at a time.
        poll_fn(|context| match self.0.fetch_add(1, Ordering::SeqCst) >= until {
            true => Poll::Ready(()),
            false => again(context),
        })
        .await;
    }
}

/// Answers after a while, for 150 tokens.
#[derive(Debug, Clone, Default)]
struct Slow {
    calls: Arc<AtomicUsize>,
    polls: usize,
    refuses: bool,
}

impl Translator for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn identity(&self) -> String {
        "slow/1".to_owned()
    }

    async fn answer(&self, _ask: &Ask<'_>) -> Result<Answered, TranslatorError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let mut polls = self.polls;
        poll_fn(|context| match polls.checked_sub(1) {
            None => Poll::Ready(()),
            Some(rest) => {
                polls = rest;
                again(context)
            }
        })
        .await;
        let task =
            json!({"id": "train", "agent": "ml_agent", "action": "train_model", "params": {"folds": 5}});
        let text = match self.refuses {
            true => json!({"status": "refused", "confidence": 0.9, "reason": "no"}),
            false => {
                json!({"status": "workflow", "confidence": 0.9, "workflow": {"name": "w", "tasks": [task]}})
            }
        };
        Ok(Answered {
            text: text.to_string(),
            usage: Usage {
                calls: 1,
                input_tokens: 100,
                output_tokens: 50,
                cost_usd: 0.001,
            },
        })
    }
}

/// A cache nobody can reach.
#[derive(Debug)]
struct Down;

fn down<T>() -> Result<T, HostError> {
    Err(HostError {
        what: "the cache",
        detail: "it is down".to_owned(),
    })
}

impl Cache for Down {
    async fn get(&self, _: &str, _: Timestamp) -> Result<Option<Vec<u8>>, HostError> {
        down()
    }
    async fn put(&self, _: &str, _: &[u8], _: Timestamp, _: Timestamp) -> Result<(), HostError> {
        down()
    }
    async fn claim(&self, _: &str, _: &[u8], _: Timestamp, _: Timestamp) -> Result<bool, HostError> {
        down()
    }
    async fn remove(&self, _: &str) -> Result<(), HostError> {
        down()
    }
}

struct World {
    clock: TestClock,
    translator: Slow,
    options: Options,
    intake: Intake,
    policy: Policy,
}

impl World {
    fn new(polls: usize) -> World {
        World {
            clock: TestClock::default(),
            translator: Slow {
                polls,
                ..Slow::default()
            },
            options: Options {
                asks_elsewhere: true,
                ..Options::default()
            },
            intake: Intake {
                catalogue: Arc::new(Shipped::DataScience.catalogue().clone()),
                ..Intake::default()
            },
            policy: Policy::new(&Default::default(), Surroundings::default()).expect("the default policy"),
        }
    }

    /// A process.
    fn process<C: Cache>(&self, cache: C) -> Desk<Slow, C, TestClock> {
        Desk::new(self.translator.clone(), cache, self.clock.clone(), self.options)
    }

    async fn ask<C: Cache>(
        &self,
        process: &Desk<Slow, C, TestClock>,
        text: &str,
    ) -> Result<Translated, TranslatorError> {
        let request = Request {
            client_id: "client".to_owned(),
            prompt: Prompt::new(text, 100).expect("a prompt"),
            metadata: json!({}),
            is_fresh: false,
        };
        process.translate(&request, &self.intake, &self.policy).await
    }

    fn calls(&self) -> usize {
        self.translator.calls.load(Ordering::SeqCst)
    }
}

#[test]
fn of_several_processes_one_asks_and_the_others_get_its_answer() {
    let world = World::new(3_000);
    let cache = MemoryCache::default();
    let processes: Vec<_> = (0..5).map(|_| world.process(cache.clone())).collect();
    let asking = processes.iter().flat_map(|process| {
        let world = &world;
        (0..20).map(move |_| world.ask(process, "train it"))
    });
    let answers = block_on(join_all(asking));
    assert_eq!(
        world.calls(),
        1,
        "longer than a claim holds without being renewed"
    );
    let asked = answers.iter().flatten();
    assert_eq!(
        asked.filter(|answer| answer.source == Source::Translator).count(),
        1
    );
    assert!(answers.iter().all(
        |answer| matches!(answer, Ok(translated) if matches!(translated.translation.outcome, Outcome::Workflow { .. }))
    ));
}

#[test]
fn a_process_that_dies_while_it_asks_leaves_the_question_to_the_others() {
    let world = World::new(3_000);
    let cache = MemoryCache::default();
    let (first, second) = (world.process(cache.clone()), world.process(cache));
    let mut dying = Box::pin(world.ask(&first, "train it"));
    let begun = poll_fn(|context| Poll::Ready(dying.as_mut().poll(context).is_pending()));
    assert!(block_on(begun));
    assert_eq!(world.calls(), 1);
    drop(dying);
    let answer = block_on(world.ask(&second, "train it")).expect("an answer");
    assert_eq!((answer.source, world.calls()), (Source::Translator, 2));
}

#[test]
fn what_is_not_remembered_is_asked_in_turn() {
    let mut world = World::new(100);
    world.translator.refuses = true;
    let cache = MemoryCache::default();
    let (first, second) = (world.process(cache.clone()), world.process(cache));
    let (first, second) = block_on(join(
        world.ask(&first, "train it"),
        world.ask(&second, "train it"),
    ));
    for answer in [first, second] {
        let outcome = answer.expect("an answer").translation.outcome;
        assert!(matches!(outcome, Outcome::NeedsHuman { .. }));
    }
    assert_eq!(world.calls(), 2);
}

#[test]
fn nobody_waits_for_ever() {
    let world = World::new(0);
    let cache = MemoryCache::default();
    let process = world.process(cache.clone());
    let request = Request {
        client_id: "client".to_owned(),
        prompt: Prompt::new("train it", 100).expect("a prompt"),
        metadata: json!({}),
        is_fresh: false,
    };
    let key = format!("asking:{}", process.key(&request, &world.intake, &world.policy));
    let far = world.clock.now() + 86_400_000;
    block_on(cache.put(&key, b"somebody", world.clock.now(), far)).expect("reachable");
    let answer = block_on(world.ask(&process, "train it")).expect("an answer");
    assert_eq!((answer.source, world.calls()), (Source::Translator, 1));
    assert!(
        world.clock.now().millis_since(Timestamp(1_000_000)) >= 120_000,
        "it waited first"
    );
}

#[test]
fn a_cache_that_is_down_costs_a_call_each_and_no_error() {
    let mut world = World::new(0);
    world.options.budget.tokens_per_day = Some(300);
    let process = world.process(Down);
    for calls in 1..=2 {
        assert!(block_on(world.ask(&process, "train it")).is_ok());
        assert_eq!(world.calls(), calls);
    }
    let refused = block_on(world.ask(&process, "train it"));
    assert!(
        matches!(refused, Err(TranslatorError::OverBudget { .. })),
        "what cannot be written is counted all the same"
    );
}

#[test]
fn processes_count_together_what_a_client_uses_up() {
    let mut world = World::new(0);
    world.options.budget = Budget {
        tokens_per_day: Some(20 * 150),
        ..Budget::default()
    };
    let cache = MemoryCache::default();
    let processes: Vec<_> = (0..20).map(|_| world.process(cache.clone())).collect();
    let asking = processes.iter().enumerate().map(async |(number, process)| {
        let asked = world.ask(process, &format!("train it {number}")).await;
        asked.is_ok()
    });
    let answered = block_on(join_all(asking));
    assert!(answered.iter().all(|is_answered| *is_answered));
    // None of the sums that were added at the same time is lost: the day is used up exactly.
    let process = world.process(cache);
    let refused = block_on(world.ask(&process, "train another"));
    assert!(
        matches!(refused, Err(TranslatorError::OverBudget { detail, .. }) if detail.contains("3000 of 3000"))
    );
    assert_eq!(world.calls(), 20);
}
