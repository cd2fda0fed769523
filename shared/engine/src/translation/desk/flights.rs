//! The same question asked many times at once in this process is asked once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::oneshot;
use futures_util::FutureExt as _;
use futures_util::future::Shared;
use orchestrator_translate::{Translation, TranslatorError};

type Answer = Result<Translation, TranslatorError>;
type Flight = Shared<oneshot::Receiver<Answer>>;
type Board = Arc<Mutex<HashMap<String, Flight>>>;

/// Questions being asked, by key.
#[derive(Debug, Default)]
pub(super) struct Flights(Board);

/// A seat in the flight of a question.
pub(super) enum Seat {
    /// Whoever has it asks.
    Pilot(Pilot),
    /// Whoever has it waits for the answer.
    Passenger(Passenger),
}

/// Asks; when it is dropped without an answer, those who wait find out.
pub(super) struct Pilot {
    board: Board,
    key: String,
    answer: Option<oneshot::Sender<Answer>>,
}

/// Waits for an answer.
pub(super) struct Passenger(Flight);

impl Flights {
    /// Joins the flight of a question, or starts it.
    pub fn board(&self, key: &str) -> Seat {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(key) {
            return Seat::Passenger(Passenger(flight.clone()));
        }
        let (answer, flight) = oneshot::channel();
        flights.insert(key.to_owned(), flight.shared());
        Seat::Pilot(Pilot {
            board: Arc::clone(&self.0),
            key: key.to_owned(),
            answer: Some(answer),
        })
    }
}

impl Pilot {
    /// Hands the answer to everybody who waits.
    pub fn land(mut self, answer: Answer) {
        if let Some(waiting) = self.answer.take() {
            // Nobody may be waiting.
            let _ = waiting.send(answer);
        }
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        self.board
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

impl Passenger {
    /// The answer; `None` when whoever asked has given up.
    pub async fn land(self) -> Option<Answer> {
        self.0.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll};

    use futures_util::future::join3;
    use futures_util::task::noop_waker_ref;

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(noop_waker_ref())) {
                return value;
            }
        }
    }

    fn error() -> Answer {
        Err(TranslatorError::Unavailable {
            translator: "t".to_owned(),
            detail: "d".to_owned(),
            retry_after: 1,
        })
    }

    fn passenger(flights: &Flights) -> Passenger {
        match flights.board("k") {
            Seat::Passenger(passenger) => passenger,
            Seat::Pilot(_) => panic!("somebody flies already"),
        }
    }

    #[test]
    fn those_who_board_later_get_the_answer_of_the_first() {
        let flights = Flights::default();
        let Seat::Pilot(pilot) = flights.board("k") else {
            panic!("the first one flies");
        };
        let (second, third) = (passenger(&flights), passenger(&flights));
        assert!(matches!(flights.board("other"), Seat::Pilot(_)));
        // They wait before there is an answer, and all of them are woken by it.
        let landed = block_on(join3(second.land(), third.land(), async { pilot.land(error()) }));
        assert_eq!((landed.0, landed.1), (Some(error()), Some(error())));
        assert!(matches!(flights.board("k"), Seat::Pilot(_)));
    }

    #[test]
    fn a_flight_that_is_given_up_frees_those_who_wait() {
        let flights = Flights::default();
        let pilot = flights.board("k");
        let passenger = passenger(&flights);
        drop(pilot);
        assert_eq!(block_on(passenger.land()), None);
    }
}
