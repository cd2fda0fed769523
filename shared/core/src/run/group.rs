//! The children of a `for_each` task, and their place in it.

use serde_json::Value;

use crate::ids::NodeIx;

/// The children of an expanded `for_each` task: nodes `first .. first + count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The first child.
    pub first: NodeIx,
    /// Number of children.
    pub count: u32,
    /// Children that have not ended.
    pub open: u32,
    /// Children that FAILED or were CANCELLED.
    pub failed: u32,
}

impl Group {
    /// The children, in item order.
    pub fn children(self) -> impl DoubleEndedIterator<Item = NodeIx> {
        (self.first.0..self.first.0 + self.count).map(NodeIx)
    }
}

/// The place of a child in its `for_each` task.
#[derive(Debug, PartialEq)]
pub struct ChildOf {
    /// The `for_each` task.
    pub parent: NodeIx,
    /// Index of the item.
    pub index: u32,
    /// The item.
    pub item: Value,
}
