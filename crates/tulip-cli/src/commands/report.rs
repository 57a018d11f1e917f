//! `tulip report`

use tulip_archive::parse_target;
use tulip_core::sink::{SinkRegistry, SinkUrl};
use tulip_fleet::RunSummary;
use tulip_report::HtmlReport;

use super::runs::find;
use super::{activity, current_run, target};
use crate::args::ReportArgs;
use crate::failure::Failure;
use crate::output_file::OutputFile;
use crate::shutdown::Shutdown;
use crate::state;

pub(crate) async fn run(args: ReportArgs, shutdown: &Shutdown) -> Result<(), Failure> {
    let file = OutputFile::prepare(&args.html)?;
    let Some(ledger) = state::existing(&args.state)? else {
        return Err(Failure::usage("no run is remembered"));
    };
    let overview = find::overview(&ledger, &args.run, |_| true).await?;
    let mut run = find::run(&ledger, &overview.run.id, |_| true).await?;
    if overview.is_claimed {
        // What is under way has not failed.
        run.items.retain(|item| !item.is_open);
    }
    let earlier = current_run::earlier(&ledger, &run).await?;
    let activity = match archives_at(&args, &run)? {
        Some(url) => {
            let registry =
                SinkRegistry::linked().map_err(|error| Failure::usage(error.to_string()))?;
            let network = target::network(args.ca_file.clone());
            let sink = target::connect(&registry, &url, &network);
            let sink = shutdown.guard(sink).await??;
            let mut activity = activity::unread(&run);
            shutdown
                .guard(activity::read(&sink, &run, &mut activity))
                .await?;
            activity
        }
        None => Vec::new(),
    };
    let report = HtmlReport::new(&run)
        .earlier(&earlier)
        .activity(&activity, activity::DAYS);
    file.write(&report.to_string())
        .map_err(|error| Failure::other(format!("cannot write {file}: {error}")))
}

/// Where the archives of a run can be read: at the named target, or at the run's own target if that
/// is a folder.
fn archives_at(args: &ReportArgs, run: &RunSummary) -> Result<Option<SinkUrl>, Failure> {
    if let Some(to) = &args.to {
        return target::url(to, &args.sink).map(Some);
    }
    let url = parse_target(&run.target).ok();
    Ok(url.filter(|url| url.to_file_path().is_some()))
}
