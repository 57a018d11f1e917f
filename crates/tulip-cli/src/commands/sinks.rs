//! `tulip sinks`

use serde_json::json;
use tulip_core::sink::{
    Capabilities, Probe, SinkError, SinkFactory, SinkOption, SinkRegistry, WriteMode,
};

use super::target;
use crate::args::{CheckArgs, SinksArgs, SinksCommand};
use crate::failure::{Code, Failure, chain};
use crate::output;
use crate::shutdown::Shutdown;

pub(crate) async fn run(args: SinksArgs, shutdown: &Shutdown) -> Result<(), Failure> {
    let registry = SinkRegistry::linked().map_err(|error| Failure::usage(error.to_string()))?;
    match args.command {
        Some(SinksCommand::Check(args)) => check(&registry, args, shutdown).await,
        None if args.json => registry
            .factories()
            .try_for_each(|sink| output::json(&described(sink))),
        None => list(&registry),
    }
}

fn described(sink: &dyn SinkFactory) -> serde_json::Value {
    let options: Vec<_> = sink
        .options()
        .iter()
        .map(|option| json!({ "name": option.name, "summary": option.summary }))
        .collect();
    json!({
        "scheme": sink.scheme(),
        "summary": sink.summary(),
        "example": sink.example(),
        "feature": SinkRegistry::feature(sink.scheme()),
        "capabilities": capabilities(sink.capabilities()),
        "options": options,
    })
}

fn capabilities(can: Capabilities) -> serde_json::Value {
    json!({
        "lookup": can.lookup,
        "atomic_create": can.atomic_create,
        "read": can.read,
        "resume": can.resume,
    })
}

fn list(registry: &SinkRegistry) -> Result<(), Failure> {
    let row = |text: &str| text.to_owned();
    let rows: Vec<_> = registry
        .factories()
        .map(|sink| [row(sink.scheme()), row(sink.summary()), row(sink.example())])
        .collect();
    output::table(["SCHEME", "WRITES TO", "EXAMPLE"], &rows)?;
    output::line("")?;
    let rows: Vec<_> = registry
        .factories()
        .map(|sink| {
            [
                row(sink.scheme()),
                row(SinkRegistry::feature(sink.scheme()).unwrap_or("-")),
                words(sink.capabilities()),
            ]
        })
        .collect();
    output::table(["SCHEME", "FEATURE", "CAPABILITIES"], &rows)?;
    for (schemes, options) in options(registry) {
        output::line("")?;
        output::line(&format!("Options of {}:", schemes.join(" and ")))?;
        let rows: Vec<_> = options
            .iter()
            .map(|option| [format!("  {}", option.name), row(option.summary)])
            .collect();
        output::definitions(&rows)?;
    }
    Ok(())
}

/// The options of all sinks: each list once, with the schemes that share it.
fn options(registry: &SinkRegistry) -> Vec<(Vec<&str>, &[SinkOption])> {
    let mut lists: Vec<(Vec<&str>, &[SinkOption])> = Vec::new();
    for sink in registry.factories() {
        match lists.iter_mut().find(|(_, known)| *known == sink.options()) {
            Some((schemes, _)) => schemes.push(sink.scheme()),
            None => lists.push((vec![sink.scheme()], sink.options())),
        }
    }
    lists.retain(|(_, options)| !options.is_empty());
    lists
}

fn words(can: Capabilities) -> String {
    let words = [
        (can.lookup, "lookup"),
        (can.atomic_create, "conditional create"),
        (can.read, "read"),
        (can.resume, "resume"),
    ];
    let words: Vec<_> = words
        .iter()
        .filter(|(can, _)| *can)
        .map(|(_, word)| *word)
        .collect();
    match words.as_slice() {
        [] => "write".to_owned(),
        words => words.join(", "),
    }
}

pub(super) fn describe(probe: Probe) -> String {
    let found = match probe.checked {
        true => "OK, writable",
        false => "not checked: this sink has no check",
    };
    format!("{found}; supports {}", words(probe.capabilities))
}

async fn check(
    registry: &SinkRegistry,
    args: CheckArgs,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let url = target::url(
        target::named(args.url.as_deref(), "on the command line")?,
        &args.sink,
    )?;
    let sink = target::connect(registry, &url, &target::network(args.ca_file)).await?;
    let failed = |error: SinkError| Failure::new(Code::Sink, chain(&error));
    let checked = shutdown.finish(sink.check(WriteMode::Create)).await?;
    let probe = checked.map_err(failed)?;
    let can = probe.capabilities;
    if args.json {
        return output::json(&json!({
            "target": registry.shown(&url),
            "scheme": sink.scheme(),
            "checked": probe.checked,
            // Unknown if the sink cannot be checked.
            "writable": probe.checked.then_some(true),
            "capabilities": capabilities(can),
        }));
    }
    let url = output::plain(&target::shown(registry, &url));
    output::line(&format!("{url}: {}", describe(probe)))?;
    if can.lookup && !can.atomic_create {
        output::line(
            "--if-exists skip and fail look before they write: of two exports at the same time \
             the later one replaces the object",
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sink_that_was_checked_is_said_to_be_writable() {
        let can = Capabilities::NONE.with_lookup();
        assert_eq!(
            describe(Probe::checked(can)),
            "OK, writable; supports lookup"
        );
        assert_eq!(
            describe(Probe::unchecked(Capabilities::NONE)),
            "not checked: this sink has no check; supports write"
        );
    }
}
