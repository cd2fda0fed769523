//! Taking leases.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use orchestrator_core::policy::PoolDemand;
use orchestrator_core::pool::{LeaseAnswer, LeaseRequest};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::pools::Taken;

use super::ledger::{Lease, Ledger, pools};
use super::line::Waiter;
use super::{TablePools, try_again};
use crate::fault::Fault;

impl TablePools {
    /// Takes what can be taken of the slots that are counted; the others are there for everybody.
    pub(super) async fn take_all(
        &self,
        requests: &[LeaseRequest],
        now: Timestamp,
    ) -> Result<Vec<Taken>, Fault> {
        let is_counted = |demand: &PoolDemand| !self.is_unlimited(&demand.pool);
        let counted = requests.iter().map(|request| LeaseRequest {
            demands: request
                .demands
                .iter()
                .filter(|demand| is_counted(demand))
                .cloned()
                .collect(),
            ..request.clone()
        });
        let counted: Vec<LeaseRequest> = counted.filter(|request| !request.demands.is_empty()).collect();
        let mut counted = self.take_counted(&counted, now).await?.into_iter();
        let answer = |request: &LeaseRequest| {
            let unlimited = Taken {
                answer: LeaseAnswer::Taken,
                usage: vec![0; request.demands.len()],
                instead: None,
            };
            if !request.demands.iter().any(is_counted) {
                return unlimited;
            }
            let taken = counted
                .next()
                .expect("every request with counted slots has an answer");
            if taken.instead.is_some() {
                return taken;
            }
            let mut usage = taken.usage.into_iter();
            let used = |demand: &PoolDemand| match is_counted(demand) {
                true => usage.next().unwrap_or(0),
                false => 0,
            };
            Taken {
                usage: request.demands.iter().map(used).collect(),
                ..taken
            }
        };
        Ok(requests.iter().map(answer).collect())
    }

    /// Takes what can be taken; the rest stands in line and looks once more.
    async fn take_counted(&self, requests: &[LeaseRequest], now: Timestamp) -> Result<Vec<Taken>, Fault> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let mut answers = self.decide(requests, now).await?;
        let waits = |taken: &Taken| matches!(taken.answer, LeaseAnswer::Waiting { .. });
        let waiting: Vec<usize> = (0..answers.len())
            .filter(|index| waits(&answers[*index]))
            .collect();
        if waiting.is_empty() {
            return Ok(answers);
        }
        let in_line = waiting.iter().map(|index| Waiter {
            order: requests[*index].order,
            key: requests[*index].key,
            lease: lease(&requests[*index], now),
        });
        let in_line: Vec<Waiter> = in_line.collect();
        try_join_all(in_line.iter().map(|waiter| self.stand_in_line(waiter))).await?;
        // A slot may have come free between the answer and the place in line.
        let again: Vec<LeaseRequest> = waiting.iter().map(|index| requests[*index].clone()).collect();
        let again = self.decide(&again, now).await?;
        for ((index, taken), waiter) in waiting.into_iter().zip(again).zip(&in_line) {
            if taken.answer == LeaseAnswer::Taken {
                self.leave_line(waiter).await?;
                answers[index] = taken;
            }
        }
        Ok(answers)
    }

    /// Answers the requests in order and stores the leases that were taken.
    async fn decide(&self, requests: &[LeaseRequest], now: Timestamp) -> Result<Vec<Taken>, Fault> {
        let names = requests.iter().flat_map(|request| pools(&request.demands));
        let known = names.filter(|pool| self.capacity(pool).is_some());
        let names: BTreeSet<String> = known.map(str::to_owned).collect();
        let mut tried = 0;
        loop {
            let mut ledger = self.load(names.iter().cloned()).await?;
            for request in requests {
                // An earlier turn may have taken other pools under the same key.
                if let Some(held) = ledger.lease(&request.key).cloned() {
                    self.load_missing(&mut ledger, pools(&held.demands)).await?;
                }
            }
            let answers = requests
                .iter()
                .map(|request| self.answer(&mut ledger, request, now));
            let answers: Vec<Taken> = answers.collect();
            if self.store(&ledger).await? {
                return Ok(answers);
            }
            tried += 1;
            try_again(tried).await?;
        }
    }

    fn answer(&self, ledger: &mut Ledger, request: &LeaseRequest, now: Timestamp) -> Taken {
        let used = |ledger: &Ledger, demands: &[PoolDemand]| {
            demands.iter().map(|demand| ledger.used(&demand.pool)).collect()
        };
        if let Some(held) = ledger.lease(&request.key).cloned() {
            let usage = used(ledger, &held.demands);
            let is_news = held.is_untold && request.seq == held.for_append;
            if request.seq > held.for_append || is_news {
                ledger.put(
                    request.key,
                    &Lease {
                        for_append: request.seq,
                        seen_at: now,
                        is_untold: false,
                        ..held.clone()
                    },
                );
            }
            return Taken {
                answer: LeaseAnswer::Taken,
                usage,
                instead: (held.demands != request.demands).then_some(held.demands),
            };
        }
        let usage = used(ledger, &request.demands);
        let impossible = request.demands.iter().find_map(|demand| {
            let capacity = self.capacity(&demand.pool);
            (capacity.is_none_or(|capacity| demand.slots > capacity)).then(|| LeaseAnswer::Impossible {
                pool: demand.pool.clone(),
                capacity,
            })
        });
        let answer = impossible.unwrap_or_else(|| match ledger.full(&request.demands) {
            full if full.is_empty() => {
                ledger.put(request.key, &lease(request, now));
                LeaseAnswer::Taken
            }
            full => LeaseAnswer::Waiting { full },
        });
        Taken {
            answer,
            usage,
            instead: None,
        }
    }
}

fn lease(request: &LeaseRequest, seen_at: Timestamp) -> Lease {
    Lease {
        demands: request.demands.clone(),
        for_append: request.seq,
        seen_at,
        is_untold: false,
    }
}
