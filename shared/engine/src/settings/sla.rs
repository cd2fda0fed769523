//! Deadlines and where alerts are sent.

use orchestrator_core::sla::{OnBreach, SlaSpec};

use super::load::Checker;
use super::raw::{SlaConfig, WebhookConfig};
use super::{SecretSource, Sla, Webhook};

/// Run time of a task without a word about it, seconds.
const TASK_MAX_S: f64 = 600.0;
/// Time of a run without a word about it, seconds.
const WORKFLOW_MAX_S: f64 = 3_600.0;

impl Checker {
    pub(super) fn sla(&mut self, config: SlaConfig) -> Sla {
        let warn_percent = config.warn_percent.map(|percent| {
            let percent = self.count("sla.warn_percent", Some(percent), 0, 1..=100);
            u8::try_from(percent).unwrap_or(100)
        });
        if config.on_workflow_breach == Some(OnBreach::Retry) {
            self.refuse(
                "sla.on_workflow_breach",
                "'retry' has no meaning for a whole run (use alert, cancel or fail)".to_owned(),
            );
        }
        let defaults = SlaSpec {
            task_max_seconds: self.deadline(
                "task_max_seconds",
                Some(config.task_max_seconds.unwrap_or(TASK_MAX_S)),
            ),
            workflow_max_seconds: self.deadline(
                "workflow_max_seconds",
                Some(config.workflow_max_seconds.unwrap_or(WORKFLOW_MAX_S)),
            ),
            queue_max_seconds: self.deadline("queue_max_seconds", config.queue_max_seconds),
            heartbeat_seconds: self.deadline("heartbeat_seconds", config.heartbeat_seconds),
            warn_percent,
            on_breach: config.on_breach,
            on_workflow_breach: config.on_workflow_breach,
        };
        Sla {
            defaults,
            check_interval_ms: self.some_seconds(
                "sla.check_interval_seconds",
                config.check_interval_seconds,
                30.0,
            ),
            webhook: config.webhook.and_then(|webhook| self.webhook(webhook)),
        }
    }

    fn deadline(&mut self, key: &str, seconds: Option<f64>) -> Option<f64> {
        let millis = self.some_seconds(&format!("sla.{key}"), Some(seconds?), 0.0);
        Some(millis as f64 / 1_000.0)
    }

    fn webhook(&mut self, config: WebhookConfig) -> Option<Webhook> {
        let WebhookConfig {
            url,
            secret_env,
            secret_file,
        } = config;
        let secret = match (secret_env, secret_file) {
            (Some(_), Some(_)) => {
                self.refuse(
                    "sla.webhook",
                    "there are both secret_env and secret_file (keep one)".to_owned(),
                );
                return None;
            }
            (Some(name), None) => Some(SecretSource::Variable(name)),
            (None, Some(path)) => Some(SecretSource::File(path)),
            (None, None) => None,
        };
        Some(Webhook {
            url: self.url("sla.webhook.url", url, &["http"]),
            secret,
        })
    }
}
