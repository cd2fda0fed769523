//! Icons: drawn once per page, used by name. They repeat what the text beside them says and are hidden from screen readers.

use maud::{Markup, html};

/// Outlines in a box of 16 by 16, by name.
const ICONS: [(&str, &str); 15] = [
    ("success", "M3 8.5l3.2 3.2L13 5"),
    ("failed", "M4 4l8 8M12 4l-8 8"),
    ("running", "M5 3.2v9.6L12.6 8z"),
    ("queued", "M3 4.5h10M3 8h10M3 11.5h6"),
    ("held", "M5.5 3.5v9M10.5 3.5v9"),
    ("retry", "M12.5 8A4.5 4.5 0 1 1 11 4.6M11 2v2.8H8.2"),
    ("pending", "M8 3.2a4.8 4.8 0 1 0 .01 0z"),
    ("ready", "M8 3.2a4.8 4.8 0 1 0 .01 0zM8 5.2v3l2 1.4"),
    ("skipped", "M3 4l4 4-4 4M8 4l4 4-4 4M13.5 4v8"),
    ("cancelled", "M8 2.8a5.2 5.2 0 1 0 .01 0zM4.4 4.4l7.2 7.2"),
    ("warning", "M8 2.5l6 10.5H2zM8 6.5v3M8 11.2v.3"),
    (
        "logo",
        "M2.5 8h3M10.5 4H13M10.5 12H13M5.5 8c2.5 0 2.5-4 5-4M5.5 8c2.5 0 2.5 4 5 4",
    ),
    ("theme", "M8 2.5a5.5 5.5 0 1 0 .01 0zM8 2.5v11"),
    ("back", "M9.5 3.5L5 8l4.5 4.5"),
    ("items", "M5 2.5h8.5V11M2.5 5H11v8.5H2.5z"),
];

/// The drawings of all icons; once per page.
pub fn sprite() -> Markup {
    html! {
        svg.sprite aria-hidden="true" width="0" height="0" {
            @for (name, outline) in ICONS {
                symbol id=(format!("i-{name}")) viewBox="0 0 16 16" { path d=(outline) {} }
            }
        }
    }
}

/// An icon.
pub fn use_(name: &str) -> Markup {
    html! { svg.icon aria-hidden="true" width="16" height="16" { use href=(format!("#i-{name}")) {} } }
}
