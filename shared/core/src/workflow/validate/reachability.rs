//! Does one task always come before another?

use super::graph::Graph;

/// Dependencies followed at most, over all questions of one document.
const STEPS_MAX: usize = 50_000_000;

/// Asks whether `upstream` comes before `downstream`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question {
    pub upstream: usize,
    pub downstream: usize,
}

/// What is known about a [`Question`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// Finding out takes too long.
    Unknown,
}

/// Answers all questions; the answers are in the same order.
///
/// One search from each `upstream` asked about marks what it reaches, not looking beyond the last `downstream` in
/// topological order. Questions about nearby tasks, or many about few tasks, are linear in all.
pub(super) fn answer(graph: &Graph<'_>, questions: &[Question]) -> Vec<Answer> {
    let mut by_upstream: Vec<usize> = (0..questions.len()).collect();
    by_upstream.sort_unstable_by_key(|index| questions[*index]);
    let mut answers = vec![Answer::Unknown; questions.len()];
    let mut search = Search {
        graph,
        reached_from: vec![u32::MAX; graph.position.len()],
        steps_left: STEPS_MAX,
    };
    for group in by_upstream.chunk_by(|a, b| questions[*a].upstream == questions[*b].upstream) {
        let upstream = questions[group[0]].upstream;
        let last = group
            .iter()
            .map(|index| graph.position[questions[*index].downstream])
            .max()
            .unwrap_or(0);
        let is_complete = search.mark(upstream, last);
        for &index in group {
            answers[index] = match search.reached_from[questions[index].downstream] == upstream as u32 {
                true => Answer::Yes,
                false if is_complete => Answer::No,
                false => Answer::Unknown,
            };
        }
    }
    answers
}

struct Search<'g> {
    graph: &'g Graph<'g>,
    /// From where each task was reached last.
    reached_from: Vec<u32>,
    steps_left: usize,
}

impl Search<'_> {
    /// Marks what comes after `start` up to position `last`. Whether there was time for all.
    fn mark(&mut self, start: usize, last: u32) -> bool {
        let mut open = vec![start];
        while let Some(task) = open.pop() {
            for &dependent in self.graph.dependents(task) {
                if self.steps_left == 0 {
                    return false;
                }
                self.steps_left -= 1;
                let next = dependent as usize;
                if self.graph.position[next] <= last && self.reached_from[next] != start as u32 {
                    self.reached_from[next] = start as u32;
                    open.push(next);
                }
            }
        }
        true
    }
}
