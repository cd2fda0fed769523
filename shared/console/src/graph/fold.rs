//! Which tasks are drawn as one: nobody reads a graph of ten thousand boxes.
//!
//! A graph of at most [`SHAPES_MAX`] tasks is drawn as it is. In a larger one, tasks that do the same work behind the same
//! tasks are one shape. Where that is not enough, all tasks at the same distance from the beginning are, and, in a graph that
//! is deeper than that, several such layers. So there are never more shapes than [`SHAPES_MAX`].

use std::collections::{BTreeSet, HashMap};

use orchestrator_core::run::TaskStatus;

use super::items::Item;
use crate::parts::counts::Counts;

/// Most shapes in a drawing.
pub const SHAPES_MAX: usize = 150;
/// Most edges in a drawing of single shapes: more of them are a thicket.
const EDGES_MAX: usize = 600;

/// A graph that can be drawn.
#[derive(Debug)]
pub struct Folded {
    pub folding: Folding,
    pub shapes: Vec<Shape>,
    /// From upstream to downstream, by index, without repetition.
    pub edges: Vec<(u32, u32)>,
    /// The shape of each task.
    pub shape_of: Vec<u32>,
}

/// How tasks were put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folding {
    /// Not at all.
    None,
    /// Those that do the same behind the same tasks.
    Alike,
    /// Those at the same distance from the beginning.
    Layers,
}

/// One shape.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Its first task, by index.
    pub first: u32,
    /// Its tasks.
    pub tasks: u32,
    /// Their states; items of `for_each` tasks count as one with theirs.
    pub counts: Counts,
    /// Whether there are states at all: a plan has none.
    pub has_status: bool,
}

impl Shape {
    /// The state that says most.
    pub fn status(&self) -> Option<TaskStatus> {
        self.has_status.then(|| self.counts.worst())
    }
}

/// Folds a graph. Tasks may come in any order; there are no cycles.
pub fn fold(items: &[Item]) -> Folded {
    if items.len() <= SHAPES_MAX {
        let each: Vec<u32> = (0..items.len()).map(|index| index as u32).collect();
        let folded = put_together(items, each, Folding::None);
        if folded.edges.len() <= EDGES_MAX {
            return folded;
        }
    }
    let order = upstream_first(items);
    let alike = put_together(items, alike(items, &order), Folding::Alike);
    match alike.shapes.len() <= SHAPES_MAX && alike.edges.len() <= EDGES_MAX {
        true => alike,
        false => put_together(items, layers(items, &order), Folding::Layers),
    }
}

/// The tasks so that each comes after those it depends on.
fn upstream_first(items: &[Item]) -> Vec<u32> {
    let mut open: Vec<usize> = items.iter().map(|item| item.upstream.len()).collect();
    let mut downstream: Vec<Vec<u32>> = vec![Vec::new(); items.len()];
    for (index, item) in (0..).zip(items) {
        for upstream in &item.upstream {
            downstream[*upstream as usize].push(index);
        }
    }
    let mut order: Vec<u32> = (0..)
        .zip(&open)
        .filter(|(_, open)| **open == 0)
        .map(|(index, _)| index)
        .collect();
    let mut next = 0;
    while let Some(index) = order.get(next).copied() {
        next += 1;
        for below in &downstream[index as usize] {
            open[*below as usize] -= 1;
            if open[*below as usize] == 0 {
                order.push(*below);
            }
        }
    }
    order
}

fn alike(items: &[Item], order: &[u32]) -> Vec<u32> {
    let mut known: HashMap<(BTreeSet<u32>, &str), u32> = HashMap::new();
    let mut group_of = vec![0_u32; items.len()];
    for index in order {
        let item = &items[*index as usize];
        let behind = item.upstream.iter().map(|upstream| group_of[*upstream as usize]);
        let next = known.len() as u32;
        let key = (behind.collect(), item.work.as_str());
        group_of[*index as usize] = *known.entry(key).or_insert(next);
    }
    group_of
}

fn layers(items: &[Item], order: &[u32]) -> Vec<u32> {
    let mut layer_of = vec![0_u32; items.len()];
    for index in order {
        let behind = items[*index as usize].upstream.iter();
        let layer = behind.map(|upstream| layer_of[*upstream as usize] + 1).max();
        layer_of[*index as usize] = layer.unwrap_or(0);
    }
    let depth = layer_of.iter().max().map_or(1, |deepest| *deepest as usize + 1);
    let together = depth.div_ceil(SHAPES_MAX) as u32;
    layer_of.iter().map(|layer| layer / together).collect()
}

fn put_together(items: &[Item], shape_of: Vec<u32>, folding: Folding) -> Folded {
    let count = shape_of.iter().max().map_or(0, |last| *last as usize + 1);
    let mut shapes: Vec<Option<Shape>> = vec![None; count];
    let mut edges = BTreeSet::new();
    for (index, item) in (0..).zip(items) {
        let own = shape_of[index as usize];
        let shape = shapes[own as usize].get_or_insert_with(|| Shape {
            first: index,
            tasks: 0,
            counts: Counts::default(),
            has_status: item.status.is_some(),
        });
        shape.tasks += 1;
        shape.counts.add(item.status.unwrap_or_default());
        for upstream in &item.upstream {
            let behind = shape_of[*upstream as usize];
            if behind != own {
                edges.insert((behind, own));
            }
        }
    }
    if folding == Folding::Layers {
        // Every layer has an edge from the one before it, which says all there is to see; the others are a thicket.
        edges.retain(|(from, to)| from + 1 == *to);
    }
    Folded {
        folding,
        shapes: shapes.into_iter().flatten().collect(),
        edges: edges.into_iter().collect(),
        shape_of,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn item(name: &str, work: &str, upstream: &[u32]) -> Item {
        Item {
            name: name.to_owned(),
            work: work.to_owned(),
            upstream: upstream.to_vec(),
            status: Some(TaskStatus::Success),
            note: String::new(),
            children: None,
        }
    }

    #[test]
    fn a_small_graph_is_drawn_as_it_is() {
        let items = [item("c", "x", &[1, 2]), item("a", "x", &[]), item("b", "x", &[1])];
        let folded = fold(&items);
        assert_eq!((folded.folding, folded.shapes.len()), (Folding::None, 3));
        assert_eq!(folded.edges, [(1, 0), (1, 2), (2, 0)]);
    }

    #[test]
    fn branches_that_do_the_same_become_one() {
        let mut items = vec![item("begin", "load", &[])];
        for branch in 0..1_000 {
            let first = items.len() as u32;
            items.push(item(&format!("a{branch}"), "clean", &[0]));
            items.push(item(&format!("b{branch}"), "train", &[first]));
        }
        let last: Vec<u32> = (0..1_000).map(|branch| 2 + branch * 2).collect();
        items.push(item("end", "report", &last));
        let folded = fold(&items);
        assert_eq!(folded.folding, Folding::Alike);
        let tasks: Vec<u32> = folded.shapes.iter().map(|shape| shape.tasks).collect();
        assert_eq!(tasks, [1, 1_000, 1_000, 1]);
        assert_eq!(folded.edges, [(0, 1), (1, 2), (2, 3)]);
    }

    #[test]
    fn whatever_the_graph_the_drawing_is_bounded() {
        let chain: Vec<Item> = (0..10_000_u32)
            .map(|index| item("t", &format!("w{index}"), index.checked_sub(1).as_slice()))
            .collect();
        let wide: Vec<Item> = (0..10_000_u32)
            .map(|index| item("t", &format!("w{index}"), &[]))
            .collect();
        let thicket: Vec<Item> = (0..150_u32)
            .map(|index| item("t", &format!("w{index}"), &(0..index).collect::<Vec<_>>()))
            .collect();
        for items in [chain, wide, thicket] {
            let folded = fold(&items);
            assert_eq!(folded.folding, Folding::Layers);
            assert!(folded.shapes.len() <= SHAPES_MAX, "{}", folded.shapes.len());
            assert!(folded.edges.len() < SHAPES_MAX, "{}", folded.edges.len());
            let tasks: u32 = folded.shapes.iter().map(|shape| shape.tasks).sum();
            assert_eq!(tasks as usize, items.len());
        }
    }
}
