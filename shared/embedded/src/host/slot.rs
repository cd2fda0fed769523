//! A place for one value that somebody on the same thread waits for.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Filled once; any number of futures of the same thread may wait until it is.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    value: RefCell<Option<T>>,
    wakers: RefCell<Vec<Waker>>,
}

impl<T> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot {
            value: RefCell::new(None),
            wakers: RefCell::default(),
        }
    }
}

impl<T: Clone> Slot<T> {
    /// Fills it and lets everybody who waits go on.
    pub(crate) fn set(&self, value: T) {
        *self.value.borrow_mut() = Some(value);
        for waker in self.wakers.take() {
            waker.wake();
        }
    }

    /// The value, once it is there.
    pub(crate) async fn wait(&self) -> T {
        poll_fn(|context| match self.value.borrow().clone() {
            Some(value) => Poll::Ready(value),
            None => {
                self.wakers.borrow_mut().push(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}
