//! What people and programs see of runs: plain JSON shapes, folded from journals, the same over HTTP and on the command line.
//!
//! Nothing here decides or stores anything. [`replay`] folds a journal; the other modules turn the folded state into views.
//! Times are RFC 3339 in UTC, durations are milliseconds.
//!
//! Reading order: [`replay`], [`run`] with [`task`], [`event`], [`explain`], then the small ones.

pub mod agents;
pub mod alert;
mod at;
pub mod attempts;
pub mod checkpoint;
pub mod choice;
pub mod deadline;
pub mod event;
pub mod explain;
pub mod list;
pub mod plan;
pub mod pool;
pub mod replay;
pub mod reuse;
pub mod rollback;
pub mod run;
pub mod sla;
pub mod task;
pub mod trace;
pub mod translation;

pub use agents::{AgentEntry, AgentList};
pub use alert::{AlertType, AlertView};
pub use at::At;
pub use attempts::{AttemptView, Attempts};
pub use checkpoint::{CheckpointView, FilesView};
pub use choice::ChoiceView;
pub use deadline::{DeadlineView, ViolationView};
pub use event::{EventPage, EventView, name as event_name};
pub use explain::ExplainView;
pub use list::{Cursor, RunList, RunSummaryView};
pub use plan::PlanView;
pub use pool::{LeaseView, PoolList, PoolView};
pub use replay::{Replay, Step};
pub use reuse::CacheView;
pub use rollback::{RollbackAnswer, RollbackList, RollbackPlanView, RollbackProgressView, Rollbacks};
pub use run::RunView;
pub use sla::{AgentView, AtRiskView, LateView, SlaStats, SlaView, StallView};
pub use task::{TaskDetail, TaskView};
pub use trace::{TaskTraceView, TraceView};
pub use translation::{EstimateView, ProposalView, SuggestionList, TranslationAccepted, TranslationView};

#[cfg(test)]
mod tests;
