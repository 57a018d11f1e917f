//! The part of a machine's time that was downtime.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Activity;

/// The states in which a machine is down.
///
/// Each plant names its own states, and an archive does not say what they mean. A state counts as
/// down if its name contains the word `down` or `downtime`, or if more than half of the time that
/// all machines spent in it has a downtime reason. Time in other states is downtime if it has a
/// reason.
pub(super) struct DownStates<'a>(Vec<&'a str>);

impl<'a> DownStates<'a> {
    /// Finds the down states in the activity of all machines.
    pub(super) fn of(all: &'a Activity) -> Self {
        let is_down = |(name, time): &(&String, &Duration)| {
            let with_reason = of(&all.with_reason, name);
            has_word_down(name) || (!time.is_zero() && with_reason > **time / 2)
        };
        let states = all.states.iter().filter(is_down);
        Self(states.map(|(name, _)| name.as_str()).collect())
    }

    pub(super) fn names(&self) -> &[&'a str] {
        &self.0
    }

    /// The total downtime.
    pub(super) fn downtime(&self, activity: &Activity) -> Duration {
        activity.reasons.values().sum::<Duration>() + self.without_reason(activity)
    }

    /// The downtime without a reason.
    pub(super) fn without_reason(&self, activity: &Activity) -> Duration {
        let times = self.0.iter().map(|name| {
            let with_reason = of(&activity.with_reason, name);
            of(&activity.states, name).saturating_sub(with_reason)
        });
        times.sum()
    }
}

fn of(times: &BTreeMap<String, Duration>, name: &str) -> Duration {
    times.get(name).copied().unwrap_or_default()
}

fn has_word_down(name: &str) -> bool {
    let mut words = name.split(|c: char| !c.is_alphanumeric());
    words.any(|word| {
        ["down", "downtime"]
            .iter()
            .any(|down| word.eq_ignore_ascii_case(down))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates an activity from states, their hours, and the hours that have a reason.
    fn activity(states: &[(&str, u64, u64)]) -> Activity {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let mut activity = Activity::default();
        for (name, time, with_reason) in states {
            activity.states.insert((*name).to_owned(), hours(*time));
            if *with_reason > 0 {
                let with_reason = hours(*with_reason);
                activity.with_reason.insert((*name).to_owned(), with_reason);
                *activity.reasons.entry("oil".to_owned()).or_default() += with_reason;
            }
        }
        activity
    }

    #[test]
    fn a_state_is_down_by_its_name_or_if_most_of_its_time_has_a_reason() {
        let all = activity(&[
            ("Running", 90, 1),
            ("Countdown", 5, 0),
            ("DOWN", 4, 0),
            ("Planned downtime", 3, 0),
            ("Fault", 10, 6),
            ("Setup", 10, 5),
            ("Never", 0, 0),
        ]);
        let down = DownStates::of(&all);
        assert_eq!(down.names(), ["DOWN", "Fault", "Planned downtime"]);
    }

    #[test]
    fn time_in_a_down_state_counts_without_a_reason_and_other_time_with_one() {
        let all = activity(&[("Running", 90, 2), ("Down", 10, 3)]);
        let down = DownStates::of(&all);
        let hours = |time: Duration| time.as_secs() / 3600;
        assert_eq!(hours(down.without_reason(&all)), 7);
        assert_eq!(hours(down.downtime(&all)), 12);
        let machine = activity(&[("Down", 4, 0)]);
        assert_eq!(hours(down.downtime(&machine)), 4);
    }
}
