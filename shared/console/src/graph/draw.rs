//! The drawing of a graph.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::fold::{Folded, Folding, Shape};
use super::items::Item;
use super::layout::{HEIGHT, Layout, Layouts, WIDTH};
use crate::parts::counts::number;
use crate::parts::{icon, status};

/// Where shapes lead.
pub trait Links {
    /// The page of a task; none: it leads nowhere.
    fn task(&self, name: &str) -> Option<String>;

    /// The list of the tasks of a shape.
    fn group(&self, shape: usize) -> Option<String>;
}

/// A wider drawing is not made smaller to fit its frame: nobody could read it.
const FITTED_MAX: f64 = 1_800.0;
/// Letters of a name that fit into a shape.
const LETTERS_MAX: usize = 16;

/// Draws a graph.
pub fn draw(items: &[Item], folded: &Folded, layouts: &Layouts, links: &impl Links) -> Markup {
    let layout = layouts.of(folded);
    html! {
        @match folded.folding {
            Folding::None => {}
            Folding::Alike => p.hint {
                "This graph has " (items.len()) " tasks. Those that do the same work behind the same tasks are drawn as one: "
                (folded.shapes.len()) " shapes."
            }
            Folding::Layers => p.hint {
                "This graph has " (items.len()) " tasks, too many to draw each. One shape stands for all tasks as many steps from the beginning."
            }
        }
        div.graph role="region" aria-label="Graph of the tasks" tabindex="0" {
            svg.fit[layout.width < FITTED_MAX].fits-half[layout.width < FITTED_MAX / 2.0] width=(number(layout.width)) height=(number(layout.height))
                viewBox=(format!("0 0 {} {}", number(layout.width), number(layout.height))) role="list" aria-label="Tasks" {
                g aria-hidden="true" {
                    @for (index, (from, _)) in folded.edges.iter().enumerate() {
                        @let shape = &folded.shapes[*from as usize];
                        @let state = shape.status().map_or("", |status| match status.is_terminal() { true => "done", false => "" });
                        path class=(format!("edge {state}")) d=(route(folded, &layout, index)) {}
                    }
                }
                @for (index, shape) in folded.shapes.iter().enumerate() {
                    (draw_shape(items, folded, (index, shape), layout.corners[index], links))
                }
            }
        }
    }
}

fn draw_shape(
    items: &[Item],
    folded: &Folded,
    (index, shape): (usize, &Shape),
    (x, y): (f64, f64),
    links: &impl Links,
) -> Markup {
    let first = &items[shape.first as usize];
    let look = shape.status().map_or("planned", status::look);
    let (name, below, link) = match shape.tasks {
        1 => (first.name.clone(), below(first), links.task(&first.name)),
        tasks if folded.folding == Folding::Layers => (
            format!("layer {}", index + 1),
            format!("{tasks} tasks"),
            links.group(index),
        ),
        tasks => (
            format!("{tasks} × {}", first.work),
            shape.counts.words(),
            links.group(index),
        ),
    };
    let full = match shape.status() {
        Some(status) if shape.tasks == 1 => format!("{name}: {status}. {below}"),
        Some(_) => format!("{name}: {}", shape.counts.words()),
        None => format!("{name}: {below}"),
    };
    let counts = match &first.children {
        Some(children) if shape.tasks == 1 => Some(children),
        _ if shape.tasks > 1 => Some(&shape.counts),
        _ => None,
    };
    let inner = html! {
        svg class=(format!("shape f-{look}")) x=(number(x)) y=(number(y)) width=(WIDTH) height=(HEIGHT) {
            title { (full) }
            @if shape.tasks > 1 || first.children.is_some() {
                rect.behind x="4.5" y="4.5" width=(WIDTH - 5.0) height=(HEIGHT - 5.0) rx="7" {}
            }
            rect.box x="0.5" y="0.5" width=(WIDTH - 5.0) height=(HEIGHT - 5.0) rx="7" {}
            rect.edge-mark x="0.5" y="0.5" width="5" height=(HEIGHT - 5.0) rx="2.5" {}
            svg x="11" y="5" width="14" height="14" { (icon::use_(if look == "planned" { "pending" } else { look })) }
            text.name x="30" y="17" { (shortened(&name)) }
            text.note x="12" y="33" { (shortened_to(&below, LETTERS_MAX + 5)) }
            @if let Some(counts) = counts.filter(|_| shape.has_status) {
                (counts.rectangles((8.0, HEIGHT - 8.5), (WIDTH - 22.0, 3.0)))
            }
        }
    };
    html! {
        g role="listitem" {
            @match link {
                Some(link) => a href=(link) { (inner) },
                None => (inner),
            }
        }
    }
}

fn below(item: &Item) -> String {
    let note = match (&item.children, item.note.as_str()) {
        (Some(children), _) => format!("{} items", children.total()),
        (None, "") => item.work.clone(),
        (None, note) => note.to_owned(),
    };
    match item.status {
        None => format!("{} {note}", item.work),
        Some(_) => note,
    }
}

fn shortened(text: &str) -> String {
    shortened_to(text, LETTERS_MAX)
}

/// The beginning and the end: names of a kind differ at the end.
fn shortened_to(text: &str, max: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= max {
        return text.to_owned();
    }
    let end = max / 3;
    let start: String = letters[..max - end - 1].iter().collect();
    let rest: String = letters[letters.len() - end..].iter().collect();
    format!("{start}…{rest}")
}

/// From the right side of a shape through its bends to the left side of the other.
fn route(folded: &Folded, layout: &Layout, edge: usize) -> String {
    let (from, to) = folded.edges[edge];
    let middle = (HEIGHT - 4.0) / 2.0;
    let (x, y) = layout.corners[from as usize];
    let mut at = (x + WIDTH - 4.5, y + middle);
    let mut path = format!("M{} {}", number(at.0), number(at.1));
    let (x, y) = layout.corners[to as usize];
    let end = (x, y + middle);
    // Through a layer it goes level, where a shape would be.
    let passed = layout.bends[edge].iter();
    let passed = passed.map(|(x, y)| ((x - WIDTH / 2.0, *y), x + WIDTH / 2.0));
    for ((x, y), level_to) in passed.chain([(end, end.0)]) {
        let half = (x - at.0) / 2.0;
        let points = [at.0 + half, at.1, x - half, y, x, y].map(number).join(" ");
        let _ = write!(path, "C{points}H{}", number(level_to));
        at = (level_to, y);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_their_ends() {
        assert_eq!(shortened("train"), "train");
        let long = shortened("preprocess_the_whole_dataset_part_12");
        assert_eq!(long, "preprocess…rt_12");
        assert_eq!(long.chars().count(), LETTERS_MAX);
    }

    #[test]
    fn what_a_task_is_called_is_text() {
        struct Nowhere;
        impl Links for Nowhere {
            fn task(&self, name: &str) -> Option<String> {
                Some(crate::url::with("/ui", &[("task", name)]))
            }
            fn group(&self, _: usize) -> Option<String> {
                None
            }
        }
        let item = Item {
            name: "\"><script>alert(1)</script>".to_owned(),
            work: "a.b".to_owned(),
            upstream: Vec::new(),
            status: None,
            note: "<i>".to_owned(),
            children: None,
        };
        let items = [item];
        let drawn = draw(&items, &super::super::fold(&items), &Layouts::default(), &Nowhere).into_string();
        assert!(!drawn.contains("<script") && !drawn.contains("<i>"), "{drawn}");
        assert!(drawn.contains("&lt;script&gt;"), "{drawn}");
    }
}
