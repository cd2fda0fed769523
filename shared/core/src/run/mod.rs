//! One run as an event-sourced aggregate.
