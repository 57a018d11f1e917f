//! The machines' states: the share of each, and the reasons for downtime.

use std::collections::BTreeMap;
use std::time::Duration;

use tulip_core::format_duration;

use super::downtime::DownStates;
use super::units;
use crate::Activity;

/// The colours of the states with the most time.
const COLOURS: [&str; 5] = ["c1", "c2", "c3", "c4", "c5"];

/// The colour of all other states.
const OTHER: &str = "c6";

/// The most machines that have a row.
const ROWS: usize = 30;

/// The most reasons that are listed.
const REASONS: usize = 15;

/// The name of downtime without a reason.
const NO_REASON: &str = "no reason given";

/// The states of all machines, and of those with the most downtime.
pub(super) struct States {
    pub(super) days: u64,
    /// The number of archives that were read.
    pub(super) read: usize,
    /// What could not be read, and how often.
    pub(super) unread: Vec<(String, usize)>,
    pub(super) whole: Vec<Share>,
    /// The states that count as downtime.
    pub(super) down: Vec<String>,
    pub(super) reasons: Vec<Share>,
    pub(super) machines: Vec<Row>,
    pub(super) more: usize,
}

/// A state or a reason with its time.
pub(super) struct Share {
    pub(super) name: String,
    pub(super) class: &'static str,
    pub(super) time: String,
    pub(super) percent: String,
    /// The start and length of its bar, out of 1000.
    pub(super) x: String,
    pub(super) width: String,
}

pub(super) struct Row {
    pub(super) name: String,
    pub(super) shares: Vec<Share>,
    pub(super) down: String,
    pub(super) reason: String,
}

/// The states of machines over this many days; `None` if there are no machines.
pub(super) fn states(machines: &[(String, Result<Activity, String>)], days: u64) -> Option<States> {
    if machines.is_empty() {
        return None;
    }
    let (mut all, mut unread) = (Activity::default(), BTreeMap::<_, usize>::new());
    let mut read = Vec::new();
    for (name, activity) in machines {
        match activity {
            Ok(activity) => {
                all.add(activity);
                read.push((name, activity));
            }
            Err(why) => *unread.entry(why.clone()).or_default() += 1,
        }
    }
    if all.unread > 0 {
        let records = "records have times that cannot be read".to_owned();
        unread.insert(records, usize::try_from(all.unread).unwrap_or(usize::MAX));
    }
    let by_time = ranked(&all.states);
    let classes: BTreeMap<&str, &str> = by_time
        .iter()
        .zip(COLOURS)
        .map(|((name, _), class)| (*name, class))
        .collect();
    let class = |name: &str| classes.get(name).copied().unwrap_or(OTHER);
    let down = DownStates::of(&all);
    let read_archives = read.len();
    let mut were_down: Vec<_> = read
        .into_iter()
        .map(|(name, activity)| (name, activity, down.downtime(activity)))
        .filter(|(.., time)| !time.is_zero())
        .collect();
    were_down.sort_by_key(|(.., time)| std::cmp::Reverse(*time));
    let more = were_down.len().saturating_sub(ROWS);
    let rows = were_down
        .iter()
        .take(ROWS)
        .map(|(name, activity, time)| Row {
            name: units::shortened(name, 40),
            shares: shares(&by_rank(&activity.states, &by_time), class),
            down: units::percent(time.as_secs_f64(), sum(&activity.states).as_secs_f64()),
            reason: reasons(activity, &down)
                .first()
                .map_or_else(String::new, |(name, _)| units::shortened(name, 60)),
        });
    let mut reasons = shares(&reasons(&all, &down), |_| COLOURS[0]);
    reasons.truncate(REASONS);
    Some(States {
        days,
        machines: rows.collect(),
        more,
        read: read_archives,
        down: down
            .names()
            .iter()
            .map(|name| units::shortened(name, 60))
            .collect(),
        unread: unread.into_iter().collect(),
        whole: shares(&by_time, class),
        reasons,
    })
}

/// The downtime reasons, longest first, including downtime without a reason.
fn reasons<'a>(activity: &'a Activity, down: &DownStates<'_>) -> Vec<(&'a str, Duration)> {
    let mut reasons = ranked(&activity.reasons);
    let without = down.without_reason(activity);
    if !without.is_zero() {
        reasons.push((NO_REASON, without));
        reasons.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    }
    reasons
}

fn sum(times: &BTreeMap<String, Duration>) -> Duration {
    times.values().sum()
}

/// The names with their times, longest first.
fn ranked(times: &BTreeMap<String, Duration>) -> Vec<(&str, Duration)> {
    let mut ranked: Vec<_> = times
        .iter()
        .map(|(name, time)| (name.as_str(), *time))
        .collect();
    ranked.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    ranked
}

/// The times of one machine in the order of those of all machines, so that bars can be compared.
fn by_rank<'a>(
    times: &BTreeMap<String, Duration>,
    order: &[(&'a str, Duration)],
) -> Vec<(&'a str, Duration)> {
    let times = order
        .iter()
        .filter_map(|(name, _)| Some((*name, *times.get(*name)?)));
    times.collect()
}

fn shares(times: &[(&str, Duration)], class: impl Fn(&str) -> &'static str) -> Vec<Share> {
    let whole: Duration = times.iter().map(|(_, time)| *time).sum();
    let whole = whole.as_secs_f64();
    let mut x = 0.0;
    let share = |(name, time): &(&str, Duration)| {
        let width = match whole > 0.0 {
            true => time.as_secs_f64() / whole * 1000.0,
            false => 0.0,
        };
        let start = x;
        x += width;
        Share {
            name: units::shortened(name, 60),
            class: class(name),
            time: format_duration(*time),
            percent: units::percent(time.as_secs_f64(), whole),
            x: format!("{start:.0}"),
            width: format!("{width:.0}"),
        }
    };
    times.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(states: &[(&str, u64)], reasons: &[(&str, u64)]) -> Activity {
        let times = |times: &[(&str, u64)]| {
            let times = times.iter();
            times
                .map(|(name, hours)| ((*name).to_owned(), Duration::from_secs(hours * 3600)))
                .collect()
        };
        Activity {
            states: times(states),
            reasons: times(reasons),
            with_reason: BTreeMap::new(),
            unread: 0,
        }
    }

    #[test]
    fn downtime_without_a_reason_counts_and_is_listed_as_such() {
        let machines = vec![
            ("told".to_owned(), {
                let mut told = activity(&[("Running", 9), ("Down", 1)], &[("oil", 1)]);
                told.with_reason = activity(&[("Down", 1)], &[]).states;
                Ok(told)
            }),
            (
                "untold".to_owned(),
                Ok(activity(&[("Running", 6), ("Down", 4)], &[])),
            ),
        ];
        let states = states(&machines, 7).unwrap();
        assert_eq!(states.down, ["Down"]);
        let rows: Vec<_> = states
            .machines
            .iter()
            .map(|row| (&*row.name, &*row.down, &*row.reason))
            .collect();
        assert_eq!(
            rows,
            [("untold", "40 %", NO_REASON), ("told", "10 %", "oil")]
        );
        let reasons = states
            .reasons
            .iter()
            .map(|share| (&*share.name, &*share.percent));
        assert!(reasons.eq([(NO_REASON, "80 %"), ("oil", "20 %")]));
    }

    #[test]
    fn machines_that_were_down_longest_come_first_in_the_colours_of_all() {
        let machines = vec![
            (
                "fine".to_owned(),
                Ok(activity(&[("Running", 9), ("Down", 1)], &[])),
            ),
            (
                "bad".to_owned(),
                Ok(activity(&[("Running", 4), ("Down", 6)], &[])),
            ),
            ("never".to_owned(), Ok(activity(&[("Running", 0)], &[]))),
            ("odd".to_owned(), Err("no column".to_owned())),
        ];
        let states = states(&machines, 7).unwrap();
        let whole = states
            .whole
            .iter()
            .map(|share| (&*share.name, &*share.percent));
        assert!(whole.eq([("Running", "65 %"), ("Down", "35 %")]));
        let rows: Vec<_> = states
            .machines
            .iter()
            .map(|row| (&*row.name, &*row.down))
            .collect();
        assert_eq!(rows, [("bad", "60 %"), ("fine", "10 %")]);
        assert_eq!(states.machines[0].shares[1].class, "c2");
        assert_eq!(states.unread, [("no column".to_owned(), 1)]);
    }

    #[test]
    fn without_an_archive_there_is_no_picture() {
        assert!(states(&[], 7).is_none());
    }
}
