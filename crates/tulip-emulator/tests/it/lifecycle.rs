use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpStream};
use tulip_emulator::{CsvArchive, Emulator, EmulatorError, JobScript};

use crate::client::Api;

fn address(url: &tulip_core::InstanceUrl) -> String {
    url.to_string().replace("http://", "")
}

#[tokio::test]
async fn api_and_assets_have_their_own_origins() {
    let emulator = Emulator::start().await.unwrap();
    assert_ne!(emulator.base_url(), emulator.asset_origin());
    let job = emulator.add_job(JobScript::new()).unwrap();
    let url = Api::new(&emulator).resource(&job).await;
    assert!(url.starts_with(&format!("{}/", emulator.asset_origin())));
}

#[tokio::test]
async fn stopping_frees_the_ports_and_closes_connections() {
    let emulator = Emulator::start().await.unwrap();
    let (api, assets) = (
        address(&emulator.base_url()),
        address(&emulator.asset_origin()),
    );
    let open = TcpStream::connect(&api).await.unwrap();
    Api::new(&emulator).get("/api/v3/machines").await;
    emulator.stop().await;
    for address in [&api, &assets] {
        assert!(TcpStream::connect(address).await.is_err());
    }
    open.readable().await.unwrap();
    assert!(!matches!(open.try_read(&mut [0; 1]), Ok(1)));
}

#[tokio::test]
async fn dropping_closes_connections() {
    let emulator = Emulator::start().await.unwrap();
    let open = TcpStream::connect(address(&emulator.base_url()))
        .await
        .unwrap();
    drop(emulator);
    open.readable().await.unwrap();
    assert!(!matches!(open.try_read(&mut [0; 1]), Ok(1)));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_instance() {
    let start = |seed| Emulator::builder().seed(seed).start();
    let (one, two, other) = (
        start(5).await.unwrap(),
        start(5).await.unwrap(),
        start(6).await.unwrap(),
    );
    assert_eq!(one.machines(), two.machines());
    assert_eq!(one.credentials(), two.credentials());
    let job = |emulator: &Emulator| emulator.add_job(JobScript::new()).unwrap();
    assert_eq!(job(&one), job(&two));
    assert_ne!(one.machines(), other.machines());
    assert_ne!(one.credentials(), other.credentials());
    assert_ne!(one.credentials(), one.account_credentials());
}

#[tokio::test]
async fn a_public_host_stands_in_all_urls() {
    let emulator = Emulator::builder()
        .listen((Ipv4Addr::UNSPECIFIED, 0))
        .listen_assets((Ipv4Addr::UNSPECIFIED, 0))
        .public_host("localhost")
        .start()
        .await
        .unwrap();
    assert!(
        emulator
            .base_url()
            .to_string()
            .starts_with("http://localhost:")
    );
    let job = emulator.add_job(JobScript::new()).unwrap();
    let api = Api::new(&emulator);
    let url = api.resource(&job).await;
    assert!(url.starts_with("http://localhost:"));
    assert_eq!(api.http.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = Emulator::builder()
        .listen(address)
        .start()
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {address}"));
    let error = Emulator::builder()
        .public_host("a b")
        .start()
        .await
        .unwrap_err();
    assert!(matches!(error, EmulatorError::Host { .. }), "{error}");
    let rows = CsvArchive::MAX_ROWS + 1;
    let error = Emulator::builder().rows(rows).start().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "2798745601 rows are more than the 2798745600 that an archive can have"
    );
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let emulator = Emulator::start().await.unwrap();
    let text = format!("{emulator:?}");
    assert!(text.contains("http://127.0.0.1:"), "{text}");
    for secret in [emulator.credentials(), emulator.account_credentials()] {
        assert!(!text.contains(secret.expose_secret()) && !text.contains(secret.key()));
    }
    let builder = Emulator::builder().credentials(emulator.credentials());
    assert!(!format!("{builder:?}").contains(emulator.credentials().expose_secret()));
}
