//! The same question asked many times at once is asked once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator_translate::{Translation, TranslatorError};
use tokio::sync::watch;

type Answer = Result<Translation, TranslatorError>;
type Board = Arc<Mutex<HashMap<String, watch::Receiver<Option<Answer>>>>>;

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
    answer: watch::Sender<Option<Answer>>,
}

/// Waits for an answer.
pub(super) struct Passenger(watch::Receiver<Option<Answer>>);

impl Flights {
    /// Joins the flight of a question, or starts it.
    pub fn board(&self, key: &str) -> Seat {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(key) {
            return Seat::Passenger(Passenger(flight.clone()));
        }
        let (answer, flight) = watch::channel(None);
        flights.insert(key.to_owned(), flight);
        Seat::Pilot(Pilot {
            board: Arc::clone(&self.0),
            key: key.to_owned(),
            answer,
        })
    }
}

impl Pilot {
    /// Hands the answer to everybody who waits.
    pub fn land(self, answer: Answer) {
        self.answer.send_replace(Some(answer));
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
    pub async fn land(mut self) -> Option<Answer> {
        let answer = self.0.wait_for(Option::is_some).await.ok()?;
        answer.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    fn error() -> Answer {
        Err(TranslatorError::Unavailable {
            translator: "t".to_owned(),
            detail: "d".to_owned(),
            retry_after: 1,
        })
    }

    #[test]
    fn those_who_board_later_get_the_answer_of_the_first() {
        let flights = Flights::default();
        let Seat::Pilot(pilot) = flights.board("k") else {
            panic!("the first one flies");
        };
        let Seat::Passenger(passenger) = flights.board("k") else {
            panic!("the second one waits");
        };
        assert!(matches!(flights.board("other"), Seat::Pilot(_)));
        pilot.land(error());
        assert_eq!(block_on(passenger.land()), Some(error()));
        assert!(matches!(flights.board("k"), Seat::Pilot(_)));
    }

    #[test]
    fn a_flight_that_is_given_up_frees_those_who_wait() {
        let flights = Flights::default();
        let pilot = flights.board("k");
        let Seat::Passenger(passenger) = flights.board("k") else {
            panic!("the second one waits");
        };
        drop(pilot);
        assert_eq!(block_on(passenger.land()), None);
    }
}
