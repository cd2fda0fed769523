//! Messages about texts that wait to be translated.

use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use orchestrator_aws::backend::AwsBackend;
use orchestrator_aws::messages::translations::decode;
use orchestrator_core::ids::RunId;
use orchestrator_engine::api::{Problem, later};
use orchestrator_translate::Translator;
use tracing::Instrument;

use crate::start::Function;
use crate::sweep::remaining;
use crate::telemetry::{Invocation, Trigger};
use crate::{api, deliveries};

/// Time kept for saying that a translation took too long, before Lambda ends the invocation.
const RESERVE: Duration = Duration::from_secs(5);

/// Serves invocations with this translator.
///
/// # Errors
/// When the runtime ends.
pub async fn serve<T: Translator>(function: &Function, translator: T) -> Result<(), Error> {
    let backend = &api::backend(function, translator);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let left = remaining(event.context.deadline).saturating_sub(RESERVE);
        // Part of the trace of the request that brought the text; a batch of several is nobody's part.
        let caller = match event.payload.records.as_slice() {
            [only] => deliveries::sender(only),
            _ => None,
        };
        // On the heap: the future of all that is a type too deep for the compiler.
        let work = async |_: &Invocation| Box::pin(handle(function, backend, event.payload, left)).await;
        Ok::<_, Error>(
            function
                .invocation(Trigger::PubSub, &event.context, caller, work)
                .await,
        )
    }))
    .await
}

/// Handles a batch, `left` is the time for it. What the answer names is delivered again, and in the end goes to the dead letters.
///
/// A model that does not answer is no reason to deliver a message again: calls are repeated while it is worked on, and after that the
/// translation ends with an error. A message that comes twice finds what has been done.
pub async fn handle<T: Translator>(
    function: &Function,
    backend: &AwsBackend<T>,
    event: SqsEvent,
    left: Duration,
) -> SqsBatchResponse {
    hold(function, &event.records, left).await;
    let mut failed = Vec::new();
    for record in event.records {
        if let Err(pause_seconds) = one(backend, &record, left).await {
            failed.push((record, pause_seconds));
        }
    }
    backend.count_translations();
    let receipts: Vec<(&str, i32)> = failed
        .iter()
        .map(|(record, seconds)| (record.receipt_handle.as_deref().unwrap_or_default(), *seconds))
        .collect();
    if let (Some(queue), false) = (&function.config.translations_queue, receipts.is_empty()) {
        deliveries::pause(function, queue, &receipts).await;
    }
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed
        .into_iter()
        .map(|(record, _)| {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = record.message_id.unwrap_or_default();
            failure
        })
        .collect();
    response
}

/// Has the messages delivered again soon after this invocation would have ended: if it dies, they do not wait for the time-out of the
/// queue, which is several times as long.
async fn hold(function: &Function, records: &[SqsMessage], left: Duration) {
    let Some(queue) = &function.config.translations_queue else {
        return;
    };
    let seconds = i32::try_from((left + 2 * RESERVE).as_secs()).unwrap_or(i32::MAX);
    let receipts: Vec<(&str, i32)> = records
        .iter()
        .map(|record| (record.receipt_handle.as_deref().unwrap_or_default(), seconds))
        .collect();
    deliveries::pause(function, queue, &receipts).await;
}

/// Handles a message, or tells after how many seconds it has to come again.
async fn one<T: Translator>(backend: &AwsBackend<T>, record: &SqsMessage, left: Duration) -> Result<(), i32> {
    let message_id = record.message_id.as_deref().unwrap_or_default();
    let body = record.body.as_deref().unwrap_or_default();
    let token = decode(body).map_err(|error| {
        tracing::error!(message_id, %error, "a message cannot be read");
        // What nobody can read is not waited for.
        0
    })?;
    let span = tracing::info_span!("translation", %token);
    let done = translate(backend, token, left).instrument(span).await;
    done.map_err(|problem| {
        tracing::warn!(%token, detail = problem.detail, "a text will be taken up again");
        let receives = record.attributes.get("ApproximateReceiveCount");
        deliveries::pause_after(receives.and_then(|count| count.parse().ok()).unwrap_or(1))
    })
}

async fn translate<T: Translator>(
    backend: &AwsBackend<T>,
    token: RunId,
    left: Duration,
) -> Result<(), Problem> {
    match tokio::time::timeout(left, Box::pin(later::take_up(backend, token))).await {
        Ok(taken_up) => {
            let is_new = taken_up?;
            tracing::info!(is_new, "a text has been taken up");
            Ok(())
        }
        Err(_) => {
            let why = format!(
                "it took longer than the function may, {} s (lower translation.bedrock.timeout_s, max_retries or \
                 max_repairs, or raise the function's time-out)",
                left.as_secs()
            );
            tracing::error!(why, "a translation was given up");
            later::give_up(backend, token, &why).await
        }
    }
}
