//! Master Orchestrator on AWS: the engine's ports on DynamoDB, SQS, EventBridge, Batch, S3 and ElastiCache.
//!
//! Start at [`host::AwsHost`], which puts all adapters together from the environment ([`mod@env`]). [`table`] describes the one
//! DynamoDB table, [`messages::wire`] the messages, [`compute`] how attempts reach their agents. What AWS answers is told
//! apart in one place, [`fault`]; what it costs is counted in [`meter`].

pub mod backend;
pub mod cache;
pub mod clients;
pub mod clock;
pub mod compute;
pub mod env;
pub mod events;
pub mod fault;
pub mod figures;
pub mod host;
pub mod idempotency;
pub mod messages;
pub mod meter;
pub mod objects;
pub mod payloads;
pub mod pools;
pub mod rate_limits;
pub mod sessions;
pub mod store;
pub mod table;
pub mod traces;
pub mod translations;
