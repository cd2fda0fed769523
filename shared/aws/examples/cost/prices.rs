//! Units into dollars.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// List prices, as in `infra/prices.toml`.
#[derive(Debug, Deserialize)]
pub struct Prices {
    pub date: String,
    pub region: String,
    pub dynamodb: DynamoDb,
    pub sqs: Sqs,
    pub lambda: Lambda,
    pub eventbridge: EventBridge,
    pub http_api: HttpApi,
    step_functions_standard: StepFunctions,
    lambda_durable_functions: DurableFunctions,
    temporal_cloud: Temporal,
}

#[derive(Debug, Deserialize)]
pub struct DynamoDb {
    pub write_units_per_million: f64,
    pub read_units_per_million: f64,
}

#[derive(Debug, Deserialize)]
pub struct Sqs {
    pub standard_requests_per_million: f64,
    pub fifo_requests_per_million: f64,
}

#[derive(Debug, Deserialize)]
pub struct Lambda {
    pub requests_per_million: f64,
    pub gb_second: f64,
}

#[derive(Debug, Deserialize)]
pub struct EventBridge {
    pub custom_events_per_million: f64,
}

#[derive(Debug, Deserialize)]
pub struct HttpApi {
    pub requests_per_million: f64,
}

#[derive(Debug, Deserialize)]
struct StepFunctions {
    transitions_per_million: f64,
}

#[derive(Debug, Deserialize)]
struct DurableFunctions {
    operations_per_million: f64,
}

#[derive(Debug, Deserialize)]
struct Temporal {
    actions_per_million_first: f64,
    actions_per_million_last: f64,
}

impl Prices {
    /// Reads the table of prices.
    pub fn load() -> Prices {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/prices.toml");
        toml::from_str(&fs::read_to_string(file).unwrap()).unwrap()
    }

    /// What others ask for the orchestration of a million tasks, at one step for each task.
    pub fn others(&self) -> String {
        format!(
            "list prices of others per million steps; a task takes at least one:\n\
             Step Functions Standard {:.2}, Lambda durable functions {:.2}, Temporal Cloud {:.2} to {:.2}",
            self.step_functions_standard.transitions_per_million,
            self.lambda_durable_functions.operations_per_million,
            self.temporal_cloud.actions_per_million_last,
            self.temporal_cloud.actions_per_million_first,
        )
    }
}
