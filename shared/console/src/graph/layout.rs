//! Where shapes go: Sugiyama's method, from the library `rust-sugiyama`, from left to right.
//!
//! An edge that passes layers is broken into a chain of small vertices, so that it is led around what is in its way.
//! Layouts are kept: a run is looked at many times while its graph stays the same.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use rust_sugiyama::configure::{Config, RankingType};
use rust_sugiyama::from_vertices_and_edges;

use super::fold::Folded;

/// Width of a shape.
pub const WIDTH: f64 = 174.0;
/// Height of a shape.
pub const HEIGHT: f64 = 46.0;
/// Space between layers.
const BETWEEN_LAYERS: f64 = 46.0;
/// Space between shapes of a layer.
const BETWEEN_SHAPES: f64 = 18.0;
/// Space around the whole.
const MARGIN: f64 = 12.0;
/// Most bends of long edges; with more, they go straight.
const BENDS_MAX: usize = 400;
/// Layouts kept.
const KEPT_MAX: usize = 64;

/// Places of shapes and edges.
#[derive(Debug, Default)]
pub struct Layout {
    pub width: f64,
    pub height: f64,
    /// Left upper corner of each shape.
    pub corners: Vec<(f64, f64)>,
    /// The bends of each edge: middles of the layers it passes.
    pub bends: Vec<Vec<(f64, f64)>>,
}

/// Layouts of the last graphs.
#[derive(Debug, Default)]
pub struct Layouts(Mutex<VecDeque<(u64, Arc<Layout>)>>);

impl Layouts {
    /// The layout of a graph.
    pub fn of(&self, folded: &Folded) -> Arc<Layout> {
        let mut hasher = DefaultHasher::new();
        (folded.shapes.len(), &folded.edges).hash(&mut hasher);
        let key = hasher.finish();
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, layout)) = kept.iter().find(|(known, _)| *known == key) {
            return Arc::clone(layout);
        }
        // Others need not wait while this one is made.
        drop(kept);
        let layout = Arc::new(lay_out(folded.shapes.len(), &folded.edges));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(KEPT_MAX - 1);
        kept.push_front((key, Arc::clone(&layout)));
        layout
    }
}

fn lay_out(shapes: usize, edges: &[(u32, u32)]) -> Layout {
    let layers = layers(shapes, edges);
    let (vertices, broken, chains) = break_long(shapes, edges, &layers);
    // The library goes from top to bottom: width and height change places.
    let sizes: Vec<(u32, (f64, f64))> = (0..vertices)
        .map(|vertex| {
            let across = if (vertex as usize) < shapes { HEIGHT } else { 4.0 };
            (vertex, (across, WIDTH))
        })
        .collect();
    let config = Config {
        vertex_spacing: BETWEEN_SHAPES,
        ranking_type: RankingType::Up,
        ..Config::default()
    };
    let mut across = vec![0.0; vertices as usize];
    let mut top = 0.0;
    // Parts without a connection come one by one; they are put below each other.
    for (places, ..) in from_vertices_and_edges(&sizes, &broken, &config) {
        let half = |vertex: usize| if vertex < shapes { HEIGHT / 2.0 } else { 2.0 };
        let ends = |sign: f64| {
            let ends = places
                .iter()
                .map(move |(vertex, (x, _))| sign * (x + sign * half(*vertex)));
            sign * ends.fold(f64::NEG_INFINITY, f64::max)
        };
        let (first, last) = (ends(-1.0), ends(1.0));
        for (vertex, (x, _)) in &places {
            across[*vertex] = x - first + top;
        }
        top += last - first + BETWEEN_SHAPES;
    }
    let along = |layer: u32| MARGIN + f64::from(layer) * (WIDTH + BETWEEN_LAYERS);
    let corner = |shape: usize| (along(layers[shape]), MARGIN + across[shape] - HEIGHT / 2.0);
    let bends = edges.iter().zip(&chains).map(|((from, _), chain)| {
        let places = chain.clone().zip(layers[*from as usize] + 1..);
        places
            .map(|(vertex, layer)| (along(layer) + WIDTH / 2.0, MARGIN + across[vertex as usize]))
            .collect()
    });
    let depth = layers.iter().max().copied().unwrap_or(0);
    Layout {
        width: along(depth) + WIDTH + MARGIN,
        height: 2.0 * MARGIN + (top - BETWEEN_SHAPES).max(HEIGHT),
        bends: bends.collect(),
        corners: (0..shapes).map(corner).collect(),
    }
}

/// The layer of each shape: its distance from the beginning.
fn layers(shapes: usize, edges: &[(u32, u32)]) -> Vec<u32> {
    let mut open = vec![0_u32; shapes];
    let mut downstream: HashMap<u32, Vec<u32>> = HashMap::new();
    for (from, to) in edges {
        open[*to as usize] += 1;
        downstream.entry(*from).or_default().push(*to);
    }
    let mut layers = vec![0_u32; shapes];
    let mut ready: Vec<u32> = (0..shapes as u32)
        .filter(|shape| open[*shape as usize] == 0)
        .collect();
    while let Some(shape) = ready.pop() {
        for below in downstream.get(&shape).into_iter().flatten() {
            layers[*below as usize] = layers[*below as usize].max(layers[shape as usize] + 1);
            open[*below as usize] -= 1;
            if open[*below as usize] == 0 {
                ready.push(*below);
            }
        }
    }
    layers
}

type Broken = (u32, Vec<(u32, u32)>, Vec<std::ops::Range<u32>>);

/// Breaks edges that pass layers into chains; says which vertices each edge passes.
fn break_long(shapes: usize, edges: &[(u32, u32)], layers: &[u32]) -> Broken {
    let passed = |(from, to): &(u32, u32)| layers[*to as usize] - layers[*from as usize] - 1;
    let bends: usize = edges.iter().map(|edge| passed(edge) as usize).sum();
    let mut next = shapes as u32;
    let mut broken = Vec::with_capacity(edges.len() + bends);
    let mut chains = Vec::with_capacity(edges.len());
    for edge in edges {
        let count = if bends <= BENDS_MAX { passed(edge) } else { 0 };
        let chain = next..next + count;
        next = chain.end;
        let mut at = edge.0;
        for vertex in chain.clone() {
            broken.push((at, vertex));
            at = vertex;
        }
        broken.push((at, edge.1));
        chains.push(chain);
    }
    (next, broken, chains)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shapes of a layer that lie over each other.
    fn overlaps(layout: &Layout) -> usize {
        let corners = &layout.corners;
        let pairs = (0..corners.len()).flat_map(|left| (0..left).map(move |right| (left, right)));
        pairs
            .filter(|(left, right)| {
                let ((x1, y1), (x2, y2)) = (corners[*left], corners[*right]);
                (x1 - x2).abs() < WIDTH && (y1 - y2).abs() < HEIGHT
            })
            .count()
    }

    #[test]
    fn edges_run_from_left_to_right_and_nothing_overlaps() {
        // A diamond with a shortcut, a pair beside it, and a shape alone.
        let edges = [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3), (3, 4), (0, 4), (5, 6)];
        let layout = lay_out(8, &edges);
        for (from, to) in edges {
            assert!(layout.corners[from as usize].0 < layout.corners[to as usize].0);
        }
        assert_eq!(overlaps(&layout), 0);
        let bends: Vec<usize> = layout.bends.iter().map(Vec::len).collect();
        assert_eq!(bends, [0, 0, 0, 0, 1, 0, 2, 0]);
        for (x, y) in &layout.corners {
            assert!(*x >= 0.0 && *y >= 0.0 && x + WIDTH <= layout.width && y + HEIGHT <= layout.height);
        }
    }

    #[test]
    fn graphs_of_any_shape_are_laid_out() {
        let mut state = 7_u64;
        let mut draw = |bound: u32| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % u64::from(bound)) as u32
        };
        for shapes in [1, 2, 3, 5, 9, 20, 40, 80, 150] {
            for density in [0, 1, 2, 4] {
                let mut edges = std::collections::BTreeSet::new();
                for to in 1..shapes {
                    for _ in 0..draw(density + 1) {
                        edges.insert((draw(to), to));
                    }
                }
                let edges: Vec<(u32, u32)> = edges.into_iter().collect();
                let layout = lay_out(shapes as usize, &edges);
                assert_eq!(layout.corners.len(), shapes as usize);
                assert_eq!(overlaps(&layout), 0, "{shapes} shapes: {edges:?}");
            }
        }
        assert_eq!(lay_out(0, &[]).corners.len(), 0);
    }

    #[test]
    fn a_layout_is_made_once() {
        let folded = super::super::fold(&[]);
        let layouts = Layouts::default();
        assert!(Arc::ptr_eq(&layouts.of(&folded), &layouts.of(&folded)));
    }
}
