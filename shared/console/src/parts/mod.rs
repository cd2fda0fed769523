//! What several pages have in common.

pub mod ansi;
pub mod counts;
pub mod icon;
pub mod json;
pub mod say;
pub mod status;
pub mod time;
