//! What the tests of the adapters share: an account of their own in an emulator, with everything a deployment has.

pub mod network;
pub mod process;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_types::timeout::TimeoutConfig;
use emulator::Emulator;
use orchestrator_aws::clients::{Clients, loader, new_connector};
use orchestrator_aws::env::{self, Config};
use orchestrator_aws::figures::Figures;
use orchestrator_aws::messages::Queues;
use orchestrator_aws::messages::send::Sender;
use orchestrator_aws::meter::Meter;
use orchestrator_aws::payloads::Payloads;
use orchestrator_aws::store::Store;
use orchestrator_aws::table::Table;
use orchestrator_core::ids::{AttemptKey, NodeIx, RunId};
use orchestrator_core::policy::PoolDemand;
use orchestrator_core::pool::{LeaseRequest, WaiterOrder};

pub const REGION: &str = "us-east-1";
const PATIENCE: Duration = Duration::from_secs(60);
const TABLE: &str = "orchestrator";
const BUCKET: &str = "orchestrator-payloads";

/// A deployment in an account of its own.
pub struct World {
    pub clients: Clients,
    pub config: Config,
    /// What other processes speak through.
    pub connector: SharedHttpConnector,
    endpoint: String,
    account: String,
}

impl World {
    /// Creates the table, the queues, the bucket and the bus.
    pub async fn new() -> World {
        let endpoint = Emulator::shared().endpoint().to_owned();
        let account = Emulator::new_account();
        // Connections belong to a runtime, and every test has its own.
        let connector = new_connector();
        let clients = clients(connector.clone(), &endpoint, &account).await;
        create_table(&clients).await;
        let bucket = format!("{BUCKET}-{account}");
        create_bucket(&clients, &bucket).await;
        clients
            .eventbridge
            .create_event_bus()
            .name("orchestrator")
            .send()
            .await
            .expect("a bus");
        let decisions = create_queue(&clients, "decisions", false).await;
        let task_events = create_queue(&clients, "task-events.fifo", true).await;
        let writer = create_queue(&clients, "tasks-writer", false).await;
        let queues = writer.strip_suffix("writer").expect("its own name").to_owned();
        let variables = BTreeMap::from([
            (env::TABLE, TABLE.to_owned()),
            (env::DECISIONS_QUEUE, decisions),
            (env::TASK_EVENTS_QUEUE, task_events),
            (env::AGENT_QUEUES, queues),
            (env::BUCKET, bucket),
            (env::EVENT_BUS, "orchestrator".to_owned()),
        ]);
        World {
            config: Config::from(|name| variables.get(name).cloned()).expect("a complete configuration"),
            clients,
            connector,
            endpoint,
            account,
        }
    }

    /// The clients of another process: nothing counted, nothing remembered.
    pub async fn other_clients(&self) -> Clients {
        clients(self.connector.clone(), &self.endpoint, &self.account).await
    }

    pub fn table(&self) -> Table {
        Table::new(
            self.clients.dynamodb.clone(),
            self.config.table.clone(),
            self.clients.meter.clone(),
        )
    }

    pub fn payloads(&self) -> Payloads {
        Payloads::new(&self.clients.objects, self.config.bucket.as_deref())
    }

    pub fn store(&self) -> Store {
        Store::new(self.table(), self.payloads(), Figures::new(self.table()))
    }

    pub fn sender(&self) -> Sender {
        Sender::new(self.clients.sqs.clone(), self.clients.meter.clone())
    }

    pub fn queues(&self) -> Queues {
        Queues::new(
            self.sender(),
            self.payloads(),
            self.config.decisions_queue.clone(),
            self.config.task_events_queue.clone(),
        )
    }

    /// Takes what is in a queue now, at most ten messages, and deletes it.
    pub async fn receive(&self, queue_url: &str) -> Vec<aws_sdk_sqs::types::Message> {
        let request = self
            .clients
            .sqs
            .receive_message()
            .queue_url(queue_url)
            .max_number_of_messages(10);
        let output = request
            .message_attribute_names("All")
            .send()
            .await
            .expect("a queue");
        let messages = output.messages.unwrap_or_default();
        for message in &messages {
            let handle = message.receipt_handle.clone();
            let delete = self
                .clients
                .sqs
                .delete_message()
                .queue_url(queue_url)
                .set_receipt_handle(handle);
            delete.send().await.expect("a received message");
        }
        messages
    }
}

async fn clients(connector: SharedHttpConnector, endpoint: &str, account: &str) -> Clients {
    let config = loader(connector)
        .region(Region::new(REGION))
        .endpoint_url(endpoint)
        // The emulator shares its machine with compilers.
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(PATIENCE)
                .build(),
        )
        .credentials_provider(Credentials::new(account, "secret", None, None, "tests"))
        .load()
        .await;
    Clients::new(config, Meter::default())
}

/// The table as `infra/template.yaml` describes it.
async fn create_table(clients: &Clients) {
    let attribute = |name: &str, kind| {
        let definition = AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(kind);
        definition.build().expect("a complete attribute")
    };
    let key = |hash: &str, range: &str| {
        let element = |name: &str, kind| {
            let element = KeySchemaElement::builder().attribute_name(name).key_type(kind);
            element.build().expect("a complete key")
        };
        vec![element(hash, KeyType::Hash), element(range, KeyType::Range)]
    };
    let index = |name: &str, hash: &str, range: &str, projection: Projection| {
        let index = GlobalSecondaryIndex::builder()
            .index_name(name)
            .projection(projection);
        index
            .set_key_schema(Some(key(hash, range)))
            .build()
            .expect("a complete index")
    };
    let shown = [
        "workflow",
        "status",
        "status_seq",
        "tasks",
        "submitted_at",
        "finished_at",
    ];
    let shown = Projection::builder()
        .projection_type(ProjectionType::Include)
        .set_non_key_attributes(Some(shown.map(str::to_owned).to_vec()))
        .build();
    let keys_only = Projection::builder()
        .projection_type(ProjectionType::KeysOnly)
        .build();
    let request = clients.dynamodb.create_table().table_name(TABLE);
    request
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("PK", ScalarAttributeType::S))
        .attribute_definitions(attribute("SK", ScalarAttributeType::S))
        .attribute_definitions(attribute("client", ScalarAttributeType::S))
        .attribute_definitions(attribute("due_shard", ScalarAttributeType::S))
        .attribute_definitions(attribute("due_at", ScalarAttributeType::N))
        .set_key_schema(Some(key("PK", "SK")))
        .global_secondary_indexes(index("by_client", "client", "PK", shown))
        .global_secondary_indexes(index("by_due", "due_shard", "due_at", keys_only))
        .send()
        .await
        .expect("a table");
}

async fn create_bucket(clients: &Clients, name: &str) {
    // Emulators have no name per bucket.
    let config = aws_sdk_s3::config::Builder::from(&clients.config).force_path_style(true);
    let s3 = aws_sdk_s3::Client::from_conf(config.build());
    s3.create_bucket().bucket(name).send().await.expect("a bucket");
}

async fn create_queue(clients: &Clients, name: &str, is_fifo: bool) -> String {
    let mut request = clients.sqs.create_queue().queue_name(name);
    if is_fifo {
        request = request.attributes(QueueAttributeName::FifoQueue, "true");
    }
    let output = request.send().await.expect("a queue");
    output.queue_url.expect("a queue has a URL")
}

/// Attempt `n` wants a slot of the pool `gpu` for the second append of its run; the lowest is first in line.
pub fn slot_request(n: u32) -> LeaseRequest {
    LeaseRequest {
        key: AttemptKey {
            run: RunId::from_parts(1_700_000_000_000 + u64::from(n), 1),
            node: NodeIx(n),
            epoch: 1,
            attempt: 1,
        },
        demands: vec![PoolDemand {
            pool: "gpu".to_owned(),
            slots: 1,
        }],
        order: WaiterOrder(i64::from(n)),
        seq: 2,
    }
}
