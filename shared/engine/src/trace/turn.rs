//! Turns: what was done for a run at a time, as whoever exports hears of it.

/// What a turn is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum UseCase {
    /// Nothing that has a name.
    #[default]
    Other,
    Submit,
    Admit,
    Decide,
    Hear,
    Wake,
    Recover,
    Operate,
}

impl UseCase {
    /// The name of its spans.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            UseCase::Other => "",
            UseCase::Submit => "submit",
            UseCase::Admit => "admit",
            UseCase::Decide => "decision",
            UseCase::Hear => "task_events",
            UseCase::Wake => "timer",
            UseCase::Recover => "recover",
            UseCase::Operate => "operate",
        }
    }
}

/// A turn and its append. Small, because it is handed from one processor to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Worked {
    pub(super) use_case: UseCase,
    pub(super) seq: u32,
    pub(super) events: u32,
    pub(super) ms: u32,
}

impl Worked {
    /// A turn of so many milliseconds that appended so many events as `seq`.
    pub(crate) fn new(use_case: UseCase, seq: u64, events: usize, ms: u64) -> Worked {
        // No run has as many appends.
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Worked {
            use_case,
            seq: narrow(seq),
            events: narrow(events as u64),
            ms: narrow(ms),
        }
    }
}
