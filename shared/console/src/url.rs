//! Addresses of the pages.

use orchestrator_core::ids::RunId;
use orchestrator_engine::api::route::encode;

/// Where the console is.
pub const BASE: &str = "/ui";

/// The page of a run.
pub fn run(run: RunId) -> String {
    format!("{BASE}/runs/{run}")
}

/// A view or an action of a run.
pub fn of_run(run: RunId, rest: &str) -> String {
    format!("{BASE}/runs/{run}/{rest}")
}

/// The page of a task.
pub fn task(run: RunId, task: &str) -> String {
    format!("{BASE}/runs/{run}/tasks/{}", encode(task))
}

/// A view or an action of a task.
pub fn of_task(run: RunId, task: &str, rest: &str) -> String {
    format!("{BASE}/runs/{run}/tasks/{}/{rest}", encode(task))
}

/// An address with parameters; those without a value are left out.
pub fn with(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut address = path.to_owned();
    let mut sign = '?';
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        address.push(sign);
        address.push_str(name);
        address.push('=');
        address.push_str(&encode(value));
        sign = '&';
    }
    address
}

/// The end of a run's id, which is enough to tell runs apart.
pub fn short(run: RunId) -> String {
    let id = run.to_string();
    id[id.len().saturating_sub(8)..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_holds_stays_inside_its_segment() {
        let id = RunId::from_parts(1, 2);
        assert_eq!(
            task(id, "a/../b?c#d\"<e>"),
            format!("/ui/runs/{id}/tasks/a%2F..%2Fb%3Fc%23d%22%3Ce%3E")
        );
        assert_eq!(
            with(
                "/ui/runs",
                &[("status", "FAILED"), ("q", ""), ("workflow", "a&b=c")]
            ),
            "/ui/runs?status=FAILED&workflow=a%26b%3Dc"
        );
    }
}
