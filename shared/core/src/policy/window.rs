//! Maintenance windows: local times of day, across midnight and changes of the clock.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::config::{Day, WindowConfig, WindowMode};
use super::pattern::Patterns;
use super::prepared::PolicyError;
use crate::time::Timestamp;

/// How often adjoining windows are joined before the task is asked about again: windows that cover all time have no end.
const JOINED_MAX: usize = 16;

/// A validated window.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// Named in explanations.
    pub(super) name: String,
    pub(super) mode: WindowMode,
    days: [bool; 7],
    start: Time,
    end: Time,
    time_zone: TimeZone,
    agents: Option<Patterns>,
    actions: Option<Patterns>,
}

impl Window {
    /// Checks a window; `path` is where it stands, for errors.
    pub(super) fn new(
        config: &WindowConfig,
        path: &str,
        default_zone: &TimeZone,
    ) -> Result<Window, PolicyError> {
        let time_zone = match &config.time_zone {
            Some(name) => time_zone(name, &format!("{path}.time_zone"))?,
            None => default_zone.clone(),
        };
        let mut days = [config.days.is_none(); 7];
        for day in config.days.iter().flatten() {
            days[*day as usize] = true;
        }
        if !days.contains(&true) {
            let message = "an empty list would never apply (leave 'days' out for every day)";
            return Err(PolicyError::at(&format!("{path}.days"), message));
        }
        Ok(Window {
            name: config
                .name
                .clone()
                .unwrap_or_else(|| format!("{}-{}", config.start, config.end)),
            mode: config.mode,
            days,
            start: time_of_day(&config.start, &format!("{path}.start"))?,
            end: time_of_day(&config.end, &format!("{path}.end"))?,
            time_zone,
            agents: config.agents.as_deref().map(Patterns::new),
            actions: config.actions.as_deref().map(Patterns::new),
        })
    }

    fn concerns(&self, agent: &str, action: &str) -> bool {
        self.agents.as_ref().is_none_or(|agents| agents.matches(agent))
            && self
                .actions
                .as_ref()
                .is_none_or(|actions| actions.matches(action))
    }

    /// When the occurrence that covers `now` ends; `None` outside the window. The start is in it, the end is not.
    fn active_until(&self, now: Timestamp) -> Option<Timestamp> {
        let instant = jiff::Timestamp::from_millisecond(now.0).ok()?;
        let today = self.time_zone.to_datetime(instant).date();
        [today.yesterday(), Ok(today)]
            .into_iter()
            .flatten()
            .find_map(|date| {
                let (start, end) = self.occurrence(date)?;
                (start <= instant && instant < end).then(|| Timestamp(end.as_millisecond()))
            })
    }

    /// The window that starts on `date`, if one does.
    fn occurrence(&self, date: Date) -> Option<(jiff::Timestamp, jiff::Timestamp)> {
        if !self.days[weekday(date) as usize] {
            return None;
        }
        let last = if self.end <= self.start {
            date.tomorrow().ok()?
        } else {
            date
        };
        let start = self
            .time_zone
            .to_ambiguous_timestamp(date.to_datetime(self.start));
        let end = self.time_zone.to_ambiguous_timestamp(last.to_datetime(self.end));
        // A time of day that the clock skips is moved on by the length of the gap. One that comes twice starts a window the
        // first time and ends it the second time: maintenance may still be going on.
        Some((start.compatible().ok()?, end.later().ok()?))
    }
}

/// The first window that applies to a task of this agent and action at `now`, and when the task may be asked about again:
/// at the end of the window or of the holding windows that adjoin it.
pub(super) fn applying<'a>(
    windows: &'a [Window],
    agent: &str,
    action: &str,
    now: Timestamp,
) -> Option<(&'a Window, Timestamp)> {
    let at = |now: Timestamp, mode: Option<WindowMode>| {
        let concerned = windows
            .iter()
            .filter(move |window| mode.is_none_or(|mode| window.mode == mode));
        concerned
            .filter(|window| window.concerns(agent, action))
            .find_map(|window| window.active_until(now).map(|end| (window, end)))
    };
    let (window, mut until) = at(now, None)?;
    for _ in 0..JOINED_MAX {
        match at(until, Some(WindowMode::Hold)) {
            Some((_, end)) => until = end,
            None => break,
        }
    }
    Some((window, until))
}

/// The time zone of this IANA name, from the data compiled in.
pub(super) fn time_zone(name: &str, path: &str) -> Result<TimeZone, PolicyError> {
    TimeZoneDatabase::bundled().get(name).map_err(|_| {
        PolicyError::at(
            path,
            format!("'{name}' is not a time zone (use an IANA name such as 'Europe/Berlin')"),
        )
    })
}

fn weekday(date: Date) -> Day {
    match date.weekday() {
        Weekday::Monday => Day::Mon,
        Weekday::Tuesday => Day::Tue,
        Weekday::Wednesday => Day::Wed,
        Weekday::Thursday => Day::Thu,
        Weekday::Friday => Day::Fri,
        Weekday::Saturday => Day::Sat,
        Weekday::Sunday => Day::Sun,
    }
}

/// Reads `HH:MM`; `24:00` is midnight at the end of the day, which is `00:00` of the next.
fn time_of_day(text: &str, path: &str) -> Result<Time, PolicyError> {
    let read = || {
        let (hour, minute) = text.split_once(':')?;
        if text == "24:00" {
            return Some(Time::midnight());
        }
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(hour) || !digits(minute) {
            return None;
        }
        Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
    };
    read().ok_or_else(|| {
        PolicyError::at(
            path,
            format!("'{text}' is not a time of day (write HH:MM in quotes, as in \"22:00\")"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(yaml: serde_json::Value) -> Window {
        Window::new(&serde_json::from_value(yaml).unwrap(), "w", &TimeZone::UTC).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn until(windows: &[Window], now: &str) -> Option<String> {
        applying(windows, "agent", "action", at(now)).map(|(_, until)| until.to_string())
    }

    #[test]
    fn times_of_day_are_local_and_may_cross_midnight() {
        let nightly = [window(
            serde_json::json!({"start": "22:00", "end": "06:00", "time_zone": "Europe/Berlin"}),
        )];
        let table = [
            ("2026-01-15T20:59:59Z", None),
            ("2026-01-15T21:00:00Z", Some("2026-01-16T05:00:00.000Z")),
            ("2026-01-15T23:30:00Z", Some("2026-01-16T05:00:00.000Z")),
            ("2026-01-16T04:59:59Z", Some("2026-01-16T05:00:00.000Z")),
            ("2026-01-16T05:00:00Z", None),
            ("2026-07-15T20:00:00Z", Some("2026-07-16T04:00:00.000Z")),
        ];
        for (now, expected) in table {
            assert_eq!(until(&nightly, now).as_deref(), expected, "{now}");
        }
    }

    #[test]
    fn days_name_the_day_on_which_the_window_starts() {
        let weekly = [window(
            serde_json::json!({"days": ["fri"], "start": "22:00", "end": "06:00"}),
        )];
        let table = [
            ("2026-01-15T23:00:00Z", None),
            ("2026-01-16T23:00:00Z", Some("2026-01-17T06:00:00.000Z")),
            ("2026-01-17T05:00:00Z", Some("2026-01-17T06:00:00.000Z")),
            ("2026-01-17T23:00:00Z", None),
        ];
        for (now, expected) in table {
            assert_eq!(until(&weekly, now).as_deref(), expected, "{now}");
        }
    }

    #[test]
    fn a_day_on_which_the_clock_changes_is_shorter_or_longer() {
        let nightly = [window(
            serde_json::json!({"start": "01:00", "end": "04:00", "time_zone": "Europe/Berlin"}),
        )];
        let spring = ("2026-03-29T00:00:00Z", "2026-03-29T02:00:00.000Z");
        let autumn = ("2026-10-24T23:00:00Z", "2026-10-25T03:00:00.000Z");
        for (start, end) in [spring, autumn] {
            assert_eq!(until(&nightly, start).as_deref(), Some(end));
            let just_before = Timestamp(at(start).0 - 1).to_string();
            assert_eq!(until(&nightly, &just_before), None);
        }
    }

    #[test]
    fn a_time_that_comes_twice_starts_at_the_first_and_ends_at_the_second() {
        let short = [window(
            serde_json::json!({"start": "02:15", "end": "02:45", "time_zone": "Europe/Berlin"}),
        )];
        // 02:15 comes at 00:15 UTC and again at 01:15 UTC on this day.
        assert_eq!(until(&short, "2026-10-25T00:14:59Z"), None);
        assert_eq!(
            until(&short, "2026-10-25T00:15:00Z").as_deref(),
            Some("2026-10-25T01:45:00.000Z")
        );
        assert_eq!(
            until(&short, "2026-10-25T01:30:00Z").as_deref(),
            Some("2026-10-25T01:45:00.000Z")
        );
        // Both fall into the hour that spring skips, and are moved on by it.
        assert_eq!(
            until(&short, "2026-03-29T01:20:00Z").as_deref(),
            Some("2026-03-29T01:45:00.000Z")
        );
    }

    #[test]
    fn windows_that_adjoin_are_one_and_windows_without_end_are_asked_about_again() {
        let table = [
            window(serde_json::json!({"start": "22:00", "end": "00:00"})),
            window(serde_json::json!({"start": "00:00", "end": "03:00"})),
        ];
        assert_eq!(
            until(&table, "2026-01-15T22:30:00Z").as_deref(),
            Some("2026-01-16T03:00:00.000Z")
        );
        let always = [window(serde_json::json!({"start": "00:00", "end": "24:00"}))];
        assert_eq!(
            until(&always, "2026-01-01T12:00:00Z").as_deref(),
            Some("2026-01-18T00:00:00.000Z")
        );
    }

    #[test]
    fn a_window_may_concern_some_agents_or_actions_only() {
        let backup = [window(
            serde_json::json!({"start": "00:00", "end": "24:00", "actions": ["load_*"]}),
        )];
        assert!(applying(&backup, "data_agent", "load_csv", at("2026-01-15T10:00:00Z")).is_some());
        assert!(applying(&backup, "data_agent", "train", at("2026-01-15T10:00:00Z")).is_none());
    }

    #[test]
    fn errors_name_the_key_and_the_remedy() {
        let table = [
            (
                serde_json::json!({"start": "25:00", "end": "06:00"}),
                "w.start: '25:00' is not a time of day",
            ),
            (
                serde_json::json!({"start": "1:00", "end": "06:00"}),
                "w.start: '1:00' is not a time of day",
            ),
            (
                serde_json::json!({"start": "22:00", "end": "06:00", "time_zone": "Mars"}),
                "w.time_zone: 'Mars' is not",
            ),
            (
                serde_json::json!({"start": "22:00", "end": "06:00", "days": []}),
                "w.days: an empty list",
            ),
        ];
        for (config, message) in table {
            let error =
                Window::new(&serde_json::from_value(config).unwrap(), "w", &TimeZone::UTC).unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
        }
    }

    proptest::proptest! {
        /// Any window, at any time, in zones that change their clocks by an hour, by half an hour, and at midnight.
        #[test]
        fn a_task_is_held_until_a_later_time_at_which_no_window_holds_it(
            starts in proptest::collection::vec((0..48_i64, 1..40_i64, 0..128_u32), 1..4),
            zone in 0..4_usize,
            now in 1_700_000_000_i64..1_800_000_000,
        ) {
            let zone = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago"][zone];
            let clock = |half_hours: i64| format!("{:02}:{:02}", half_hours / 2 % 24, half_hours % 2 * 30);
            let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
            let windows: Vec<Window> = starts
                .into_iter()
                .map(|(start, length, days)| {
                    let days: Vec<&str> =
                        names.into_iter().enumerate().filter(|(bit, _)| days >> bit & 1 == 1).map(|(_, d)| d).collect();
                    let days = if days.is_empty() { vec!["mon"] } else { days };
                    window(serde_json::json!({
                        "days": days,
                        "start": clock(start),
                        "end": clock(start + length),
                        "time_zone": zone,
                    }))
                })
                .collect();
            let now = Timestamp(now * 1000);
            if let Some((_, until)) = applying(&windows, "agent", "action", now) {
                proptest::prop_assert!(until > now);
                // Windows that cover more than a fortnight without a break are asked about again in between.
                let is_long = until - now > 14 * 86_400_000;
                proptest::prop_assert!(is_long || applying(&windows, "agent", "action", until).is_none());
            }
        }
    }
}
