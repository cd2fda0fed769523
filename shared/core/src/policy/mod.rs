//! Whether, where and how a task may run.
