use std::time::Duration;

use serde_json::Value;
use tulip_emulator::{Emulator, EmulatorError, JobScript};

use crate::client::Api;

async fn said(api: &Api, job: &tulip_core::JobId, polls: usize) -> Vec<String> {
    let mut statuses = Vec::new();
    for _ in 0..polls {
        let body = api.status(job).await;
        assert_eq!(body["status"] == "complete", body["resource"].is_string());
        statuses.push(body["status"].as_str().unwrap().to_owned());
    }
    statuses
}

#[tokio::test]
async fn queued_scripts_are_for_one_job_each_and_then_the_default_is_back() {
    let emulator = Emulator::builder()
        .default_script(JobScript::new().statuses(["pending", "zipping", "complete"]))
        .start()
        .await
        .unwrap();
    let api = Api::new(&emulator);
    emulator.script_next(JobScript::new().pending_polls(1));
    emulator.script_next(JobScript::new().start_status("complete"));
    let (first, reply) = api.start(&emulator).await;
    assert_eq!(reply["status"], "pending");
    let (second, reply) = api.start(&emulator).await;
    assert_eq!(reply["status"], "complete");
    let (third, _) = api.start(&emulator).await;
    assert_eq!(
        said(&api, &first, 3).await,
        ["pending", "complete", "complete"]
    );
    assert_eq!(said(&api, &second, 1).await, ["complete"]);
    assert_eq!(
        said(&api, &third, 3).await,
        ["pending", "zipping", "complete"]
    );
    assert_eq!(emulator.jobs()[2].polls, 3);
    assert_eq!(emulator.jobs()[2].last_status.as_deref(), Some("complete"));
    emulator.set_default_script(JobScript::new());
    let (fourth, _) = api.start(&emulator).await;
    assert_eq!(said(&api, &fourth, 1).await, ["complete"]);
}

#[tokio::test]
async fn a_failed_job_gives_its_details() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let job = emulator
        .add_job(JobScript::new().fails("disk full"))
        .unwrap();
    let body = api.status(&job).await;
    assert_eq!(
        (&body["status"], &body["details"]),
        (&"failed".into(), &"disk full".into())
    );
    assert_eq!(body["resource"], Value::Null);
    let silent = emulator.add_job(JobScript::new().fails_silently()).unwrap();
    assert_eq!(api.status(&silent).await["details"], Value::Null);
}

#[tokio::test]
async fn a_held_job_completes_when_released() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let job = emulator
        .add_job(JobScript::new().pending_until_released())
        .unwrap();
    assert_eq!(said(&api, &job, 2).await, ["pending", "pending"]);
    emulator.release(&job);
    assert_eq!(said(&api, &job, 1).await, ["complete"]);
    let long = JobScript::new().pending_for(Duration::from_secs(3600));
    let job = emulator.add_job(long).unwrap();
    assert_eq!(said(&api, &job, 1).await, ["pending"]);
    emulator.release(&job);
    assert_eq!(said(&api, &job, 1).await, ["complete"]);
}

#[tokio::test]
async fn the_resource_can_come_late_or_be_anything() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let late = emulator
        .add_job(JobScript::new().complete_without_resource(1))
        .unwrap();
    let body = api.status(&late).await;
    assert_eq!(
        (&body["status"], &body["resource"]),
        (&"complete".into(), &Value::Null)
    );
    assert!(api.status(&late).await["resource"].is_string());
    let odd = emulator
        .add_job(JobScript::new().resource("not a url"))
        .unwrap();
    assert_eq!(api.status(&odd).await["resource"], "not a url");
}

#[tokio::test]
async fn a_job_can_flap_and_its_resource_come_and_go() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let flapping = JobScript::new().statuses(["complete", "pending", "complete"]);
    let job = emulator.add_job(flapping).unwrap();
    assert_eq!(
        said(&api, &job, 3).await,
        ["complete", "pending", "complete"]
    );
    let coming = JobScript::new().resources([true, false, true]);
    let job = emulator.add_job(coming).unwrap();
    for there in [true, false, true] {
        let body = api.status(&job).await;
        assert_eq!(body["status"], "complete");
        assert_eq!(body["resource"].is_string(), there);
    }
}

#[tokio::test]
async fn a_job_is_for_the_machine_of_its_script() {
    let emulator = Emulator::start().await.unwrap();
    let machine = emulator.machine_ids()[2].clone();
    let script = JobScript::new().machine(machine.clone()).rows(4);
    let job = emulator.add_job(script).unwrap();
    let rows: Vec<_> = emulator.content(&job).unwrap().to_bytes().to_vec();
    assert!(
        emulator
            .archive(&machine)
            .unwrap()
            .to_bytes()
            .starts_with(&rows[..300])
    );
    let stranger = JobScript::new().machine("nobody".parse().unwrap());
    let error = emulator.add_job(stranger).unwrap_err();
    assert!(matches!(error, EmulatorError::UnknownMachine(_)), "{error}");
    let empty = Emulator::builder().machines(0).start().await.unwrap();
    let error = empty.add_job(JobScript::new()).unwrap_err();
    assert!(matches!(error, EmulatorError::NoMachine), "{error}");
}
