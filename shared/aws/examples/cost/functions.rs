//! Drains the queues as Lambda and agents do, and counts what is billed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message as Delivery};
use futures_util::future::join_all;
use orchestrator_aws::env::PublishedEvents;
use orchestrator_aws::meter::Counts;
use orchestrator_aws::pools::UNLIMITED;
use orchestrator_core::ids::RunId;
use orchestrator_engine::ports::messages::Body;
use serde_json::{Value, json};

use crate::prices::Prices;
use crate::world::World;
use crate::world::process::{Process, request, settings};

/// Memory of a function, GB.
const MEMORY_GB: f64 = 0.25;
/// Rounds without any message after which everything must have ended.
const QUIET_ROUNDS: u32 = 3;

/// Everything behind the queues.
pub struct Functions {
    world: World,
    process: Process,
    decides_in_turn: bool,
    begin: Counts,
    requests: u64,
    invocations: u64,
    billed: Duration,
    /// Receives and deletes, of which FIFO.
    polls: [u64; 2],
}

impl Functions {
    /// A deployment without anything in it. Events of runs are published; the agents' pool is not limited.
    pub async fn start(decides_in_turn: bool) -> Functions {
        let mut world = World::new().await;
        world.config.events = PublishedEvents::Run;
        let unlimited = json!({"decision": {
            "max_task_count": 1_000_000, "resource_limits": {"max_concurrent_cpu_tasks": UNLIMITED}}});
        let process = world.process_with(settings(unlimited), decides_in_turn).await;
        Functions {
            begin: process.ports().clients.meter.counts(),
            world,
            process,
            decides_in_turn,
            requests: 0,
            invocations: 0,
            billed: Duration::ZERO,
            polls: [0, 0],
        }
    }

    /// Submits runs of these tasks, each by an invocation of `intake`.
    pub async fn submit(&mut self, tasks: &[Value], runs: usize) {
        let first = request(&self.process, &json!(tasks));
        for _ in 0..runs {
            let mut request = first.clone();
            request.run = orchestrator_engine::ports::Clock::new_run_id(
                orchestrator_engine::ports::Ports::clock(self.process.ports()),
            );
            let begin = now();
            self.process.submit(request).await.unwrap();
            self.invoked(begin);
            self.requests += 1;
        }
    }

    /// Lets functions and agents work until nothing is left in any queue.
    pub async fn work(&mut self) {
        let mut quiet = 0;
        while quiet < QUIET_ROUNDS {
            let events = self.world.config.task_events_queue.clone();
            let decisions = self.world.config.decisions_queue.clone();
            let done = [
                self.drain(&events).await,
                self.drain(&decisions).await,
                self.agents().await,
            ];
            quiet = if done.contains(&true) { 0 } else { quiet + 1 };
        }
    }

    /// One function handles what waits for it. Whether there was anything.
    async fn drain(&mut self, queue: &str) -> bool {
        let mut any = false;
        loop {
            let deliveries = self.take(queue).await;
            if deliveries.is_empty() {
                return any;
            }
            any = true;
            let begin = now();
            let mut by_run: BTreeMap<RunId, Vec<Body>> = BTreeMap::new();
            for delivery in deliveries {
                let message = self.world.queues().read(delivery.body.unwrap()).await.unwrap();
                by_run.entry(message.run).or_default().push(message.body);
            }
            let _gathering = (by_run.len() > 1).then(|| self.process.ports().sender.gather());
            let turns = by_run
                .iter()
                .map(|(run, bodies)| self.process.handle(*run, bodies));
            for turn in join_all(turns).await {
                turn.unwrap();
            }
            self.invoked(begin);
        }
    }

    /// Agents do what waits for them and report each task on its own. Whether there was anything.
    async fn agents(&mut self) -> bool {
        let queues = self.world.config.agents.queues.clone().unwrap();
        let mut any = false;
        loop {
            let deliveries = self.take(&format!("{queues}writer")).await;
            if deliveries.is_empty() {
                return any;
            }
            any = true;
            for delivery in deliveries {
                let envelope = serde_json::from_str(&delivery.body.unwrap()).unwrap();
                self.world.report(&envelope, &json!({"rows": 344})).await;
                // The report itself.
                self.polls[1] += 1;
            }
        }
    }

    /// Up to ten messages: one request, and one to delete them.
    async fn take(&mut self, queue: &str) -> Vec<Delivery> {
        let sqs = &self.world.clients.sqs;
        let request = sqs.receive_message().queue_url(queue).max_number_of_messages(10);
        let deliveries = request.send().await.unwrap().messages.unwrap_or_default();
        if deliveries.is_empty() {
            return deliveries;
        }
        let entry = |(n, delivery): (usize, &Delivery)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(n.to_string());
            entry
                .set_receipt_handle(delivery.receipt_handle.clone())
                .build()
                .unwrap()
        };
        let entries = deliveries.iter().enumerate().map(entry).collect();
        let delete = sqs
            .delete_message_batch()
            .queue_url(queue)
            .set_entries(Some(entries));
        delete.send().await.unwrap();
        self.polls[usize::from(queue.ends_with(".fifo"))] += 2;
        deliveries
    }

    fn invoked(&mut self, begin: Instant) {
        self.invocations += 1;
        self.billed += begin.elapsed();
    }

    /// What it comes to.
    pub fn bill(self, name: &str, tasks: usize) -> Bill {
        let end = self.process.ports().clients.meter.counts();
        let begin = self.begin;
        Bill {
            name: format!("{name}{}", if self.decides_in_turn { "" } else { ", separate" }),
            tasks: tasks as f64,
            write_units: (end.write_units - begin.write_units) as f64,
            read_units: end.read_units - begin.read_units,
            standard: (end.sqs_chunks - begin.sqs_chunks + self.polls[0]) as f64,
            fifo: (end.sqs_fifo_chunks - begin.sqs_fifo_chunks + self.polls[1]) as f64,
            events: (end.events - begin.events) as f64,
            requests: self.requests as f64,
            invocations: self.invocations as f64,
            gb_seconds: self.billed.as_secs_f64() * MEMORY_GB,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is measuring code")]
fn now() -> Instant {
    Instant::now()
}

/// What a workload used.
pub struct Bill {
    name: String,
    tasks: f64,
    write_units: f64,
    read_units: f64,
    standard: f64,
    fifo: f64,
    events: f64,
    requests: f64,
    invocations: f64,
    gb_seconds: f64,
}

impl Bill {
    /// The head of the table; everything is per task but the last column, which is dollars per million tasks.
    pub const HEAD: &str =
        "workload              writes  reads   sqs  fifo events invocations  lambda ms   dollars per million";

    /// The row of the table.
    pub fn row(&self, prices: &Prices) -> String {
        let per = |count: f64| count / self.tasks;
        let dollars = per(self.write_units) * prices.dynamodb.write_units_per_million
            + per(self.read_units) * prices.dynamodb.read_units_per_million
            + per(self.standard) * prices.sqs.standard_requests_per_million
            + per(self.fifo) * prices.sqs.fifo_requests_per_million
            + per(self.events) * prices.eventbridge.custom_events_per_million
            + per(self.requests) * prices.http_api.requests_per_million
            + per(self.invocations) * prices.lambda.requests_per_million
            + per(self.gb_seconds) * prices.lambda.gb_second * 1e6;
        format!(
            "{:20} {:7.2} {:6.2} {:5.2} {:5.2} {:6.2} {:11.2} {:10.1} {:21.2}",
            self.name,
            per(self.write_units),
            per(self.read_units),
            per(self.standard),
            per(self.fifo),
            per(self.events),
            per(self.invocations),
            per(self.gb_seconds) / MEMORY_GB * 1e3,
            dollars
        )
    }
}
