//! Graphs as trees of lines: what depends on something hangs below it.

use std::collections::BTreeMap;

/// The numbers of the nodes in the order in which they are shown, each with what stands before its name. A node hangs below the first
/// node of the graph it depends on. `nodes` are names with the names they depend on.
pub fn tree(nodes: &[(&str, &[String])]) -> Vec<(String, usize)> {
    let index: BTreeMap<&str, usize> = nodes
        .iter()
        .enumerate()
        .map(|(at, (name, _))| (*name, at))
        .collect();
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    let mut roots = Vec::new();
    for (at, (_, depends_on)) in nodes.iter().enumerate() {
        match depends_on
            .iter()
            .find_map(|upstream| index.get(upstream.as_str()))
        {
            Some(parent) => below[*parent].push(at),
            None => roots.push(at),
        }
    }
    let mut lines = Vec::with_capacity(nodes.len());
    // Without recursion: a chain of tasks may be long.
    let mut stack: Vec<(usize, String, String)> = roots
        .into_iter()
        .rev()
        .map(|root| (root, String::new(), String::new()))
        .collect();
    while let Some((at, before, indent)) = stack.pop() {
        lines.push((before, at));
        let children = &below[at];
        for (place, child) in children.iter().enumerate().rev() {
            let is_last = place + 1 == children.len();
            let (branch, rest) = if is_last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            stack.push((*child, format!("{indent}{branch}"), format!("{indent}{rest}")));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_hangs_below_the_first_of_the_graph_it_depends_on() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<String>>();
        let upstream = [
            names(&[]),
            names(&["a"]),
            names(&["elsewhere", "a", "b"]),
            names(&["b"]),
            names(&["elsewhere"]),
        ];
        let nodes: Vec<(&str, &[String])> = ["a", "b", "c", "d", "x"]
            .into_iter()
            .zip(upstream.iter().map(Vec::as_slice))
            .collect();
        let shown: Vec<String> = tree(&nodes)
            .into_iter()
            .map(|(line, at)| format!("{line}{}", nodes[at].0))
            .collect();
        assert_eq!(shown, ["a", "├─ b", "│  └─ d", "└─ c", "x"]);
    }
}
