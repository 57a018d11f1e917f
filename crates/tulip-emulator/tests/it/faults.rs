use tulip_emulator::{Emulator, Endpoint, Fault, JobScript, Reply};

use crate::client::{Api, header, http};

#[tokio::test]
async fn scripted_replies_come_once_each_and_nothing_is_done() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let path = format!("/api/v3/machines/archive/{}", emulator.machine_ids()[0]);
    let send = || api.bare(reqwest::Method::POST, &path).send();
    let busy = Reply::error(429, "TooManyRequests", "slow down").header("Retry-After", "2");
    emulator.fail_next(Endpoint::Start, 2, busy);
    emulator.fail_next(Endpoint::Start, 1, Reply::html(403, "<h1>blocked</h1>"));
    for _ in 0..2 {
        let reply = send().await.unwrap();
        assert_eq!(reply.status(), 429);
        assert_eq!(header(reply.headers(), "retry-after"), "2");
        let body: serde_json::Value = reply.json().await.unwrap();
        assert_eq!(body["details"], "slow down");
    }
    let page = send().await.unwrap();
    assert_eq!(page.status(), 403);
    assert_eq!(
        header(page.headers(), "content-type"),
        "text/html; charset=utf-8"
    );
    assert_eq!(page.text().await.unwrap(), "<h1>blocked</h1>");
    assert_eq!(send().await.unwrap().status(), 401);
    assert!(emulator.jobs().is_empty());
    emulator.fail_next(Endpoint::Start, 1, Reply::new(500));
    emulator.clear_faults();
    assert_eq!(send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_hangup_closes_the_connection_without_a_reply() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    emulator.fail_next(Endpoint::Machines, 5, Fault::Hangup);
    assert!(
        api.bare(reqwest::Method::GET, "/api/v3/machines")
            .send()
            .await
            .is_err()
    );
    assert_eq!(emulator.requests().api[0].status, None);
    emulator.clear_faults();
    assert_eq!(api.get("/api/v3/machines").await.0, 200);
}

#[tokio::test]
async fn a_cut_delivers_exactly_its_bytes() {
    let emulator = Emulator::builder().rows(20_000).start().await.unwrap();
    let api = Api::new(&emulator);
    let job = emulator.add_job(JobScript::new()).unwrap();
    let whole = emulator.content(&job).unwrap().to_bytes();
    for after in [0, 1, 1_000_000] {
        emulator.fail_next(Endpoint::Asset, 1, Fault::Cut { after });
        let url = api.resource(&job).await;
        let mut reply = http().get(url).send().await.unwrap();
        assert_eq!(reply.content_length(), Some(whole.len() as u64));
        let mut got = Vec::new();
        let error = loop {
            match reply.chunk().await {
                Ok(Some(chunk)) => got.extend_from_slice(&chunk),
                Ok(None) => panic!("the body ended well"),
                Err(error) => break error,
            }
        };
        assert_eq!(got, whole[..usize::try_from(after).unwrap()], "{error}");
    }
}

#[tokio::test]
async fn a_stall_delivers_its_bytes_and_then_waits() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let job = emulator.add_job(JobScript::new()).unwrap();
    emulator.fail_next(Endpoint::Asset, 1, Fault::None);
    emulator.fail_next(Endpoint::Asset, 1, Fault::Stall { after: 10 });
    let url = api.resource(&job).await;
    let whole = api
        .http
        .get(&url)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let mut reply = api.http.get(&url).send().await.unwrap();
    assert_eq!(reply.chunk().await.unwrap().unwrap(), whole[..10]);
    let more = tokio::time::timeout(std::time::Duration::from_millis(50), reply.chunk()).await;
    assert!(more.is_err());
    // The next request is served.
    assert_eq!(
        api.http
            .get(&url)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap(),
        whole
    );
}

#[tokio::test]
async fn the_reply_of_a_started_job_can_be_lost() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let path = format!("/api/v3/machines/archive/{}", emulator.machine_ids()[0]);
    emulator.fail_next(Endpoint::Start, 1, Fault::Cut { after: 5 });
    let request = api.bare(reqwest::Method::POST, &path);
    let authorization = emulator.credentials().basic_header();
    let reply = request
        .header("Authorization", &*authorization)
        .send()
        .await
        .unwrap();
    assert!(reply.bytes().await.is_err());
    assert_eq!(emulator.jobs().len(), 1);
}
