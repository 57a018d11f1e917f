use super::*;

const MIB: u64 = 1024 * 1024;

/// A download whose reader always waits for it.
struct Line {
    controller: ConcurrencyController,
    now: Instant,
    sample: Sample,
    /// How much the last request has asked for, and how much came by one request for the rest.
    asked: u64,
    alone: u64,
}

/// Delivers `each` bytes per second on each connection, and at most `line` on all together, which
/// are answered at the same time. The first `burst` bytes of a reply come as fast as the line.
#[derive(Clone, Copy)]
struct Host {
    answer: Duration,
    each: f64,
    line: f64,
    burst: u64,
}

impl Line {
    fn new(most: usize) -> Self {
        let now = Instant::now();
        Self {
            controller: ConcurrencyController::new(most, most as u64 * MIB, now),
            now,
            sample: Sample::default(),
            asked: 0,
            alone: 0,
        }
    }

    /// Delivers `bytes` from a host that is slow to answer.
    fn run_from(&mut self, bytes: u64, host: Host) {
        for _ in 0..bytes / MIB {
            let is_single_stream = self.controller.is_single_stream();
            self.asked = if is_single_stream {
                self.asked + MIB
            } else {
                MIB
            };
            let n = if is_single_stream {
                1
            } else {
                self.controller.connections()
            };
            let each = match self.asked <= host.burst {
                true => host.line,
                false => host.each,
            };
            let answer = match self.asked {
                MIB => host.answer,
                _ => Duration::ZERO,
            };
            let rate = each.min(host.line / n as f64);
            let time = answer + Duration::from_secs_f64(MIB as f64 / rate);
            let took = time / u32::try_from(n).unwrap();
            self.sample.answers += u32::from(self.asked == MIB);
            self.sample.answering += answer;
            self.sample.shortest_answer = host.answer;
            self.sample.time += time;
            self.alone += u64::from(is_single_stream) * MIB;
            self.hands(took, took);
        }
    }

    /// Delivers `bytes` at the bytes per second that `rate` returns for the connections.
    fn run(&mut self, bytes: u64, rate: impl Fn(usize) -> f64) {
        for _ in 0..bytes / MIB {
            let took = Duration::from_secs_f64(MIB as f64 / rate(self.controller.connections()));
            self.brings_block(took, took);
        }
    }

    fn brings_block(&mut self, took: Duration, waited: Duration) {
        self.sample.time += took * u32::try_from(self.controller.connections()).unwrap();
        self.hands(took, waited);
    }

    fn hands(&mut self, took: Duration, waited: Duration) {
        self.now += took;
        self.sample.bytes += MIB;
        self.controller.handed(self.sample, waited, self.now);
    }

    fn fails(&mut self) {
        self.controller.troubled(self.sample, self.now);
    }
}

#[test]
fn connections_that_are_each_slow_are_multiplied() {
    let mut line = Line::new(16);
    let began = line.now;
    line.run(160 * MIB, |n| n as f64 * 90e6);
    assert_eq!(line.controller.connections(), 16);
    let took = line.now - began;
    assert!(took < Duration::from_millis(700), "{took:?}");
    line.run(4096 * MIB, |n| n as f64 * 90e6);
    assert_eq!(line.controller.connections(), 16);
}

#[test]
fn a_stall_behind_a_step_up_is_not_taken_for_no_gain() {
    let mut line = Line::new(16);
    let (mut connections, mut stalled) = (line.controller.connections(), 0);
    while line.sample.bytes < 512 * MIB {
        let now = line.controller.connections();
        if now != connections {
            assert!(now > connections, "{now} behind {connections}");
            (connections, stalled) = (now, 16);
        }
        let share = if stalled > 0 { 0.2 } else { 1.0 };
        line.run(MIB, |n| n as f64 * 90e6 * share);
        stalled -= i32::from(stalled > 0);
    }
    assert_eq!(connections, 16);
}

#[test]
fn a_single_fast_round_behind_a_step_up_is_not_taken_for_a_gain() {
    let mut line = Line::new(16);
    let (mut connections, mut blocks) = (line.controller.connections(), 0);
    for _ in 0..4096 {
        let now = line.controller.connections();
        assert!(now <= 4, "{now}");
        if now != connections {
            (connections, blocks) = (now, 0);
        }
        blocks += 1;
        let is_fast = now == 4 && (6..15).contains(&blocks);
        line.run(MIB, |_| if is_fast { 360e6 } else { 180e6 });
    }
}

#[test]
fn where_more_connections_gain_nothing_there_are_no_more() {
    for limit in [3e6, 80e6, 3e9] {
        let mut line = Line::new(16);
        let mut most = 0;
        for _ in 0..100 {
            line.run(32 * MIB, |_| limit);
            most = most.max(line.controller.connections());
        }
        let last = line.controller.connections();
        assert!(most <= 4 && last <= 4, "{most} at {limit}");
    }
}

#[test]
fn where_the_reader_is_what_is_slow_no_more_are_tried() {
    let mut line = Line::new(16);
    let took = Duration::from_millis(10);
    for _ in 0..1000 {
        line.brings_block(took, took / 4);
        assert!(line.controller.connections() <= 2);
    }
    assert_eq!(line.controller.connections(), 1);
    // As soon as that changes, they are.
    line.run(64 * MIB, |n| n as f64 * 90e6);
    assert!(line.controller.connections() > 2);
}

#[test]
fn a_single_round_that_is_waited_for_brings_no_more() {
    let mut line = Line::new(16);
    let took = Duration::from_millis(10);
    let mut blocks = std::collections::BTreeMap::new();
    for block in 0..1000 {
        let is_awaited = block % 40 < 5;
        line.brings_block(took, if is_awaited { took } else { took / 5 });
        *blocks.entry(line.controller.connections()).or_insert(0) += 1;
    }
    // Two are tried now and then, and taken back.
    assert!(blocks[&1] > 800 && blocks.len() == 2, "{blocks:?}");
}

#[test]
fn where_more_only_wait_less_each_there_are_no_more() {
    let mut line = Line::new(16);
    let took = Duration::from_millis(10);
    for _ in 0..4096 {
        line.now += took;
        line.sample.bytes += MIB;
        // Together they are waited for as long as one of them was.
        line.sample.time += took;
        line.controller.handed(line.sample, took, line.now);
        assert!(line.controller.connections() <= 4);
    }
    assert_eq!(line.controller.connections(), 1);
}

#[test]
fn growth_ends_where_the_line_is_full() {
    let mut line = Line::new(64);
    let mut blocks = std::collections::BTreeMap::new();
    for _ in 0..4096 {
        line.run(MIB, |n| (n as f64 * 50e6).min(420e6));
        *blocks.entry(line.controller.connections()).or_insert(0) += 1;
    }
    assert!(blocks[&8] > 3400, "{blocks:?}");
}

#[test]
fn what_was_gained_by_chance_is_given_up_again() {
    let mut line = Line::new(16);
    // The line gets faster while more are tried, and then slower again.
    line.run(96 * MIB, |n| n as f64 * 90e6);
    assert!(line.controller.connections() > 4);
    line.run(2048 * MIB, |_| 180e6);
    let mut most = 0;
    for _ in 0..512 {
        line.run(MIB, |_| 180e6);
        most = most.max(line.controller.connections());
    }
    assert!(most <= 4, "{most}");
}

#[test]
fn trouble_halves_the_connections_and_growth_is_tried_again_later() {
    let mut line = Line::new(16);
    let rate = |n| n as f64 * 90e6;
    line.run(512 * MIB, rate);
    line.fails();
    assert_eq!(line.controller.connections(), 8);
    line.run(1024 * MIB, rate);
    assert_eq!(line.controller.connections(), 8);
    let mut most = 0;
    for _ in 0..16 * 1024 {
        line.run(MIB, rate);
        most = most.max(line.controller.connections());
    }
    assert_eq!(most, 16);
    for _ in 0..9 {
        line.fails();
        line.run(16 * MIB, rate);
    }
    assert_eq!(line.controller.connections(), 1);
}

#[test]
fn failures_that_come_together_halve_the_connections_once() {
    let mut line = Line::new(16);
    line.run(512 * MIB, |n| n as f64 * 90e6);
    for _ in 0..12 {
        line.fails();
    }
    assert_eq!(line.controller.connections(), 8);
}

#[test]
fn as_many_as_may_be_are_used_whatever_their_number() {
    for most in [2, 3, 5, 7, 9, 10, 11, 16] {
        let mut line = Line::new(most);
        line.run(512 * MIB, |n| n as f64 * 90e6);
        let mut blocks = 0;
        for _ in 0..4096 {
            line.run(MIB, |n| n as f64 * 90e6);
            blocks += u32::from(line.controller.connections() == most);
        }
        assert!(blocks > 3400, "{blocks} with {most}");
    }
}

const SLOW_TO_ANSWER: Host = Host {
    answer: Duration::from_millis(37),
    each: f64::INFINITY,
    line: 1200e6,
    burst: 0,
};

#[test]
fn one_request_brings_all_where_more_comes_in_the_time_of_an_answer_than_can_be_held() {
    let mut line = Line::new(16);
    line.run_from(1024 * MIB, SLOW_TO_ANSWER);
    assert!(line.controller.is_single_stream());
    assert!(line.alone > 980 * MIB, "{}", line.alone / MIB);
}

#[test]
fn one_request_brings_all_where_it_is_faster_than_the_most_connections() {
    let mut line = Line::new(16);
    let host = Host {
        line: 800e6,
        ..SLOW_TO_ANSWER
    };
    line.run_from(1024 * MIB, host);
    assert!(line.controller.is_single_stream());
    let before = 1024 - line.alone / MIB;
    assert!((64..192).contains(&before), "{before}");
}

#[test]
fn one_request_is_not_tried_where_each_connection_is_held_back() {
    let mut line = Line::new(16);
    let host = Host {
        answer: Duration::from_millis(30),
        each: 90e6,
        ..SLOW_TO_ANSWER
    };
    line.run_from(4096 * MIB, host);
    assert_eq!((line.alone, line.controller.connections()), (0, 16));
}

#[test]
fn one_request_is_not_tried_where_the_host_answers_at_once() {
    let mut line = Line::new(16);
    let host = Host {
        answer: Duration::from_micros(300),
        ..SLOW_TO_ANSWER
    };
    line.run_from(4096 * MIB, host);
    assert_eq!(line.alone, 0);
}

#[test]
fn one_request_is_left_where_only_its_beginning_is_fast_and_not_tried_again() {
    let mut line = Line::new(16);
    let host = Host {
        each: 90e6,
        burst: 8 * MIB,
        ..SLOW_TO_ANSWER
    };
    line.run_from(1024 * MIB, host);
    assert!(line.alone > 0 && !line.controller.is_single_stream());
    assert_eq!(line.controller.connections(), 16);
    line.alone = 0;
    line.run_from(15 * 1024 * MIB, host);
    assert_eq!(line.alone, 0);
}

#[test]
fn one_request_stays_where_the_reader_is_what_is_slow() {
    let mut line = Line::new(16);
    line.run_from(64 * MIB, SLOW_TO_ANSWER);
    assert!(line.controller.is_single_stream());
    for _ in 0..1000 {
        line.sample.time += Duration::from_millis(1);
        line.hands(Duration::from_millis(10), Duration::from_millis(1));
        assert!(line.controller.is_single_stream());
    }
}

#[test]
fn one_request_that_fails_is_left_when_it_has_recovered() {
    let mut line = Line::new(16);
    line.run_from(64 * MIB, SLOW_TO_ANSWER);
    line.fails();
    assert!(line.controller.is_single_stream());
    line.run_from(32 * MIB, SLOW_TO_ANSWER);
    assert!(!line.controller.is_single_stream());
    assert_eq!(line.controller.connections(), 1);
}

#[test]
fn one_connection_stays_one() {
    let mut line = Line::new(1);
    line.run(512 * MIB, |n| n as f64 * 90e6);
    assert_eq!(line.controller.connections(), 1);
}
