//! Compiling: from source text to a checked tree, and what the tree reads.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, SelectExpr, operators};
use cel::parser::PrattParser;

use super::{ExpressionError, SOURCE_BYTES_MAX, budget, shorten};
use crate::workflow::reference::{Reference, Step};

/// Deepest accepted nesting of parentheses, brackets and calls in the text.
const NESTING_MAX: u16 = 32;
/// Deepest accepted tree: also long chains such as `a + b + c + ...` make deep trees. Evaluation recurses that deep.
const DEPTH_MAX: usize = 64;

const FUNCTIONS: [&str; 13] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "has",
    "int",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
];

/// Parses and checks.
pub(super) fn parse(source: &str) -> Result<IdedExpr, ExpressionError> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(ExpressionError(format!(
            "the expression has {} bytes (at most {SOURCE_BYTES_MAX} are allowed)",
            source.len()
        )));
    }
    let parser = PrattParser::new()
        .max_recursion_depth(NESTING_MAX)
        .enable_ident_escape_syntax(true);
    let tree = parser.parse(source).map_err(|errors| explain(&errors))?;
    check(&tree, 0)?;
    Ok(tree)
}

fn explain(errors: &cel::ParseErrors) -> ExpressionError {
    let Some(first) = errors.errors.first() else {
        return ExpressionError("not a valid expression".to_owned());
    };
    let message = shorten(first.msg.trim_start_matches("Syntax error: "));
    ExpressionError(match first.pos {
        (line, column) if line > 0 => format!("{message} (at {line}:{column} of the expression)"),
        _ => message,
    })
}

fn check(tree: &IdedExpr, depth: usize) -> Result<(), ExpressionError> {
    if depth > DEPTH_MAX {
        return Err(ExpressionError(format!(
            "the expression is nested more than {DEPTH_MAX} levels deep (split it over several tasks)"
        )));
    }
    match &tree.expr {
        Expr::Unspecified => return Err(ExpressionError("the expression is empty".to_owned())),
        Expr::Struct(message) => {
            return Err(ExpressionError(format!(
                "unknown type '{}' (write a map as '{{\"key\": value}}')",
                message.type_name
            )));
        }
        Expr::Call(call) if is_word(&call.func_name) && !FUNCTIONS.contains(&call.func_name.as_str()) => {
            return Err(ExpressionError(format!(
                "unknown function '{}' (known are {}, and the macros all, exists, exists_one, filter, has, map)",
                call.func_name,
                FUNCTIONS.join(", ")
            )));
        }
        _ => {}
    }
    children(tree)
        .into_iter()
        .try_for_each(|child| check(child, depth + 1))
}

fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) || name.contains('.')
}

fn children(tree: &IdedExpr) -> Vec<&IdedExpr> {
    match &tree.expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(comprehension) => vec![
            &comprehension.iter_range,
            &comprehension.accu_init,
            &comprehension.loop_cond,
            &comprehension.loop_step,
            &comprehension.result,
        ],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map
            .entries
            .iter()
            .flat_map(|entry| entry_children(&entry.expr))
            .collect(),
        Expr::Struct(message) => message
            .entries
            .iter()
            .flat_map(|entry| entry_children(&entry.expr))
            .collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    }
}

fn entry_children(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

/// Every free variable with the longest constant path that follows it, in order of appearance, without repetition.
pub(super) fn references(tree: &IdedExpr) -> Vec<Reference> {
    let mut found = Vec::new();
    collect(tree, &mut Vec::new(), &mut found);
    found
}

fn collect<'a>(tree: &'a IdedExpr, bound: &mut Vec<&'a str>, found: &mut Vec<Reference>) {
    if let Some(reference) = constant_path(tree) {
        let is_bound = bound.contains(&reference.variable.as_str()) || reference.variable.starts_with('@');
        if !is_bound && !is_type(&reference) && !found.contains(&reference) {
            found.push(reference);
        }
        return;
    }
    let Expr::Comprehension(comprehension) = &tree.expr else {
        children(tree)
            .into_iter()
            .for_each(|child| collect(child, bound, found));
        return;
    };
    collect(&comprehension.iter_range, bound, found);
    bound.push(&comprehension.iter_var);
    for part in [
        &comprehension.loop_cond,
        &comprehension.loop_step,
        &comprehension.result,
    ] {
        collect(part, bound, found);
    }
    bound.pop();
}

/// Names of types are identifiers too, as in `type(x) == int`.
fn is_type(reference: &Reference) -> bool {
    const TYPES: [&str; 10] = [
        "bool",
        "bytes",
        "double",
        "int",
        "list",
        "map",
        "null_type",
        "string",
        "type",
        "uint",
    ];
    reference.path.is_empty() && TYPES.contains(&reference.variable.as_str())
}

/// The reference that `tree` spells when it is a variable followed by constant steps only.
fn constant_path(tree: &IdedExpr) -> Option<Reference> {
    match &tree.expr {
        Expr::Ident(variable) => Some(Reference {
            variable: variable.trim_start_matches('.').to_owned(),
            path: Vec::new(),
        }),
        Expr::Select(SelectExpr { operand, field, .. }) => {
            extend(constant_path(operand)?, Step::Key(field.clone()))
        }
        Expr::Call(CallExpr {
            func_name,
            target: None,
            args,
        }) if func_name == operators::INDEX => {
            let [operand, index] = args.as_slice() else {
                return None;
            };
            let Expr::Literal(index) = &index.expr else {
                return None;
            };
            let step = match index {
                LiteralValue::String(key) => Step::Key(key.inner().to_owned()),
                LiteralValue::Int(index) => Step::Index(usize::try_from(*index.inner()).ok()?),
                _ => return None,
            };
            extend(constant_path(operand)?, step)
        }
        _ => None,
    }
}

fn extend(mut reference: Reference, step: Step) -> Option<Reference> {
    reference.path.push(step);
    Some(reference)
}

/// Wraps the range of every loop, see [`budget`].
pub(super) fn meter_loops(tree: &mut IdedExpr) {
    if let Expr::Comprehension(comprehension) = &mut tree.expr {
        let range = std::mem::take(&mut comprehension.iter_range);
        let budget = IdedExpr {
            id: 0,
            expr: Expr::Ident(budget::BUDGET.to_owned()),
        };
        let call = CallExpr {
            func_name: budget::EACH.to_owned(),
            target: None,
            args: vec![range, budget],
        };
        comprehension.iter_range = IdedExpr {
            id: 0,
            expr: Expr::Call(call),
        };
    }
    match &mut tree.expr {
        Expr::Call(call) => call
            .target
            .as_deref_mut()
            .into_iter()
            .chain(&mut call.args)
            .for_each(meter_loops),
        Expr::Comprehension(comprehension) => [
            &mut comprehension.iter_range,
            &mut comprehension.accu_init,
            &mut comprehension.loop_cond,
            &mut comprehension.loop_step,
            &mut comprehension.result,
        ]
        .into_iter()
        .for_each(meter_loops),
        Expr::List(list) => list.elements.iter_mut().for_each(meter_loops),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    meter_loops(&mut entry.key);
                    meter_loops(&mut entry.value);
                }
            }
        }
        Expr::Select(select) => meter_loops(&mut select.operand),
        Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}
