//! `tulip verify --repair`

mod not_repaired;
mod preview;

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use tulip_archive::poll::PollPolicy;
use tulip_archive::{
    ExportErrorKind, Exporter, Outcome, Repair, Source, Verification, VerificationStatus, Verifier,
};
use tulip_core::sink::{Sink, SinkUrl};
use tulip_core::{Receipt, format_byte_size};
use tulip_fleet::{CircuitBreaker, ItemReport, StopPolicy as _};
use tulip_http::Client;

use self::not_repaired::NotRepaired;
use super::fleet::overall_code;
use super::verification_line::VerificationLine;
use crate::args::VerifyArgs;
use crate::failure::{Code, Failure, chain, code_of};
use crate::output::{self, plain};
use crate::progress::Progress;
use crate::shutdown::Shutdown;
use crate::{connect, state, values};

/// Re-exports archives that `tulip verify` has found damaged or missing.
pub(super) struct Repairs<'a> {
    client: Client,
    exporter: Exporter,
    verifier: Verifier,
    args: &'a VerifyArgs,
    progress: &'a Progress,
}

impl<'a> Repairs<'a> {
    /// Prepares repairs of the archives at `url`. A dry run does not open the state.
    pub(super) async fn to(
        url: SinkUrl,
        args: &'a VerifyArgs,
        progress: &'a Progress,
    ) -> Result<Self, Failure> {
        let client = connect::downloading_client(&args.connection, &args.downloads)?;
        let mut builder = Exporter::builder(client.clone())
            .to_url(url)
            .poll(PollPolicy::default().time_limit(values::no_limit_if_zero(args.timeout)));
        if !args.dry_run
            && let Some(store) = state::store(&args.state, progress)?
        {
            builder = builder.state(Arc::new(store));
        }
        let exporter = builder.build().await?;
        Ok(Self {
            verifier: Verifier::new(exporter.sink().clone()),
            client,
            exporter,
            args,
            progress,
        })
    }

    /// The sink that is verified and repaired.
    pub(super) fn sink(&self) -> &Arc<dyn Sink> {
        self.exporter.sink()
    }

    /// Repairs these archives. Returns the exit code if some could not be repaired.
    pub(super) async fn run(
        &self,
        bad: Vec<Verification>,
        shutdown: &Shutdown,
    ) -> Result<Option<Code>, Failure> {
        if bad.is_empty() {
            return Ok(None);
        }
        // If the target cannot be written, fail before Tulip is asked for anything.
        shutdown.finish(self.exporter.probe()).await??;
        let all = self.progress.all(bad.len());
        let mut breaker = Some(CircuitBreaker::default());
        let mut codes = Vec::with_capacity(bad.len());
        let mut waiting = bad.into_iter();
        let mut running = stream::FuturesUnordered::new();
        loop {
            while running.len() < self.args.concurrency.get() && !shutdown.is_asked() {
                let Some(found) = waiting.next() else { break };
                match breaker.as_ref().and_then(CircuitBreaker::stop) {
                    Some(why) => {
                        let why = NotRepaired::new(code_of(why.kind), why.reason);
                        codes.push(Some(why.code));
                        self.tell(&found, Err(&why))?;
                    }
                    None => running.push(async {
                        let repaired = self.repair(&found, shutdown).await;
                        (found, repaired)
                    }),
                }
            }
            let Some((found, repaired)) = running.next().await else {
                break;
            };
            all.one_more(repaired.is_err());
            codes.push(repaired.as_ref().err().map(|why| why.code));
            self.tell(&found, repaired.as_deref())?;
            match (repaired, &mut breaker) {
                (
                    Err(NotRepaired {
                        export: Some((source, error)),
                        ..
                    }),
                    Some(breaker),
                ) => {
                    breaker.record(&ItemReport::failed(source, error));
                }
                // One success shows that the others are worth trying.
                (Ok(_), breaker) => *breaker = None,
                _ => {}
            }
        }
        drop(all);
        if shutdown.is_asked() {
            return Err(Failure::interrupted());
        }
        let repaired = codes.iter().filter(|code| code.is_none()).count();
        let failed = codes.len() - repaired;
        self.progress
            .say(&format!("{repaired} repaired, {failed} not repaired"));
        Ok(overall_code(&codes))
    }

    /// Exports an archive again, and verifies it.
    async fn repair(
        &self,
        found: &Verification,
        shutdown: &Shutdown,
    ) -> Result<Box<Receipt>, NotRepaired> {
        let repair = Repair::of(found).ok_or_else(NotRepaired::unknown)?;
        let exporter = repair.exporter(&self.exporter);
        let bar = self.progress.export(&found.location);
        let bar = Arc::new(bar);
        let export = async |source: Source| -> Result<Outcome, NotRepaired> {
            let bar = bar.clone();
            let export = exporter.export(source.clone());
            let export = export.on_event(move |event| bar.show(&event));
            let ended = export.until(shutdown.wait()).await;
            ended.map_err(|error| NotRepaired::by(source, error))
        };
        let ended = match export(repair.same_job()).await {
            Err(why) if why.is_gone() => match repair.new_archive() {
                Some(machine) => {
                    self.progress.say(&format!(
                        "{}: {}; starting a new archive of {machine}",
                        plain(&found.location),
                        plain(&why.what)
                    ));
                    export(machine).await
                }
                None => Err(NotRepaired {
                    what: format!("{}; its receipt names no machine", why.what),
                    ..why
                }),
            },
            ended => ended,
        };
        ended?;
        let checked = self.verifier.archive(repair.key().clone()).await;
        let checked = checked.map_err(|error| {
            let what = format!("exported again, but cannot be verified: {}", chain(&error));
            NotRepaired::new(Code::Sink, what)
        })?;
        match (checked.status, checked.receipt) {
            (VerificationStatus::Intact, Some(receipt)) => Ok(Box::new(receipt)),
            (status, _) => {
                let what = format!("exported again, but verified as: {status}");
                Err(NotRepaired::new(Code::Verify, what))
            }
        }
    }

    fn tell(
        &self,
        found: &Verification,
        repaired: Result<&Receipt, &NotRepaired>,
    ) -> Result<(), Failure> {
        let (progress, location) = (self.progress, plain(&found.location));
        if self.args.json {
            let line = match repaired {
                Ok(receipt) => VerificationLine {
                    receipt: Some(receipt),
                    ..VerificationLine::new(&location, "repaired")
                },
                Err(why) => VerificationLine {
                    detail: Some(plain(&why.what)),
                    error_kind: why.kind.map(ExportErrorKind::as_str),
                    retryable: Some(why.is_retryable()),
                    ..VerificationLine::new(&location, "not_repaired")
                },
            };
            return progress.beside(|| output::json(&line));
        }
        match repaired {
            Ok(receipt) if !progress.is_quiet() => progress.beside(|| {
                output::line(&format!(
                    "repaired {location} ({} records, {}, {})",
                    receipt.records,
                    format_byte_size(receipt.bytes),
                    receipt.checksum
                ))
            }),
            Ok(_) => Ok(()),
            Err(why) => {
                let what = format!("{location}: not repaired: {}", why.what);
                progress.error(&what, why.hint.as_deref());
                Ok(())
            }
        }
    }

    /// Prints how these archives would be repaired.
    pub(super) async fn preview(&self, bad: &[Verification]) -> Result<(), Failure> {
        preview::preview(&self.client, bad, self.args, self.progress).await
    }
}
