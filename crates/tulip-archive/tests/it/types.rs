use static_assertions::assert_impl_all;
use tulip_archive::poll::{PollError, PollPolicy, Poller};
use tulip_archive::{
    Export, ExportError, Exporter, ExporterBuilder, IncompleteExport, Inspector, MemoryStateStore,
    Outcome, Source, Verifier,
};
use tulip_emulator::JobScript;

use crate::support::Bench;

assert_impl_all!(Exporter: Send, Sync, Clone, std::fmt::Debug);
assert_impl_all!(Export: Send, std::fmt::Debug);
assert_impl_all!(<Export as IntoFuture>::IntoFuture: Send);
assert_impl_all!(ExportError: Send, Sync, std::error::Error);
assert_impl_all!(PollError: Send, Sync, std::error::Error);
assert_impl_all!(Poller: Send, Sync);
assert_impl_all!(PollPolicy: Send, Sync, Copy);
assert_impl_all!(Inspector: Send, Sync, Clone);
assert_impl_all!(Outcome: Send, Sync, Clone);
assert_impl_all!(ExporterBuilder: Send, std::fmt::Debug);
assert_impl_all!(MemoryStateStore: Send, Sync, Clone, std::fmt::Debug);
assert_impl_all!(IncompleteExport: Send, Sync, Clone, std::fmt::Debug);
assert_impl_all!(Verifier: Send, Sync, Clone, std::fmt::Debug);

#[tokio::test]
async fn no_debug_shows_a_secret_or_a_signature() {
    let bench = Bench::start().await;
    let credentials = bench.emulator.credentials();
    let header = credentials.basic_header();
    let secrets = [
        credentials.expose_secret(),
        header.trim_start_matches("Basic "),
        "Signature",
        "0ption-5ecret",
    ];
    let folder = bench.folder.path().to_str().unwrap();
    let target = format!("file://{folder}?memory=0ption-5ecret");
    let mut shown = vec![
        format!("{:?}", bench.settings()),
        format!("{:?}", bench.client()),
        format!("{:?}", bench.exporter().sink_option("key", "0ption-5ecret")),
        format!("{:?}", bench.exporter().to(target)),
        format!("{:?}", bench.exporter().to("ftp:/0ption-5ecret")),
    ];
    let exporter = bench.exporter().build().await.unwrap();
    let job = bench.job(JobScript::new());
    let source = Source::job(job.clone());
    shown.push(format!("{exporter:?}"));
    shown.push(format!("{:?}", exporter.export(source.clone())));
    let outcome = exporter.export(source).await.unwrap();
    shown.push(format!("{outcome:?}"));
    let complete = Poller::new(&bench.client(), job.clone(), PollPolicy::default());
    shown.push(format!("{complete:?}"));
    let complete = complete.until_complete().await.unwrap();
    shown.push(format!("{complete:?}"));
    let download = bench.client().download(&job, complete.resource).await;
    shown.push(format!("{:?}", download.unwrap()));
    let refused = bench.job(JobScript::new().url_lifetime(std::time::Duration::ZERO));
    let error = exporter.export(Source::job(refused)).await.unwrap_err();
    shown.push(format!("{error:?} {error}"));
    for text in shown {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
