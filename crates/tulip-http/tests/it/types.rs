use static_assertions::assert_impl_all;
use tulip_http::{Client, Download, Error, StartAttempts};

assert_impl_all!(Client: Send, Sync, Clone, std::fmt::Debug);
assert_impl_all!(Download: Send, Sync);
assert_impl_all!(StartAttempts: Send, Sync, std::fmt::Debug);
assert_impl_all!(Error: Send, Sync, std::error::Error);

fn is_send<T: Send>(_: &T) {}

#[test]
fn futures_of_the_client_can_move_between_threads() {
    let client = crate::server::client("http://127.0.0.1:9");
    let (job, machine) = ("j".parse().unwrap(), "m".parse().unwrap());
    is_send(&client.archive_status(&job));
    is_send(&client.start_archive(&machine));
    is_send(&client.machines());
    let mut attempts = client.start_attempts(&machine);
    is_send(&attempts.ready());
    is_send(&attempts.send());
}

#[test]
fn a_client_is_shown_without_its_secret() {
    let shown = format!("{:?}", crate::server::client("http://127.0.0.1:9"));
    assert!(shown.contains("apikey.2_a"), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
}
