use std::time::Duration;

use tulip_archive::poll::{PollError, PollState, Poller};
use tulip_emulator::{Endpoint, JobScript, Reply};

use crate::support::{Bench, fast};

#[tokio::test]
async fn every_state_is_yielded_until_the_job_is_complete() {
    let bench = Bench::start().await;
    let job = bench.job(JobScript::new().statuses(["pending", "zipping", "zipping", "complete"]));
    let mut poller = Poller::new(&bench.client(), job, fast());
    let mut seen = Vec::new();
    let complete = loop {
        match poller.next().await.unwrap().unwrap() {
            PollState::InProgress { status, unknown } => seen.push((status.to_string(), unknown)),
            PollState::Complete(complete) => break complete,
            other => panic!("{other:?}"),
        }
    };
    let expected = [("pending", false), ("zipping", true), ("zipping", false)];
    assert_eq!(
        seen,
        expected.map(|(status, unknown)| (status.to_owned(), unknown))
    );
    assert_eq!(complete.polls, 4);
    assert!(poller.next().await.is_none());
}

#[tokio::test]
async fn a_job_that_takes_polls_is_waited_for() {
    let bench = Bench::start().await;
    let job = bench.job(JobScript::new().pending_polls(7));
    let complete = Poller::new(&bench.client(), job, fast())
        .until_complete()
        .await
        .unwrap();
    assert_eq!(complete.polls, 8);
    assert_eq!(bench.emulator.requests().count(Endpoint::Status), 8);
}

#[tokio::test]
async fn a_resource_that_comes_late_is_waited_for_and_one_that_never_comes_is_an_error() {
    let bench = Bench::start().await;
    let late = bench.job(JobScript::new().complete_without_resource(5));
    Poller::new(&bench.client(), late, fast())
        .until_complete()
        .await
        .unwrap();
    let never = bench.job(JobScript::new().complete_without_resource(u32::MAX));
    let error = Poller::new(&bench.client(), never, fast())
        .until_complete()
        .await
        .unwrap_err();
    assert!(matches!(error, PollError::NoResource { .. }));
    assert!(error.to_string().contains("no download URL"), "{error}");
    assert_eq!(bench.emulator.requests().count(Endpoint::Status), 6 + 6);
}

#[tokio::test]
async fn a_failed_job_ends_at_once_with_what_tulip_said() {
    let bench = Bench::start().await;
    let job = bench.job(JobScript::new().fails("the export ran out of disk"));
    let error = Poller::new(&bench.client(), job, fast())
        .until_complete()
        .await
        .unwrap_err();
    assert!(matches!(error, PollError::Failed { .. }));
    assert!(
        error.to_string().contains("the export ran out of disk"),
        "{error}"
    );
    assert_eq!(bench.emulator.requests().count(Endpoint::Status), 1);
}

#[tokio::test]
async fn the_deadline_brings_one_last_call_and_then_an_error() {
    let bench = Bench::start().await;
    let hour = Duration::from_secs(3600);
    let mut deadline = Duration::from_millis(30);
    // On a slow machine, the first call may outlast the deadline, and no other follows: allow more
    // time.
    loop {
        let job = bench.job(JobScript::new().pending_until_released());
        let asked = bench.emulator.requests().count(Endpoint::Status);
        let policy = fast().intervals(hour, hour).time_limit(Some(deadline));
        let error = Poller::new(&bench.client(), job, policy)
            .until_complete()
            .await
            .unwrap_err();
        let PollError::Deadline { polls, .. } = error else {
            panic!("{error:?}");
        };
        assert!(
            error.to_string().contains("it continues at Tulip"),
            "{error}"
        );
        let asked = bench.emulator.requests().count(Endpoint::Status) - asked;
        assert_eq!(asked, polls as usize);
        if polls == 2 {
            break;
        }
        assert_eq!(polls, 1);
        deadline *= 10;
        assert!(deadline < hour, "no last call is ever made");
    }
}

#[tokio::test]
async fn an_api_that_has_answered_before_is_asked_again_after_a_failure() {
    let bench = Bench::start().await;
    let job = bench.job(JobScript::new().pending_polls(1));
    let mut poller = Poller::new(&bench.without_retries(), job, fast());
    assert!(matches!(
        poller.next().await,
        Some(Ok(PollState::InProgress { .. }))
    ));
    let broken = Reply::error(500, "InternalError", "no");
    bench.emulator.fail_next(Endpoint::Status, 3, broken);
    for _ in 0..3 {
        assert!(matches!(
            poller.next().await,
            Some(Ok(PollState::Failing(_)))
        ));
    }
    assert!(matches!(
        poller.next().await,
        Some(Ok(PollState::Complete(_)))
    ));
}

/// A gateway answers one of several calls.
#[tokio::test]
async fn an_odd_reply_among_good_ones_is_asked_again() {
    let bench = Bench::start().await;
    for odd in [
        Reply::new(200),
        Reply::new(202),
        Reply::html(200, "<title>Sign in</title>"),
        Reply::new(200).body("{\"id\":"),
        Reply::redirect(302, "https://login.example/"),
        Reply::html(403, "<title>Blocked</title>"),
    ] {
        let job = bench.job(JobScript::new().pending_polls(1));
        let mut poller = Poller::new(&bench.without_retries(), job, fast());
        assert!(matches!(
            poller.next().await,
            Some(Ok(PollState::InProgress { .. }))
        ));
        bench.emulator.fail_next(Endpoint::Status, 1, odd.clone());
        let failing = poller.next().await;
        assert!(
            matches!(failing, Some(Ok(PollState::Failing(_)))),
            "{failing:?}"
        );
        poller.until_complete().await.unwrap();
        // On the first call, it means that the base URL is wrong.
        bench.emulator.fail_next(Endpoint::Status, 1, odd);
        let job = bench.job(JobScript::new());
        let first = Poller::new(&bench.without_retries(), job, fast());
        let error = first.until_complete().await.unwrap_err();
        assert!(matches!(error, PollError::Status { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_api_that_never_answered_is_given_up() {
    let bench = Bench::start().await;
    let job = bench.job(JobScript::new());
    bench.emulator.fail_next(
        Endpoint::Status,
        1,
        Reply::error(500, "InternalError", "no"),
    );
    let error = Poller::new(&bench.without_retries(), job, fast())
        .until_complete()
        .await
        .unwrap_err();
    assert!(matches!(error, PollError::Status { .. }));
}

#[tokio::test]
async fn an_unknown_job_and_an_unusable_resource_end_at_once() {
    let bench = Bench::start().await;
    let unknown = Poller::new(&bench.client(), "nobody".parse().unwrap(), fast());
    let PollError::Status { source, .. } = unknown.until_complete().await.unwrap_err() else {
        panic!("another error");
    };
    assert!(source.is_not_found() && source.error_unique_id().is_some());
    let odd = bench.job(JobScript::new().resource("not a url s3cret"));
    let error = Poller::new(&bench.client(), odd, fast())
        .until_complete()
        .await
        .unwrap_err();
    assert!(matches!(error, PollError::Resource { .. }));
    assert!(!format!("{error:?}").contains("s3cret"));
}
