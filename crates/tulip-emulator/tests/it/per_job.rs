//! Faults, scripts and counts of one job or machine, independent of the others.

use reqwest::Method;
use tulip_core::{JobId, MachineId};
use tulip_emulator::{Emulator, Endpoint, Fault, JobRequests, JobScript, Reply};

use crate::client::Api;

/// The status of a download and the number of bytes that arrived.
async fn download(api: &Api, job: &JobId) -> (u16, usize) {
    let url = api.resource(job).await;
    let mut reply = api.http.get(url).send().await.unwrap();
    let mut got = 0;
    while let Ok(Some(chunk)) = reply.chunk().await {
        got += chunk.len();
    }
    (reply.status().as_u16(), got)
}

/// Starts a job and returns its id, if a reply with one arrives.
async fn start(api: &Api, emulator: &Emulator, machine: &MachineId) -> Option<JobId> {
    let path = format!("/api/v3/machines/archive/{machine}");
    let authorization = emulator.credentials().basic_header();
    let request = api.bare(Method::POST, &path);
    let request = request.header("Authorization", &*authorization);
    let body: serde_json::Value = request.send().await.ok()?.json().await.ok()?;
    body["id"].as_str()?.parse().ok()
}

#[tokio::test]
async fn the_faults_of_a_job_are_met_by_its_downloads_alone() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let add = |script: JobScript| emulator.add_job(script.content("0123456789")).unwrap();
    let faulty = add(JobScript::new()
        .asset_faults([
            Fault::Cut { after: 3 },
            Fault::None,
            Reply::slow_down().into(),
        ])
        .asset_always(Fault::Cut { after: 5 }));
    let sound = add(JobScript::new());
    for expected in [(200, 3), (200, 10)] {
        assert_eq!(download(&api, &sound).await, (200, 10));
        assert_eq!(download(&api, &faulty).await, expected);
    }
    assert_eq!(download(&api, &faulty).await.0, 503);
    for _ in 0..3 {
        assert_eq!(download(&api, &faulty).await, (200, 5));
        assert_eq!(download(&api, &sound).await, (200, 10));
    }
}

#[tokio::test]
async fn a_fault_for_the_next_request_is_left_to_jobs_without_one() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let own = JobScript::new().content("0123456789");
    let own = own.asset_faults([Fault::Cut { after: 3 }]);
    let job = emulator.add_job(own.asset_always(Fault::Cut { after: 5 }));
    let job = job.unwrap();
    emulator.fail_next(Endpoint::Asset, 1, Fault::Cut { after: 4 });
    assert_eq!(download(&api, &job).await, (200, 3));
    assert_eq!(download(&api, &job).await, (200, 4));
    assert_eq!(download(&api, &job).await, (200, 5));
    emulator.clear_faults();
    assert_eq!(download(&api, &job).await, (200, 5), "the script stays");
}

#[tokio::test]
async fn status_calls_have_faults_of_their_job_too() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let script = JobScript::new().status_faults([Reply::busy(503), Reply::html(200, "Hi")]);
    let (faulty, sound) = (emulator.add_job(script), emulator.add_job(JobScript::new()));
    let (faulty, sound) = (faulty.unwrap(), sound.unwrap());
    let status = async |job: &JobId| {
        let path = format!("/api/v3/machines/archive/csv/{job}");
        let reply = api.bare(Method::GET, &path).send().await.unwrap();
        reply.status().as_u16()
    };
    assert_eq!((status(&sound).await, status(&faulty).await), (401, 503));
    assert_eq!((status(&sound).await, status(&faulty).await), (401, 200));
    assert_eq!((status(&sound).await, status(&faulty).await), (401, 401));
    assert_eq!(emulator.requests().of_job(&faulty).status, 3);
    assert_eq!(emulator.requests().api[1].job.as_ref(), Some(&faulty));
}

#[tokio::test]
async fn a_script_can_wait_for_the_job_of_a_machine() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let machines = emulator.machine_ids();
    emulator.script_next(JobScript::new().content("next of all"));
    emulator.script_next_of(&machines[1], JobScript::new().content("next of 1"));
    for (machine, content) in [(1, "next of 1"), (0, "next of all")] {
        let job = start(&api, &emulator, &machines[machine]).await.unwrap();
        assert_eq!(emulator.content(&job).unwrap().to_bytes(), content);
    }
    let job = start(&api, &emulator, &machines[1]).await.unwrap();
    let usual = emulator.archive(&machines[1]).unwrap().to_bytes();
    assert_eq!(emulator.content(&job).unwrap().to_bytes(), usual);
}

#[tokio::test]
async fn starts_are_counted_by_machine_where_a_job_was_started() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let machines = emulator.machine_ids();
    emulator.fail_next(Endpoint::Start, 1, Reply::busy(429));
    assert_eq!(start(&api, &emulator, &machines[0]).await, None);
    emulator.fail_next(Endpoint::Start, 1, Fault::LostReply);
    assert_eq!(start(&api, &emulator, &machines[0]).await, None);
    start(&api, &emulator, &machines[2]).await.unwrap();
    start(&api, &emulator, &machines[2]).await.unwrap();
    emulator.add_job(JobScript::new()).unwrap();
    let requests = emulator.requests();
    let starts: Vec<_> = machines.iter().map(|id| requests.starts(id)).collect();
    assert_eq!(starts, [1, 0, 2]);
    let asked: Vec<_> = requests.api.iter().map(|r| r.machine.clone()).collect();
    assert_eq!(asked, [0, 0, 2, 2].map(|nth| Some(machines[nth].clone())));
}

#[tokio::test]
async fn downloads_and_their_bytes_are_counted_by_job_and_by_request() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let script = JobScript::new().content("0123456789");
    let cut = script.clone().asset_faults([Fault::Cut { after: 3 }]);
    let one = emulator.add_job(cut).unwrap();
    let two = emulator.add_job(script).unwrap();
    for job in [&one, &two, &one] {
        download(&api, job).await;
    }
    let requests = emulator.requests();
    let counts = |job: &JobId| {
        let JobRequests {
            status,
            asset,
            asset_bytes,
            ..
        } = requests.of_job(job);
        (status, asset, asset_bytes)
    };
    assert_eq!(counts(&one), (2, 2, 13));
    assert_eq!(counts(&two), (1, 1, 10));
    assert_eq!(counts(&"nobody".parse().unwrap()), (0, 0, 0));
    let bytes: Vec<_> = requests.asset.iter().map(|r| r.bytes).collect();
    assert_eq!((bytes, requests.asset_bytes), (vec![3, 10, 10], 23));
}
