//! The graph of a run or a plan: which tasks become one shape ([`mod@fold`]), where the shapes go ([`layout`]), what is drawn
//! ([`mod@draw`]).

mod draw;
mod fold;
mod items;
mod layout;

pub use draw::{Links, draw};
pub use fold::fold;
pub use items::{of_plan, of_run};
pub use layout::Layouts;
