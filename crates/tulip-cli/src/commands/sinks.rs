//! `tulip sinks`

use serde_json::json;
use tulip_core::sink::SinkRegistry;

use crate::args::SinksArgs;
use crate::failure::Failure;
use crate::output;

pub(crate) fn run(args: &SinksArgs) -> Result<(), Failure> {
    let registry = SinkRegistry::linked().map_err(|error| Failure::usage(error.to_string()))?;
    if args.json {
        return registry.factories().try_for_each(|sink| {
            output::json(&json!({
                "scheme": sink.scheme(),
                "summary": sink.summary(),
                "example": sink.example(),
            }))
        });
    }
    let row = |text: &str| text.to_owned();
    let rows: Vec<_> = registry
        .factories()
        .map(|sink| [row(sink.scheme()), row(sink.summary()), row(sink.example())])
        .collect();
    output::table(["SCHEME", "WRITES TO", "EXAMPLE"], &rows)
}
