//! Threads for work that blocks: agents being watched, database reads.
//!
//! A thread that has finished its job waits a while for the next one, so that many short jobs cost no thread each.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

/// A pool of threads that grows with the jobs at hand, up to a limit; further jobs wait in line.
#[derive(Clone)]
pub(crate) struct Workers(Arc<Shared>);

struct Shared {
    name: &'static str,
    threads_max: usize,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

/// How long a thread waits for another job.
const LINGER: Duration = Duration::from_secs(5);
/// Jobs watch processes and read files: they nest little.
const STACK_BYTES: usize = 512 * 1024;

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Workers").field(&self.0.name).finish()
    }
}

impl Workers {
    pub(crate) fn new(name: &'static str, threads_max: usize) -> Workers {
        Workers(Arc::new(Shared {
            name,
            threads_max,
            state: Mutex::default(),
            wake: Condvar::new(),
        }))
    }

    /// Runs `job` on a thread of the pool, as soon as there is one.
    ///
    /// # Errors
    /// When there is no thread and none can be started; the job is dropped.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut state = self.0.lock();
        state.jobs.push_back(Box::new(job));
        if state.jobs.len() <= state.idle {
            self.0.wake.notify_one();
            return Ok(());
        }
        if state.threads >= self.0.threads_max {
            return Ok(());
        }
        let shared = Arc::clone(&self.0);
        let started = thread::Builder::new()
            .name(self.0.name.to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || shared.work());
        match started {
            Ok(_) => state.threads += 1,
            Err(_) if state.threads > 0 => {}
            Err(error) => {
                state.jobs.pop_back();
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    tracing::error!(worker = self.name, "a job panicked");
                }
                state = self.lock();
                continue;
            }
            state.idle += 1;
            let (guard, waited) = self
                .wake
                .wait_timeout_while(state, LINGER, |state| state.jobs.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn jobs_run_side_by_side_up_to_the_limit_and_survive_a_panic() {
        let workers = Workers::new("test", 2);
        let (done, finished) = mpsc::channel();
        let barrier = Arc::new(std::sync::Barrier::new(2));
        workers.run(|| panic!("a job that fails")).unwrap();
        for _ in 0..2 {
            let (done, barrier) = (done.clone(), Arc::clone(&barrier));
            workers
                .run(move || {
                    barrier.wait();
                    done.send(()).unwrap();
                })
                .unwrap();
        }
        finished.recv().unwrap();
        finished.recv().unwrap();
        assert!(workers.0.lock().threads <= 2);
    }
}
