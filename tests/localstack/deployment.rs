//! A deployment in an account of its own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_eventbridge::types::Target;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Environment, FunctionCode, FunctionResponseType, LogType, Runtime, State, TracingConfig, TracingMode,
};
use aws_sdk_sqs::types::QueueAttributeName;
use orchestrator_aws::env;
use orchestrator_aws::events::SOURCE;
use orchestrator_functions::identity;
use serde_json::{Value, json};

use crate::package::package;
use crate::world::World;

/// How long anything that has to happen may take.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Deliveries before a message goes to the dead letters.
const RECEIVES_MAX: u32 = 8;
/// Seconds until a message of a function that died comes again, unless the test wants others.
const VISIBILITY_SECONDS: u32 = 4;
/// The group of operators in tokens.
pub const OPERATORS: &str = "operators";

/// What a test wants of its deployment.
#[derive(Default)]
pub struct Wanted<'a> {
    /// Agents with a queue of their own.
    pub agents: &'a [&'a str],
    /// The configuration file.
    pub configuration: &'a str,
    /// More variables of the functions' environment.
    pub environment: Vec<(&'a str, String)>,
    /// Seconds a function may take; 0: as many as it likes.
    pub timeout_seconds: i32,
    /// Seconds until a message of a function that died comes again; 0: as soon as is safe with little to do.
    pub visibility_seconds: u32,
    /// Where Bedrock is: then there is a translator, with its queue.
    pub model: Option<&'a str>,
    /// Whether nothing is delivered to the functions: the test calls them itself.
    pub is_manual: bool,
    /// Whether requests of the test are answered by a function of their own, without `environment`: what it puts between the
    /// functions and AWS does not concern the test.
    pub has_observer: bool,
}

/// Functions with everything they need.
pub struct Deployment {
    /// Table, queues, bucket and bus.
    pub world: World,
    /// Calls functions.
    pub lambda: aws_sdk_lambda::Client,
    /// Dead letters of `decisions` and of `task-events`.
    pub dead_letters: [String; 2],
    /// Texts for the translator, if there is one.
    pub translations_queue: String,
    /// Its dead letters.
    pub dead_translations: String,
    /// Messages of the sweep to itself.
    pub sweeps_queue: String,
    /// The function that answers requests of the test.
    pub api: &'static str,
}

impl Deployment {
    /// Deploys.
    pub async fn new(wanted: Wanted<'_>) -> Deployment {
        let world = World::new().await;
        let lambda = aws_sdk_lambda::Client::new(&world.clients.config);
        let mut deployment = Deployment {
            world,
            lambda,
            dead_letters: Default::default(),
            translations_queue: String::new(),
            dead_translations: String::new(),
            sweeps_queue: String::new(),
            api: "intake",
        };
        deployment.create_queues(&wanted).await;
        let environment = deployment.environment(&wanted).await;
        let translator = wanted.model.map(|_| "translator");
        let all = ["intake", "decision", "task_events", "sla_sweep", "rollback"];
        for name in all.into_iter().chain(translator) {
            deployment
                .create_function(name, name, &environment, &wanted)
                .await;
        }
        if wanted.has_observer {
            let mut environment = environment;
            environment.retain(|name, _| wanted.environment.iter().all(|(own, _)| own != name));
            deployment.api = "observer";
            deployment
                .create_function(deployment.api, "intake", &environment, &wanted)
                .await;
        }
        let config = deployment.world.config.clone();
        if !wanted.is_manual {
            deployment.deliver(&config.decisions_queue, "decision").await;
            deployment.deliver(&config.task_events_queue, "task_events").await;
            deployment.deliver(&deployment.sweeps_queue, "sla_sweep").await;
            if let Some(translator) = translator {
                deployment
                    .deliver(&deployment.translations_queue, translator)
                    .await;
            }
        }
        deployment
    }

    /// A queue that gets what EventBridge is told of these types.
    pub async fn subscribe(&self, types: &[&str]) -> String {
        const NAME: &str = "subscribed";
        let clients = &self.world.clients;
        let created = clients.sqs.create_queue().queue_name(NAME).send().await;
        let queue = created.expect("a queue").queue_url.expect("a queue has a URL");
        let bus = self.world.config.event_bus.clone().expect("a bus");
        let pattern = json!({"source": [SOURCE], "detail-type": types});
        let rule = clients.eventbridge.put_rule().name(NAME).event_bus_name(&bus);
        let rule = rule.event_pattern(pattern.to_string()).send().await;
        rule.expect("a rule");
        let target = Target::builder().id("queue").arn(self.arn(&queue).await).build();
        let targets = clients.eventbridge.put_targets().rule(NAME).event_bus_name(&bus);
        let target = target.expect("a complete target");
        targets.targets(target).send().await.expect("a target");
        queue
    }

    async fn create_queues(&mut self, wanted: &Wanted<'_>) {
        let visibility_seconds = match wanted.visibility_seconds {
            0 => VISIBILITY_SECONDS,
            seconds => seconds,
        };
        let sqs = &self.world.clients.sqs;
        let created = sqs.create_queue().queue_name("sweeps").send().await;
        let sweeps = created.expect("a queue").queue_url;
        self.sweeps_queue = sweeps.expect("a queue has a URL");
        if wanted.model.is_some() {
            let created = sqs.create_queue().queue_name("translations").send().await;
            let translations = created.expect("a queue").queue_url;
            self.translations_queue = translations.expect("a queue has a URL");
        }
        let config = &self.world.config;
        let mut queues = vec![
            (&config.decisions_queue, "decisions-dlq"),
            (&config.task_events_queue, "task-events-dlq.fifo"),
        ];
        queues.extend(
            wanted
                .model
                .map(|_| (&self.translations_queue, "translations-dlq")),
        );
        for (index, (queue, name)) in queues.into_iter().enumerate() {
            let mut request = sqs.create_queue().queue_name(name);
            if name.ends_with(".fifo") {
                request = request.attributes(QueueAttributeName::FifoQueue, "true");
            }
            let created = request.send().await.expect("a queue for dead letters");
            let dead_letters = created.queue_url.expect("a queue has a URL");
            let redrive = json!({"deadLetterTargetArn": self.arn(&dead_letters).await, "maxReceiveCount": RECEIVES_MAX});
            let set = sqs.set_queue_attributes().queue_url(queue);
            set.attributes(QueueAttributeName::RedrivePolicy, redrive.to_string())
                .attributes(
                    QueueAttributeName::VisibilityTimeout,
                    visibility_seconds.to_string(),
                )
                .send()
                .await
                .expect("a queue with dead letters");
            match self.dead_letters.get_mut(index) {
                Some(place) => *place = dead_letters,
                None => self.dead_translations = dead_letters,
            }
        }
        for agent in wanted.agents {
            let name = format!("tasks-{agent}");
            sqs.create_queue()
                .queue_name(name)
                .send()
                .await
                .expect("an agent's queue");
        }
    }

    /// The ARN of a queue.
    pub async fn arn(&self, queue_url: &str) -> String {
        let request = self.world.clients.sqs.get_queue_attributes().queue_url(queue_url);
        let output = request
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .expect("a queue");
        let attributes = output.attributes.expect("the ARN was asked for");
        attributes[&QueueAttributeName::QueueArn].clone()
    }

    /// The URL of an agent's queue.
    pub fn agent_queue(&self, agent: &str) -> String {
        let queues = self.world.config.agents.queues.as_deref();
        format!("{}{agent}", queues.expect("agents have queues here"))
    }

    async fn environment(&self, wanted: &Wanted<'_>) -> BTreeMap<String, String> {
        let config = &self.world.config;
        let bucket = config.bucket.clone().expect("a bucket");
        let key = "config/orchestrator.yaml";
        let objects = self.world.clients.objects.bucket(&bucket);
        let put = objects.put(key, wanted.configuration.as_bytes().to_vec());
        put.await.expect("the configuration");
        let mut environment = vec![
            (env::TABLE, config.table.clone()),
            (env::DECISIONS_QUEUE, config.decisions_queue.clone()),
            (env::TASK_EVENTS_QUEUE, config.task_events_queue.clone()),
            (env::SWEEPS_QUEUE, self.sweeps_queue.clone()),
            (env::AGENT_QUEUES, self.agent_queue("")),
            (env::CONFIG, format!("s3://{bucket}/{key}")),
            (env::BUCKET, bucket),
            (env::EVENT_BUS, config.event_bus.clone().expect("a bus")),
            (identity::OPERATORS, OPERATORS.to_owned()),
        ];
        if let Some(model) = wanted.model {
            environment.push((env::TRANSLATIONS_QUEUE, self.translations_queue.clone()));
            environment.push(("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", model.to_owned()));
        }
        environment.extend(wanted.environment.iter().cloned());
        environment
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    async fn create_function(
        &self,
        name: &str,
        program: &str,
        environment: &BTreeMap<String, String>,
        wanted: &Wanted<'_>,
    ) {
        let variables = environment.clone().into_iter().collect();
        let zip = FunctionCode::builder()
            .zip_file(Blob::new(package(program)))
            .build();
        let timeout_seconds = match wanted.timeout_seconds {
            0 => 60,
            seconds => seconds,
        };
        let request = self.lambda.create_function().function_name(name).code(zip);
        request
            .runtime(Runtime::from("provided.al2023"))
            .handler("bootstrap")
            .role("arn:aws:iam::000000000000:role/function")
            .memory_size(256)
            .timeout(timeout_seconds)
            // Every call to AWS says which invocation makes it.
            .tracing_config(TracingConfig::builder().mode(TracingMode::Active).build())
            .environment(Environment::builder().set_variables(Some(variables)).build())
            .send()
            .await
            .expect("a function");
        eventually(&format!("function {name} is active"), async || {
            let request = self.lambda.get_function_configuration().function_name(name);
            let state = request.send().await.expect("a function").state;
            // Emulators that do not know states create functions at once.
            (state.is_none() || state == Some(State::Active)).then_some(())
        })
        .await;
    }

    /// Lets a queue be delivered to a function.
    pub async fn deliver(&self, queue_url: &str, function: &str) {
        let request = self.lambda.create_event_source_mapping().function_name(function);
        request
            .event_source_arn(self.arn(queue_url).await)
            .batch_size(if function == "translator" { 1 } else { 10 })
            .function_response_types(FunctionResponseType::ReportBatchItemFailures)
            .send()
            .await
            .expect("deliveries");
    }

    /// Has a run looked at from this time on, milliseconds since 1970.
    pub async fn look_at(&self, run: &str, at: i64) {
        let update = self.world.clients.dynamodb.update_item();
        update
            .table_name(&self.world.config.table)
            .key("PK", AttributeValue::S(format!("RUN#{run}")))
            .key("SK", AttributeValue::S("J#0000000001".to_owned()))
            .update_expression("SET due_at = :at")
            .expression_attribute_values(":at", AttributeValue::N(at.to_string()))
            .send()
            .await
            .expect("the run's first append");
    }

    /// Calls a function and waits for its answer.
    pub async fn call(&self, function: &str, event: &Value) -> Result<Value, String> {
        let payload = Blob::new(serde_json::to_vec(event).expect("plain data"));
        let request = self.lambda.invoke().function_name(function).payload(payload);
        let output = request.send().await.expect("a function can be called");
        let answer = output.payload.map(Blob::into_inner).unwrap_or_default();
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        match output.function_error {
            None => Ok(answer),
            Some(kind) => Err(format!("{kind}: {answer}")),
        }
    }

    /// Calls a function and gives what it has logged meanwhile.
    pub async fn log_of_call(&self, function: &str, event: &Value) -> String {
        let payload = Blob::new(serde_json::to_vec(event).expect("plain data"));
        let request = self.lambda.invoke().function_name(function).payload(payload);
        let output = request
            .log_type(LogType::Tail)
            .send()
            .await
            .expect("a function can be called");
        let log = output.log_result.expect("the log was asked for");
        let log = aws_smithy_types::base64::decode(log).expect("the log is in base 64");
        String::from_utf8(log).expect("the log is text")
    }

    /// The bodies of everything in a queue of dead letters.
    pub async fn dead(&self, queue_url: &str) -> Vec<String> {
        let mut bodies = Vec::new();
        loop {
            let messages = self.world.receive(queue_url).await;
            if messages.is_empty() {
                return bodies;
            }
            bodies.extend(messages.into_iter().filter_map(|message| message.body));
        }
    }
}

/// Looks until there is something to see.
#[expect(clippy::disallowed_methods, reason = "gives up after a bounded time")]
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(seen) = look().await {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited in vain: {what}");
}
