//! The check of the target.

use tulip_core::sink::{SinkRegistry, SinkUrl, WriteMode};

use super::check::Check;
use super::findings::Findings;
use super::folders::MissingFolders;
use crate::args::DoctorArgs;
use crate::commands::{sinks, target};
use crate::failure::{Code, Failure, chain};
use crate::shutdown::Shutdown;

/// Tries to write to the target, as `tulip sinks check` does. Leaves nothing there.
pub(super) async fn check(
    args: &DoctorArgs,
    findings: &mut Findings,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let Some(to) = &args.to else {
        let advice = "name it with --to, or with `to` in a config file";
        findings.skip(Check::Target, "not checked: none is named", Some(advice));
        return Ok(());
    };
    let url = match target::url(to, &args.sink) {
        Ok(url) => url,
        Err(failure) => {
            findings.fail(Check::Target, &failure);
            return Ok(());
        }
    };
    // Stores are reached with the same CA file and proxy as the instance.
    let ways = [Check::CaFile, Check::Proxy];
    let cause = ways.into_iter().find(|check| findings.has_failed(*check));
    if let Some(cause) = cause.filter(|_| url.scheme() != "file") {
        findings.skip_because(Check::Target, cause);
        return Ok(());
    }
    let missing = url.to_file_path();
    let missing = missing.as_deref().map(MissingFolders::of);
    let checked = try_out(&url, args, findings);
    let checked = shutdown.finish(checked).await?;
    drop(missing);
    if let Err(failure) = checked {
        findings.fail(Check::Target, &failure);
    }
    Ok(())
}

async fn try_out(url: &SinkUrl, args: &DoctorArgs, findings: &mut Findings) -> Result<(), Failure> {
    let registry = SinkRegistry::linked().map_err(|error| Failure::usage(error.to_string()))?;
    let network = target::network_of(&args.connection);
    let sink = target::connect(&registry, url, &network).await?;
    let probe = sink.check(WriteMode::Create).await;
    let probe = probe.map_err(|error| Failure::new(Code::Sink, chain(&error)))?;
    let shown = registry.shown(url);
    let can = probe.capabilities;
    let found = format!("{shown}: {}", sinks::describe(probe));
    match () {
        () if !probe.checked => {
            let advice = "this sink cannot be checked: try one export";
            findings.warn(Check::Target, found, advice);
        }
        () if can.lookup && !can.atomic_create => {
            let advice = "--if-exists skip and fail look before they write: of two exports at the \
                          same time the later one replaces the object";
            findings.warn(Check::Target, found, advice);
        }
        () => findings.ok(Check::Target, found),
    }
    Ok(())
}
