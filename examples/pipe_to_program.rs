//! A binary that links a third-party sink: every archive of the built-in emulator goes to the
//! standard input of a program.
//!
//! `cargo run -p tulip-examples --example pipe_to_program -- /usr/bin/wc -l`
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use tulip_archive::{Client, Exporter, Settings, Source};
use tulip_emulator::Emulator;
// Nothing in it is called by name. This line links it, which registers `pipe://`.
use tulip_sink_pipe as _;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let program = args.next().unwrap_or_else(|| "/usr/bin/wc".to_owned());
    let emulator = Emulator::start().await?;
    let settings = Settings::new(emulator.base_url(), emulator.credentials());
    let exporter = Exporter::builder(Client::builder(settings).build()?)
        .to(format!("pipe://{program}"))
        .sink_option("args", args.collect::<Vec<_>>().join(" "))
        .build()
        .await?;
    for machine in emulator.machine_ids() {
        let outcome = exporter.export(Source::machine(machine)).await?;
        println!("{}", outcome.location());
    }
    Ok(())
}
