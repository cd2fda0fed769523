//! `cargo xtask cost`: what tasks cost on AWS, from requests counted on the emulator and the prices in `infra/prices.toml`.
//!
//! Submission, functions and agents run in this process, on the real adapters against the emulator's DynamoDB, SQS and
//! EventBridge. Queues are drained as Lambda and agents drain them under load: up to ten messages a call.
//!
//! - [`workload`]: what is run
//! - [`functions`]: drains the queues and counts what Lambda would be billed for
//! - [`prices`]: units into dollars

#![expect(
    clippy::unwrap_used,
    reason = "a program that measures gives up at the first problem"
)]

mod functions;
mod prices;
mod workload;
#[expect(dead_code, reason = "the tests of the adapters use more of it")]
#[path = "../../tests/on_emulator/world/mod.rs"]
mod world;

use functions::Bill;
use prices::Prices;
use workload::Workload;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let tasks_max: usize = match std::env::args().nth(1) {
        None => 1_000,
        Some(text) => text.parse().expect("the largest run, in tasks"),
    };
    let prices = Prices::load();
    println!(
        "list prices of {}, {}; workloads on the emulator",
        prices.date, prices.region
    );
    for decides_in_turn in [true, false] {
        let who = match decides_in_turn {
            true => "decided in the turn that made them ready",
            false => "decided by the decision function",
        };
        println!("\ntasks {who}:");
        println!("{}", Bill::HEAD);
        for workload in [Workload::diamond(200), Workload::chain(20)] {
            println!("{}", workload.run(decides_in_turn).await.row(&prices));
        }
    }
    println!("\none run of so many tasks in layers of ten, decided in the turn:");
    println!("{}", Bill::HEAD);
    let sizes = [10, 100, 1_000, 10_000];
    for size in sizes.into_iter().filter(|size| *size <= tasks_max) {
        println!("{}", Workload::layers(size).run(true).await.row(&prices));
    }
    println!("\n{}", prices.others());
}
