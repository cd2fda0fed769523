//! One task.

use super::fields::{Fields, Place, wrong_type};
use super::report::Report;
use super::sla;
use super::values::{
    NAME_RULE, boolean, delay_seconds, duration_ms, gigabytes, is_name, name, priority, quote, text, title,
    whole, word,
};
use crate::workflow::definition::{
    Compensation, OnDenied, ResourceClass, ResourceSpec, RetrySpec, Task, Trigger,
};
use crate::workflow::document::{Content, Node};
use crate::workflow::problem::Code;
use crate::workflow::reference::Reference;
use crate::workflow::{Expression, Template};

const KEYS: [&str; 18] = [
    "id",
    "name",
    "agent",
    "action",
    "params",
    "depends_on",
    "when",
    "for_each",
    "trigger",
    "retry",
    "timeout",
    "resources",
    "priority",
    "pools",
    "on_denied",
    "compensate",
    "cache",
    "sla",
];
const RETRY_KEYS: [&str; 3] = ["max_retries", "backoff_base_s", "backoff_max_s"];
const RESOURCE_KEYS: [&str; 2] = ["class", "memory_gb"];
const COMPENSATE_KEYS: [&str; 3] = ["agent", "action", "params"];
const POOLS_MAX: usize = 16;

/// Where a task comes from, for the checks that look at all tasks together.
pub(super) struct Source<'n, 'a> {
    /// The object it was read from.
    pub node: &'n Node<'a>,
    /// Where it stands.
    pub place: Place<'n>,
    /// Its id; empty when it has none that is valid.
    pub id: &'n str,
    /// Where its id is written.
    pub id_at: u32,
    /// The ids it depends on, with their offsets.
    pub wanted: Vec<(&'n str, u32)>,
}

/// Reads a task; what is wrong is reported and left at its default, so that the rest can still be checked.
/// `key` is the id when tasks are written as an object. `depends_on` is left to [`graph`](super::graph).
pub(super) fn read<'n, 'a>(
    node: &'n Node<'a>,
    place: Place<'n>,
    key: Option<(&'n str, u32)>,
    report: &mut Report,
) -> Option<(Task, Source<'n, 'a>)> {
    let fields = Fields::of(node, place, &KEYS, report)?;
    let (id, id_at) = id(&fields, key, report);
    let agent = fields
        .require("agent", report, name)
        .unwrap_or_default()
        .to_owned();
    let compensate = fields.read("compensate", report, |node, place, report| {
        compensation(node, place, &agent, report)
    });
    let task = Task {
        id: id.to_owned(),
        agent,
        action: fields.require("action", report, title).unwrap_or_default(),
        params: fields.read("params", report, params).unwrap_or_default(),
        depends_on: Vec::new(),
        when: fields.read("when", report, condition),
        for_each: fields.read("for_each", report, list_expression),
        trigger: fields.read("trigger", report, trigger).unwrap_or_default(),
        retry: fields.read("retry", report, retry).unwrap_or_default(),
        timeout_ms: fields.read("timeout", report, duration_ms),
        resources: fields.read("resources", report, resources).unwrap_or_default(),
        priority: fields.read("priority", report, priority),
        pools: fields.read("pools", report, pools).unwrap_or_default(),
        on_denied: fields.read("on_denied", report, on_denied),
        compensate,
        cache: fields.read("cache", report, boolean).unwrap_or_default(),
        sla: fields.read("sla", report, sla::of_task).unwrap_or_default(),
    };
    let wanted = fields.read("depends_on", report, texts).unwrap_or_default();
    Some((
        task,
        Source {
            node,
            place,
            id,
            id_at,
            wanted,
        },
    ))
}

/// The id from the key, from `id`, or from `name`; empty when there is none that is valid.
fn id<'n>(fields: &Fields<'n, '_, 18>, key: Option<(&'n str, u32)>, report: &mut Report) -> (&'n str, u32) {
    let written = match (fields.get("id"), fields.get("name")) {
        (Some(_), Some(second)) => {
            report.error(
                second.at,
                Code::BadValue,
                fields.place(),
                "both 'id' and 'name' are given",
                "keep 'id'",
            );
            Some("id")
        }
        (Some(_), None) => Some("id"),
        (None, Some(_)) => Some("name"),
        (None, None) => None,
    };
    match (key, written) {
        (Some((key, at)), None) => {
            if !is_name(key) {
                let message = format!("{} is not a valid task id", quote(key));
                report.error(at, Code::BadValue, fields.place(), message, NAME_RULE);
            }
            (key, at)
        }
        (Some((key, at)), Some(written)) => {
            let node = fields
                .get(written)
                .filter(|node| node.content != Content::Text(key.into()));
            if let Some(node) = node {
                let message = format!("'{written}' differs from the task's key '{key}'");
                report.error(
                    node.at,
                    Code::BadValue,
                    fields.place(),
                    message,
                    format!("remove '{written}'"),
                );
            }
            (key, at)
        }
        (None, Some(written)) => {
            let at = fields.get(written).map_or(fields.at(), |node| node.at);
            (fields.read(written, report, name).unwrap_or_default(), at)
        }
        (None, None) => {
            report.error(
                fields.at(),
                Code::MissingKey,
                fields.place(),
                "'id' is missing",
                "add it",
            );
            ("", fields.at())
        }
    }
}

fn params(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<Template> {
    match &node.content {
        Content::Object(_) => Some(Template::new(node.to_json())),
        _ => {
            wrong_type(node, place, "an object", report);
            None
        }
    }
}

/// A CEL text, optionally written as `${...}` as a whole; or a literal.
fn expression(node: &Node<'_>, place: &Place<'_>, expected: &str, report: &mut Report) -> Option<Expression> {
    let source = match &node.content {
        Content::Text(text) => match text
            .trim()
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'))
        {
            Some(inner) => {
                Reference::parse(inner).map_or_else(|_| inner.to_owned(), |reference| reference.to_cel())
            }
            None => text.to_string(),
        },
        Content::Bool(_) | Content::List(_) => node.to_json().to_string(),
        _ => {
            wrong_type(node, place, expected, report);
            return None;
        }
    };
    match Expression::parse(&source) {
        Ok(expression) => Some(expression),
        Err(error) => {
            let message = format!("{} does not compile: {error}", quote(&source));
            report.error(
                node.at,
                Code::BadExpression,
                place,
                message,
                "see the CEL section of the DSL reference",
            );
            None
        }
    }
}

fn condition(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<Expression> {
    let condition = expression(node, place, "a CEL expression, true or false", report)?;
    match condition.constant() {
        Some(constant) if !constant.is_boolean() => {
            let message = format!("the condition is always {constant}");
            report.error(
                node.at,
                Code::BadExpression,
                place,
                message,
                "it must give true or false",
            );
            None
        }
        _ => Some(condition),
    }
}

fn list_expression(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<Expression> {
    let list = expression(node, place, "a CEL expression or a list", report)?;
    match list.constant() {
        Some(constant) if !constant.is_array() => {
            report.error(
                node.at,
                Code::BadExpression,
                place,
                format!("this is always {constant}"),
                "it must give a list",
            );
            None
        }
        _ => Some(list),
    }
}

fn trigger(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<Trigger> {
    let words = [
        ("all_success", Trigger::AllSuccess),
        ("all_done", Trigger::AllDone),
        ("any_success", Trigger::AnySuccess),
        ("none_failed", Trigger::NoneFailed),
    ];
    word(node, place, &words, report)
}

fn on_denied(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<OnDenied> {
    word(
        node,
        place,
        &[
            ("skip", OnDenied::Skip),
            ("fail", OnDenied::Fail),
            ("hold", OnDenied::Hold),
        ],
        report,
    )
}

fn retry(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<RetrySpec> {
    let fields = Fields::of(node, *place, &RETRY_KEYS, report)?;
    let spec = RetrySpec {
        max_retries: fields.read("max_retries", report, |node, place, report| {
            whole(node, place, 0..=100, report)
        }),
        backoff_base_s: fields.read("backoff_base_s", report, delay_seconds),
        backoff_max_s: fields.read("backoff_max_s", report, delay_seconds),
    };
    if let (Some(base), Some(max)) = (spec.backoff_base_s, spec.backoff_max_s)
        && base > max
    {
        let message = format!("'backoff_base_s' {base} is above 'backoff_max_s' {max}");
        report.error(fields.at(), Code::BadValue, place, message, "raise the maximum");
    }
    Some(spec)
}

fn resources(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<ResourceSpec> {
    let fields = Fields::of(node, *place, &RESOURCE_KEYS, report)?;
    let classes = ResourceClass::ALL.map(|class| (class.as_str(), class));
    Some(ResourceSpec {
        class: fields.read("class", report, |node, place, report| {
            word(node, place, &classes, report)
        }),
        memory_gb: fields.read("memory_gb", report, gigabytes),
    })
}

fn pools(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<Vec<String>> {
    let mut pools: Vec<String> = Vec::new();
    for (pool, at) in texts(node, place, report)? {
        if !is_name(pool) {
            let message = format!("{} is not a valid name of a pool", quote(pool));
            report.error(at, Code::BadValue, place, message, NAME_RULE);
        } else if !pools.iter().any(|known| known == pool) {
            pools.push(pool.to_owned());
        }
    }
    if pools.len() > POOLS_MAX {
        let message = format!("a task in {} pools", pools.len());
        report.error(
            node.at,
            Code::Limit,
            place,
            message,
            format!("at most {POOLS_MAX}"),
        );
    }
    Some(pools)
}

fn compensation(
    node: &Node<'_>,
    place: &Place<'_>,
    agent: &str,
    report: &mut Report,
) -> Option<Compensation> {
    let fields = Fields::of(node, *place, &COMPENSATE_KEYS, report)?;
    Some(Compensation {
        agent: fields.read("agent", report, name).unwrap_or(agent).to_owned(),
        action: fields.require("action", report, title).unwrap_or_default(),
        params: fields.read("params", report, params).unwrap_or_default(),
    })
}

/// One text or a list of texts, each with its offset.
fn texts<'n>(node: &'n Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<Vec<(&'n str, u32)>> {
    let items = match &node.content {
        Content::Text(text) => return Some(vec![(text, node.at)]),
        Content::List(items) => items,
        _ => {
            wrong_type(node, place, "a text or a list of texts", report);
            return None;
        }
    };
    let read = |(index, item): (usize, &'n Node<'_>)| {
        Some((text(item, &Place::Index(place, index), report)?, item.at))
    };
    Some(items.iter().enumerate().filter_map(read).collect())
}
