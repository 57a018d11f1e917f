//! The metrics and the report of a run: the files that are written when it ends, however it ends.

use std::io;
use std::sync::Arc;

use tulip_archive::{Client, ExportErrorKind};
use tulip_core::Timestamp;
use tulip_core::sink::{Sink, SinkRegistry, SinkUrl};
use tulip_fleet::{ItemError, ItemReport, ItemSummary, RunEnd, RunSummary, Shard, Stopped};
use tulip_ledger::SqliteLedger;
use tulip_report::{HtmlReport, Metrics, MetricsHistory};

use super::{activity, current_run, target};
use crate::args::RunFiles;
use crate::failure::{Code, Failure, hint_of};
use crate::output::plain;
use crate::output_file::OutputFile;
use crate::progress::Progress;
use crate::shutdown::Shutdown;

/// The record of a run in progress.
pub(crate) struct RunRecord {
    metrics: Option<OutputFile>,
    report: Option<OutputFile>,
    /// The machines' activity.
    activity: activity::Activities,
    /// Earlier runs to the same target.
    earlier: Vec<RunSummary>,
    run: RunSummary,
}

impl RunRecord {
    /// Starts the record of a run that exports a part of `client`'s instance to a target.
    pub(crate) fn start(
        files: &RunFiles,
        client: &Client,
        to: &SinkUrl,
        shard: Option<Shard>,
    ) -> Result<Self, Failure> {
        let prepare = |path: &Option<_>| path.as_deref().map(OutputFile::prepare).transpose();
        let registry = SinkRegistry::linked().map_err(|error| Failure::usage(error.to_string()))?;
        let target = target::of_run(&registry, to);
        Ok(Self {
            metrics: prepare(&files.metrics_file)?,
            report: prepare(&files.report)?,
            activity: Vec::new(),
            earlier: Vec::new(),
            run: RunSummary::starting(client.instance().to_string(), target).in_shard(shard),
        })
    }

    /// Records how an export has ended.
    pub(crate) fn record(&mut self, ended: &ItemReport) {
        let mut item = ItemSummary::of(ended);
        if let Err(ItemError::Failed(error)) = &ended.result {
            item.advice = hint_of(error, None);
        }
        self.run.items.push(item);
    }

    /// The run, as recorded so far.
    pub(crate) fn run(&self) -> &RunSummary {
        &self.run
    }

    /// Continues `run`: its stored and unchanged exports become part of this record.
    pub(crate) fn continues(&mut self, run: &RunSummary) {
        self.run = run.clone();
        self.run.items.retain(|item| item.outcome.is_success());
    }

    /// Records that all exports have been reported, and why the run stopped early, if it did.
    pub(crate) fn ran(&mut self, stopped: Option<Stopped>) {
        // Reading archives back for the report is not part of the run.
        self.run.ended = Timestamp::now();
        let interrupted = ExportErrorKind::Interrupted.as_str();
        let mut kinds = self.run.items.iter().map(|item| item.error_kind.as_deref());
        self.run.end = match stopped {
            _ if kinds.any(|kind| kind == Some(interrupted)) => RunEnd::Interrupted,
            Some(_) => RunEnd::Stopped,
            None => RunEnd::Complete,
        };
        // The reason of the run, not that of an export.
        let of_run = |reason: String| match reason.strip_prefix("not started: ") {
            Some(reason) => reason.to_owned(),
            None => reason,
        };
        self.run.reason = stopped.map(|stopped| of_run(stopped.why.reason));
    }

    /// Reads earlier runs to the same target, if a report will compare with them.
    pub(crate) async fn compare(&mut self, ledger: &SqliteLedger) -> Result<(), Failure> {
        if self.report.is_some() {
            self.earlier = current_run::earlier(ledger, &self.run).await?;
        }
        Ok(())
    }

    /// Reads the machines' activity, if a report will show it. An interrupt ends this at once.
    pub(crate) async fn read_back(
        &mut self,
        sink: &Arc<dyn Sink>,
        progress: &Progress,
        shutdown: &Shutdown,
    ) {
        if self.report.is_none() {
            return;
        }
        self.activity = activity::unread(&self.run);
        let reading = activity::read(sink, &self.run, &mut self.activity);
        if shutdown.guard(reading).await.is_err() {
            let what = "interrupted: the report does not show what all machines did";
            progress.warn(what, None);
        }
    }

    /// Writes the files. Returns the result of the run, or a failure if the run succeeded but a
    /// file could not be written: nobody would notice otherwise.
    pub(crate) fn finish(
        &mut self,
        result: Result<(), Failure>,
        progress: &Progress,
        shutdown: &Shutdown,
    ) -> Result<(), Failure> {
        let is_planned = self.run.end != RunEnd::Open;
        if !is_planned {
            self.run.ended = Timestamp::now();
        }
        if let Err(failure) = &result {
            if shutdown.is_asked() {
                self.run.end = RunEnd::Interrupted;
            } else if !is_planned {
                self.run.end = RunEnd::Failed;
                self.run.reason = Some(plain(&failure.to_string()));
            }
        }
        let mut is_written = true;
        let metrics = self
            .metrics
            .as_ref()
            .map(|file| (file, self.write_metrics(file)));
        let report = self
            .report
            .as_ref()
            .map(|file| (file, self.write_report(file)));
        for (file, written) in metrics.into_iter().chain(report) {
            if let Err(error) = written {
                progress.error(&format!("cannot write {file}: {error}"), None);
                is_written = false;
            }
        }
        match result {
            Ok(()) if !is_written => Err(Failure::reported(Code::Other)),
            result => result,
        }
    }

    fn write_metrics(&self, file: &OutputFile) -> io::Result<()> {
        let history = MetricsHistory::read(&file.read()?);
        file.write(&Metrics::of(&self.run, &history).to_string())
    }

    fn write_report(&self, file: &OutputFile) -> io::Result<()> {
        let report = HtmlReport::new(&self.run)
            .earlier(&self.earlier)
            .activity(&self.activity, activity::DAYS);
        file.write(&report.to_string())
    }
}
