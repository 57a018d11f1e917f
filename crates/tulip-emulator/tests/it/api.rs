use reqwest::{Method, StatusCode};
use serde_json::Value;
use tulip_core::{Credentials, MachineType, Scope};
use tulip_emulator::{Emulator, Endpoint, TokenKind};

use crate::client::{Api, json};

const BOTH: [Scope; 2] = [Scope::MachinesRead, Scope::MachinesWrite];

/// The details of an error, whose body must have the documented form.
fn details((status, body): (StatusCode, Value), expected: u16) -> String {
    assert_eq!(status, expected, "{body}");
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    assert!(!text("errorCode").is_empty());
    let id = text("errorUniqueID");
    assert!(!id.is_empty());
    assert!(
        id.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/'),
        "{id}"
    );
    text("details")
}

#[tokio::test]
async fn machines_are_listed_as_the_emulator_says() {
    let emulator = Emulator::builder().machines(5).start().await.unwrap();
    let (status, body) = Api::new(&emulator).get("/api/v3/machines").await;
    assert_eq!(status, 200);
    let listed: Vec<MachineType> = serde_json::from_value(body).unwrap();
    assert_eq!(listed, emulator.machines());
    assert_eq!(emulator.machine_ids().len(), 5);
}

#[tokio::test]
async fn a_started_job_has_the_documented_fields_and_no_resource() {
    let emulator = Emulator::start().await.unwrap();
    let (job, body) = Api::new(&emulator).start(&emulator).await;
    let mut names: Vec<_> = body.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(
        names,
        [
            "customerId",
            "id",
            "status",
            "type",
            "userId",
            "workspaceId"
        ]
    );
    assert_eq!(body["type"], "ddm-machine-activity-export");
    assert_eq!(body["workspaceId"], "DEFAULT");
    assert_eq!(emulator.jobs()[0].id, job);
    assert_eq!(emulator.jobs()[0].machine, emulator.machine_ids()[0]);
}

#[tokio::test]
async fn a_status_has_the_documented_fields() {
    let emulator = Emulator::start().await.unwrap();
    let (job, _) = Api::new(&emulator).start(&emulator).await;
    let body = Api::new(&emulator).status(&job).await;
    let mut names: Vec<_> = body.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["id", "resource", "status", "type"]);
    assert_eq!(body["status"], "complete");
    assert_eq!(body["id"], job.as_str());
}

#[tokio::test]
async fn an_account_token_works_under_its_workspace_alone() {
    let emulator = Emulator::builder()
        .workspace("W_2".parse().unwrap())
        .start()
        .await
        .unwrap();
    let account = Api::with(&emulator, emulator.account_credentials());
    let (status, _) = account.get("/api/v3/w/W_2/machines").await;
    assert_eq!(status, 200);
    let machine = &emulator.machine_ids()[0];
    let start = format!("/api/v3/w/W_2/machines/archive/{machine}");
    let (status, body) = account.call(Method::POST, &start).await;
    assert_eq!(
        (status.as_u16(), &body["workspaceId"]),
        (200, &Value::from("W_2"))
    );
    let id = body["id"].as_str().unwrap();
    let (status, _) = account
        .get(&format!("/api/v3/w/W_2/machines/archive/csv/{id}"))
        .await;
    assert_eq!(status, 200);

    let says = details(account.get("/api/v3/machines").await, 403);
    assert!(says.contains("/api/v3/w/W_2/"), "{says}");
    let says = details(account.get("/api/v3/w/DEFAULT/machines").await, 403);
    assert!(
        says.contains("no access to workspace \"DEFAULT\""),
        "{says}"
    );
    let workspace = Api::new(&emulator);
    let says = details(workspace.get("/api/v3/w/W_2/machines").await, 403);
    assert!(says.contains("workspace API token"), "{says}");
}

#[tokio::test]
async fn each_call_needs_its_scope() {
    let emulator = Emulator::start().await.unwrap();
    let token = |scope| {
        emulator
            .issue_token(TokenKind::Workspace, &[scope])
            .unwrap()
    };
    let read = Api::with(&emulator, token(Scope::MachinesRead));
    let write = Api::with(&emulator, token(Scope::MachinesWrite));
    let start = format!("/api/v3/machines/archive/{}", emulator.machine_ids()[0]);
    let (status, body) = write.call(Method::POST, &start).await;
    assert_eq!(status, 200);
    let poll = format!(
        "/api/v3/machines/archive/csv/{}",
        body["id"].as_str().unwrap()
    );
    assert_eq!(read.get(&poll).await.0, 200);
    for path in [poll.as_str(), "/api/v3/machines"] {
        let says = details(write.get(path).await, 403);
        assert!(says.contains("machines:read"), "{says}");
    }
    let says = details(read.call(Method::POST, &start).await, 403);
    assert!(says.contains("machines:write"), "{says}");
}

#[tokio::test]
async fn only_basic_with_a_known_key_is_let_in() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let path = "/api/v3/machines";
    let without = json(api.bare(Method::GET, path).send().await.unwrap()).await;
    assert!(details(without, 401).contains("Basic"));
    for header in ["Bearer x", "Basic", "Basic !!!", "Basic YWJj"] {
        let request = api.bare(Method::GET, path).header("Authorization", header);
        details(json(request.send().await.unwrap()).await, 401);
    }
    let wrong = Credentials::new(emulator.credentials().key(), "wrong").unwrap();
    assert!(details(Api::with(&emulator, wrong).get(path).await, 403).contains("not valid"));
    let unknown = Credentials::new("apikey.2_nobody", "x").unwrap();
    details(Api::with(&emulator, unknown).get(path).await, 403);
    let one_time = emulator.issue_token(TokenKind::OneTime, &BOTH).unwrap();
    assert_eq!(Api::with(&emulator, one_time).get(path).await.0, 200);
}

#[tokio::test]
async fn fixed_credentials_are_let_in() {
    let fixed = Credentials::new("apikey.2_fixed", "s3cret").unwrap();
    let account = Credentials::new("apikey.2_account", "s3cret2").unwrap();
    let emulator = Emulator::builder()
        .credentials(fixed.clone())
        .account_credentials(account.clone())
        .start()
        .await
        .unwrap();
    assert_eq!(emulator.credentials(), fixed);
    assert_eq!(
        Api::with(&emulator, fixed).get("/api/v3/machines").await.0,
        200
    );
    let api = Api::with(&emulator, account);
    assert_eq!(api.get("/api/v3/w/DEFAULT/machines").await.0, 200);
}

#[tokio::test]
async fn what_is_not_there_is_404_and_a_wrong_method_405() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    assert!(details(api.get("/api/v3/machines/archive/csv/nobody").await, 404).contains("job"));
    let start = api
        .call(Method::POST, "/api/v3/machines/archive/nobody")
        .await;
    assert!(details(start, 404).contains("machine"));
    for path in [
        "/",
        "/api/v3",
        "/api/v2/machines",
        "/api/v3/machines/archive/csv",
    ] {
        let found = api.call(Method::GET, path).await;
        let expected = if path.ends_with("csv") { 405 } else { 404 };
        details(found, expected);
    }
    details(api.call(Method::POST, "/api/v3/machines").await, 405);
    details(
        api.call(Method::DELETE, "/api/v3/machines/archive/csv/x")
            .await,
        405,
    );
}

#[tokio::test]
async fn what_is_malformed_is_400() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    for path in ["csv/%FF", "csv/a%2Fb", "csv/a%00b"] {
        details(
            api.get(&format!("/api/v3/machines/archive/{path}")).await,
            400,
        );
    }
    let header = emulator.credentials().basic_header();
    let start = format!("/api/v3/machines/archive/{}", emulator.machine_ids()[0]);
    for (body, expected) in [("{\"from\": 1}", 400), ("{}", 200), ("", 200)] {
        let request = api
            .bare(Method::POST, &start)
            .header("Authorization", &*header);
        let reply = json(request.body(body).send().await.unwrap()).await;
        assert_eq!(reply.0, expected, "{body}");
    }
    let request = api
        .bare(Method::POST, &start)
        .header("Authorization", &*header);
    let reply = json(request.body("x".repeat(100_000)).send().await.unwrap()).await;
    details(reply, 400);
    let request = api.bare(Method::GET, "/api/v3/machines");
    let twice = request
        .header("Authorization", &*header)
        .header("Authorization", "Basic x");
    details(json(twice.send().await.unwrap()).await, 400);
}

#[tokio::test]
async fn ids_in_paths_may_be_percent_encoded() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let id = "日本_1%".parse().unwrap();
    emulator.add_job_as(id, Default::default()).unwrap();
    let path = "/api/v3/machines/archive/csv/%E6%97%A5%E6%9C%AC_1%25";
    let (status, body) = api.get(path).await;
    assert_eq!(
        (status.as_u16(), &body["id"]),
        (200, &Value::from("日本_1%"))
    );
    let url = body["resource"].as_str().unwrap();
    assert_eq!(api.http.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn requests_are_counted_with_their_outcome() {
    let emulator = Emulator::start().await.unwrap();
    let api = Api::new(&emulator);
    let (job, _) = api.start(&emulator).await;
    api.status(&job).await;
    api.get("/nowhere").await;
    api.bare(Method::GET, "/api/v3/machines")
        .send()
        .await
        .unwrap();
    emulator.wait_for_requests(Endpoint::Machines, 1).await;
    let requests = emulator.requests();
    let count = |endpoint| requests.count(endpoint);
    assert_eq!((count(Endpoint::Start), count(Endpoint::Status)), (1, 1));
    assert_eq!((count(Endpoint::Machines), count(Endpoint::Asset)), (1, 0));
    let seen: Vec<_> = requests
        .api
        .iter()
        .map(|request| (request.endpoint, request.status, request.authorization))
        .collect();
    let expected = [
        (Some(Endpoint::Start), Some(200), true),
        (Some(Endpoint::Status), Some(200), true),
        (None, Some(404), true),
        (Some(Endpoint::Machines), Some(401), false),
    ];
    assert_eq!(seen, expected);
}
