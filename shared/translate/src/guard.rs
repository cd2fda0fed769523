//! Guardrails: an answer becomes a workflow only if nothing in it is unknown, too large, circular or blocked.
//!
//! They are the same for every translator. They do not ask whether an answer is wise: that is the reader of the plan's to judge, and
//! what each task gets is the policy's.

use orchestrator_core::policy::Policy;
use orchestrator_core::workflow::{Limits, Workflow, parse};
use serde_json::{Value, json};

use crate::catalogue::{Catalogue, Finding};
use crate::draft::{Draft, DraftWorkflow, Status};

/// Changes whenever an answer that passed could fail, or the other way round: remembered translations are bound to it.
pub const VERSION: u32 = 1;

/// Notes kept of an answer, and characters of each.
const NOTES_MAX: usize = 20;
const NOTE_CHARS_MAX: usize = 300;

/// What answers are held against.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// What agents can do.
    pub catalogue: &'a Catalogue,
    /// For `max_task_count` and `blocked_actions`.
    pub policy: &'a Policy,
    /// Bounds on documents.
    pub limits: &'a Limits,
    /// Below this, an answer is a guess, 0 to 1.
    pub confidence_min: f64,
}

/// An answer that passed.
#[derive(Debug, Clone, PartialEq)]
pub enum Passed {
    /// A workflow, as a document.
    Workflow {
        /// The document.
        document: Value,
        /// How sure the translator is, 0 to 1.
        confidence: f64,
        /// What the reader should know.
        notes: Vec<String>,
    },
    /// No workflow.
    Nothing {
        /// What the request comes to.
        status: Status,
        /// Why.
        reason: String,
    },
}

/// An answer that did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Everything that is wrong, one line each.
    pub faults: Vec<String>,
    /// Whether asking again would be asking for something it must not get.
    pub is_final: bool,
}

/// Holds an answer against the rules.
///
/// # Errors
/// With everything that is wrong with it.
pub fn check(answer: &str, rules: Rules<'_>) -> Result<Passed, Rejected> {
    let draft = Draft::read(answer).map_err(|fault| again(vec![fault]))?;
    if !(0.0..=1.0).contains(&draft.confidence) {
        return Err(again(vec![format!(
            "confidence: '{}' is not a number from 0 to 1",
            draft.confidence
        )]));
    }
    let workflow = match (draft.status, draft.workflow) {
        (Status::Workflow, Some(workflow)) => workflow,
        (Status::Workflow, None) => {
            return Err(again(vec!["workflow: status 'workflow' needs one".to_owned()]));
        }
        (status, None) => {
            let reason = clip(&draft.reason);
            return Ok(Passed::Nothing { status, reason });
        }
        (_, Some(_)) => {
            let fault = "workflow: only status 'workflow' comes with one".to_owned();
            return Err(again(vec![fault]));
        }
    };
    blocked(&workflow, rules.policy)?;
    let document = document(workflow);
    let checked = checked(&document, rules).map_err(again)?;
    unreachable_agents(&checked, rules.catalogue).map_err(again)?;
    let notes: Vec<String> = draft
        .notes
        .iter()
        .take(NOTES_MAX)
        .map(|note| clip(note))
        .collect();
    if draft.confidence < rules.confidence_min {
        let about = if notes.is_empty() {
            String::new()
        } else {
            format!(" ({})", notes.join("; "))
        };
        return Ok(Passed::Nothing {
            status: Status::Ambiguous,
            reason: format!(
                "the translation is a guess: confidence {:.2}, of at least {:.2}{about}",
                draft.confidence, rules.confidence_min
            ),
        });
    }
    Ok(Passed::Workflow {
        document,
        confidence: draft.confidence,
        notes,
    })
}

fn again(faults: Vec<String>) -> Rejected {
    Rejected {
        faults,
        is_final: false,
    }
}

/// Asking again about something blocked would teach a model to say it differently.
fn blocked(workflow: &DraftWorkflow, policy: &Policy) -> Result<(), Rejected> {
    let blocked = workflow
        .tasks
        .iter()
        .filter(|task| policy.is_blocked(&task.action));
    let faults: Vec<String> = blocked
        .map(|task| {
            format!(
                "tasks.{}: the action '{}' is in blocked_actions",
                clip(&task.id),
                clip(&task.action)
            )
        })
        .collect();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Rejected {
            faults,
            is_final: true,
        }),
    }
}

fn document(workflow: DraftWorkflow) -> Value {
    let mut document = json!({"name": workflow.name, "tasks": workflow.tasks});
    if let Some(description) = workflow.description {
        document["description"] = Value::String(description);
    }
    if !workflow.inputs.is_empty() {
        document["inputs"] = json!(workflow.inputs);
    }
    document
}

/// The document as the engine would read it, held against the catalogue.
fn checked(document: &Value, rules: Rules<'_>) -> Result<Workflow, Vec<String>> {
    let limits = rules
        .limits
        .clone()
        .with_task_count(rules.policy.max_task_count() as usize);
    let text = document.to_string();
    let workflow = parse(text.as_bytes(), &limits).workflow.map_err(|problems| {
        let line = |problem: &orchestrator_core::workflow::Problem| format!("{}: {problem}", problem.path);
        problems.iter().take(50).map(line).collect::<Vec<_>>()
    })?;
    let findings = rules.catalogue.check(&workflow);
    match findings.is_empty() {
        true => Ok(workflow),
        false => Err(findings.iter().map(line).collect()),
    }
}

/// A translation uses what the catalogue describes, and nothing else.
fn unreachable_agents(workflow: &Workflow, catalogue: &Catalogue) -> Result<(), Vec<String>> {
    let faults: Vec<String> = workflow
        .tasks
        .iter()
        .filter(|task| catalogue.action(&task.agent, &task.action).is_none())
        .map(|task| {
            let known: Vec<&str> = catalogue.agents().keys().take(20).map(String::as_str).collect();
            format!(
                "tasks.{}.agent: the catalogue has no action '{}' of agent '{}' (its agents are {})",
                task.id,
                clip(&task.action),
                clip(&task.agent),
                known.join(", ")
            )
        })
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn line(finding: &Finding) -> String {
    match finding.remedy.is_empty() {
        true => format!("{}: {}", finding.path, finding.message),
        false => format!("{}: {} ({})", finding.path, finding.message, finding.remedy),
    }
}

fn clip(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control())
        .take(NOTE_CHARS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use orchestrator_core::policy::{PolicyConfig, Surroundings};

    use super::*;
    use crate::catalogue::Shipped;

    fn verdict(answer: &str) -> Result<Passed, Rejected> {
        let config = PolicyConfig {
            blocked_actions: Some(vec!["notify*".to_owned()]),
            max_task_count: Some(2),
            ..PolicyConfig::default()
        };
        let policy = Policy::new(&config, Surroundings::default()).unwrap();
        let rules = Rules {
            catalogue: Shipped::DataScience.catalogue(),
            policy: &policy,
            limits: &Limits::api(),
            confidence_min: 0.6,
        };
        check(answer, rules)
    }

    fn workflow(confidence: f64, tasks: &str) -> String {
        format!(
            r#"{{"status": "workflow", "confidence": {confidence}, "workflow": {{"name": "w", "tasks": [{tasks}]}}}}"#
        )
    }

    const LOAD: &str =
        r#"{"id": "load", "agent": "data_agent", "action": "load_dataset", "params": {"path": "x.csv"}}"#;

    #[test]
    fn what_is_known_passes() {
        let clean = r#"{"id": "clean", "agent": "data_agent", "action": "clean_data", "depends_on": ["load"], "params": {"path": "${tasks.load.output.path}"}}"#;
        let passed = verdict(&workflow(0.9, &format!("{LOAD}, {clean}"))).unwrap();
        assert!(matches!(passed, Passed::Workflow { confidence, .. } if confidence == 0.9));
        let guess = verdict(&workflow(0.3, LOAD)).unwrap();
        assert!(matches!(
            guess,
            Passed::Nothing {
                status: Status::Ambiguous,
                ..
            }
        ));
    }

    #[test]
    fn what_is_unknown_circular_too_much_or_out_of_place_does_not() {
        let cases = [
            (
                r#"{"id": "a", "agent": "root_agent", "action": "sudo"}"#,
                "no action 'sudo' of agent 'root_agent'",
            ),
            (
                r#"{"id": "a", "agent": "data_agent", "action": "drop_database"}"#,
                "no action 'drop_database'",
            ),
            (
                r#"{"id": "a", "agent": "data_agent", "action": "load_dataset", "params": {"path": "/etc/passwd"}}"#,
                "folder of the system",
            ),
            (
                r#"{"id": "a", "agent": "data_agent", "action": "clean_data", "depends_on": ["a"]}"#,
                "dsl.self-dependency",
            ),
            (
                r#"{"id": "a", "agent": "data_agent", "action": "clean_data", "params": {"path": "${tasks.b.output.path}"}}"#,
                "dsl.bad-reference",
            ),
            (
                r#"{"id": "a", "agent": "data_agent", "action": "clean_data", "params": {"command": "rm"}}"#,
                "no parameter 'command'",
            ),
        ];
        for (task, expected) in cases {
            let rejected = verdict(&workflow(1.0, task)).unwrap_err();
            assert!(
                rejected.faults.iter().any(|fault| fault.contains(expected)),
                "{task}: {rejected:?}"
            );
            assert!(!rejected.is_final);
        }
        let three = [
            LOAD,
            &LOAD.replace("\"load\"", "\"b\""),
            &LOAD.replace("\"load\"", "\"c\""),
        ]
        .join(",");
        assert!(verdict(&workflow(1.0, &three)).unwrap_err().faults[0].contains("dsl.limit"));
        assert!(verdict(&workflow(7.0, LOAD)).is_err());
        assert!(verdict(&workflow(1.0, "")).is_err());
    }

    #[test]
    fn what_is_blocked_ends_the_matter() {
        let rejected = verdict(&workflow(
            1.0,
            r#"{"id": "a", "agent": "report_agent", "action": "notify"}"#,
        ))
        .unwrap_err();
        assert!(rejected.is_final && rejected.faults[0].contains("blocked_actions"));
    }
}
