//! What one evaluation may spend on loops (`map`, `filter`, `all`, `exists`, ...).
//!
//! CEL always terminates, but nested loops multiply: a short text can ask for years of work, or for texts that double
//! in every loop. Compiling therefore rewrites the range `r` of every loop to `@each(r, @budget)`. The function charges
//! the size of the range to the evaluation's budget. It also turns a map into the sorted list of its keys, because CEL
//! leaves their order open and a run must be reproducible.

use std::any::Any;
use std::cmp::Ordering;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelList, CelMap, CelMapKey, CelString, DYN_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{Context, Env, ExecutionError};

/// Name of the injected function; no source text can spell it.
pub(super) const EACH: &str = "@each";
/// Name of the injected variable.
pub(super) const BUDGET: &str = "@budget";

/// What one evaluation may spend, in units: one per element and per byte of text in it. Spending all takes less than
/// a second.
pub(super) const UNITS_MAX: usize = 2 * 1024 * 1024;

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib();
    environment
        .add_overload(EACH, "each_range_budget", vec![DYN_TYPE, DYN_TYPE], each)
        .expect("the standard library has no such function");
    Arc::new(environment)
});

/// The environment of one evaluation that may spend `units`.
pub(super) fn context<'v>(units: usize) -> Context<'static, 'v> {
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    context.add_variable_as_val(BUDGET, Box::new(Budget(Arc::new(AtomicUsize::new(units)))));
    context
}

fn each<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [range, budget] = <[CowVal<'b, 'v>; 2]>::try_from(arguments).expect("compiling passes two arguments");
    let budget = budget
        .downcast_ref::<Budget>()
        .expect("compiling passes the budget");
    budget.charge(weight(range.as_ref()))?;
    match range.downcast_ref::<CelMap>() {
        None => Ok(range),
        Some(map) => {
            let mut keys: Vec<CelMapKey<'v>> = map.inner().keys().cloned().collect();
            keys.sort_unstable_by(compare);
            Ok(CowVal::owned(CelList::from(
                keys.into_iter().map(key_value).collect::<Vec<_>>(),
            )))
        }
    }
}

fn weight(value: &dyn Val) -> usize {
    if let Some(text) = value.downcast_ref::<CelString>() {
        1 + text.inner().len()
    } else if let Some(list) = value.downcast_ref::<CelList>() {
        list.inner()
            .iter()
            .map(|item| weight(item.as_ref()))
            .fold(1, usize::saturating_add)
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        map.inner()
            .values()
            .map(|field| weight(field.as_ref()))
            .fold(1 + map.inner().len(), usize::saturating_add)
    } else {
        1
    }
}

fn compare(left: &CelMapKey<'_>, right: &CelMapKey<'_>) -> Ordering {
    let rank = |key: &CelMapKey<'_>| match key {
        CelMapKey::Bool(value) => (0, i128::from(*value.inner())),
        CelMapKey::Int(value) => (1, i128::from(*value.inner())),
        CelMapKey::UInt(value) => (1, i128::from(*value.inner())),
        CelMapKey::String(_) => (2, 0),
    };
    match (left, right) {
        (CelMapKey::String(left), CelMapKey::String(right)) => left.inner().cmp(right.inner()),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn key_value<'v>(key: CelMapKey<'v>) -> Box<dyn Val + 'v> {
    match key {
        CelMapKey::Bool(value) => Box::new(value),
        CelMapKey::Int(value) => Box::new(value),
        CelMapKey::UInt(value) => Box::new(value),
        CelMapKey::String(value) => Box::new(value),
    }
}

/// The units left, as a CEL value so that it can be handed to a function.
#[derive(Debug)]
struct Budget(Arc<AtomicUsize>);

static BUDGET_TYPE: Type = Type::new_unspecified_type("budget");

impl Budget {
    fn charge(&self, units: usize) -> Result<(), ExecutionError> {
        match self.0.load(Relaxed).checked_sub(units) {
            Some(left) => {
                self.0.store(left, Relaxed);
                Ok(())
            }
            None => Err(ExecutionError::function_error(
                EACH,
                "the expression walks over too much data (do such work in a task)",
            )),
        }
    }
}

impl Val for Budget {
    fn get_type(&self) -> &Type {
        &BUDGET_TYPE
    }

    fn cel_type() -> &'static Type {
        &BUDGET_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(Budget(Arc::clone(&self.0)))
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Budget {}
