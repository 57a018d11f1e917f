//! A service that exports one job's archive and keeps the receipt.
//!
//! Run it against your instance, or against `tulip emulate`, which prints the environment to set:
//! `cargo run -p tulip-examples --example embed -- JOB ./archives`
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use tulip_archive::{Client, Exporter, Source};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (job, target) = args
        .next()
        .zip(args.next())
        .ok_or("usage: embed JOB TARGET")?;
    let client = Client::from_env()?; // TULIP_BASE_URL, TULIP_API_KEY, TULIP_API_SECRET
    let exporter = Exporter::builder(client).to(target).build().await?;
    let outcome = exporter.export(Source::job(job.parse()?)).await?;
    println!("{} {:?}", outcome.location(), outcome.receipt());
    Ok(())
}
