//! Given / when / then: a workflow and a history of commands, one command, and what it must lead to.
//!
//! After every command the invariants are checked, and the journal written so far is replayed and compared (RUN-5).

mod checkpoints;
mod deadlines;
mod effects;
mod for_each;
mod given;
mod holds;
mod operator;
mod reports;
mod retries;
mod reuse;
mod rollback;
mod script;
mod table;
mod triggers;
mod undo;
