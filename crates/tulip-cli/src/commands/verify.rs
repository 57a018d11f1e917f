//! `tulip verify`

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tulip_archive::{Verification, VerificationStatus, Verifier};
use tulip_core::sink::{Listed, Sink, SinkError, SinkErrorKind, SinkRegistry};

use super::repair::Repairs;
use super::target;
use super::verification_line::VerificationLine;
use crate::args::VerifyArgs;
use crate::failure::{Code, Failure, chain};
use crate::output;
use crate::progress::Progress;
use crate::shutdown::Shutdown;

/// The results of a verification.
#[derive(Debug, Default)]
struct Found {
    intact: u64,
    mismatched: u64,
    missing: u64,
    without_receipt: u64,
    /// Objects that could not be checked.
    skipped: u64,
    /// The archives that failed verification.
    bad: Vec<Verification>,
}

pub(crate) async fn run(
    args: VerifyArgs,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let registry = SinkRegistry::linked().map_err(|error| Failure::usage(error.to_string()))?;
    let url = target::url(
        target::named(args.url.as_deref(), "on the command line")?,
        &args.sink,
    )?;
    if !args.repair {
        let network = target::network_of(&args.connection);
        let sink = target::connect(&registry, &url, &network).await?;
        let found = shutdown.guard(find(&sink, &args, progress)).await??;
        found.tell(&target::shown(&registry, &url), progress)?;
        return found
            .code()
            .map_or(Ok(()), |code| Err(Failure::reported(code)));
    }
    let repairs = Repairs::to(url.clone(), &args, progress).await?;
    let found = shutdown
        .guard(find(repairs.sink(), &args, progress))
        .await??;
    found.tell(&target::shown(&registry, &url), progress)?;
    if args.dry_run {
        shutdown.guard(repairs.preview(&found.bad)).await??;
        return found
            .code()
            .map_or(Ok(()), |code| Err(Failure::reported(code)));
    }
    let skipped = (found.skipped > 0).then_some(Code::Sink);
    let code = repairs.run(found.bad, shutdown).await?;
    code.or(skipped)
        .map_or(Ok(()), |code| Err(Failure::reported(code)))
}

/// Verifies everything that a sink holds, and reports each archive.
async fn find(
    sink: &Arc<dyn Sink>,
    args: &VerifyArgs,
    progress: &Progress,
) -> Result<Found, Failure> {
    let verifier = Verifier::new(sink.clone());
    let mut entries = sink.list().await.map_err(failed)?;
    let all = progress.open_ended();
    let mut running = FuturesUnordered::new();
    let mut found = Found::default();
    let mut more = true;
    while more || !running.is_empty() {
        while more && running.len() < args.concurrency.get() {
            match entries.next().await.map_err(failed)? {
                Some(Listed::Key(key)) => {
                    let (mut verifier, location) = (verifier.clone(), sink.location(&key));
                    // An archive is read when its receipt is listed, so only receipts get a row.
                    let archive = key.of_receipt();
                    let row = archive.map(|key| Arc::new(progress.export(key.as_str())));
                    if let Some(row) = row.clone() {
                        verifier = verifier.on_progress(move |read| row.show_read(read));
                    }
                    running.push(async move { (location, row, verifier.check(&key).await) });
                }
                Some(Listed::Skipped {
                    location, reason, ..
                }) => {
                    found.skipped += 1;
                    skip(&location, &reason, args.json, progress)?;
                }
                Some(_) => {}
                None => {
                    more = false;
                    all.complete();
                }
            }
        }
        let Some((location, row, checked)) = running.next().await else {
            continue;
        };
        if row.is_some() {
            let is_fine = |checked: &Verification| !checked.status.is_bad();
            all.one_more(
                !checked
                    .as_ref()
                    .is_ok_and(|found| found.as_ref().is_none_or(is_fine)),
            );
        }
        drop(row);
        match checked {
            Ok(Some(checked)) => {
                if args.json || !progress.is_quiet() || checked.status.is_bad() {
                    progress.beside(|| report(&checked, args.json))?;
                }
                found.add(checked);
            }
            Ok(None) => {}
            Err(error) if is_of_one_object(&error) => {
                found.skipped += 1;
                skip(&location, &error, args.json, progress)?;
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, checked: Verification) {
        *match &checked.status {
            VerificationStatus::Intact => &mut self.intact,
            VerificationStatus::NoReceipt => &mut self.without_receipt,
            VerificationStatus::Missing => &mut self.missing,
            _ => &mut self.mismatched,
        } += 1;
        if checked.status.is_bad() {
            self.bad.push(checked);
        }
    }

    /// Prints the counts.
    ///
    /// # Errors
    /// [`Failure`] if there is nothing at the target.
    fn tell(&self, target: &str, progress: &Progress) -> Result<(), Failure> {
        let Self {
            intact,
            mismatched,
            missing,
            without_receipt,
            skipped,
            ..
        } = self;
        if intact + mismatched + missing + without_receipt + skipped == 0 {
            let what = format!("nothing to verify in {target}");
            return Err(Failure::new(Code::Sink, what).with_hint("check the target"));
        }
        let skipped = match skipped {
            0 => String::new(),
            skipped => format!(", {skipped} skipped"),
        };
        progress.say(&format!(
            "{intact} OK, {mismatched} mismatched, {missing} missing, {without_receipt} without a \
             receipt{skipped}"
        ));
        Ok(())
    }

    /// The exit code; `None` if nothing is wrong.
    fn code(&self) -> Option<Code> {
        match (self.bad.len(), self.skipped) {
            (0, 0) => None,
            (0, _) => Some(Code::Sink),
            _ => Some(Code::Verify),
        }
    }
}

/// Whether an error is about one object only, not about the whole sink.
fn is_of_one_object(error: &SinkError) -> bool {
    let of_all = [SinkErrorKind::Unavailable, SinkErrorKind::Unsupported];
    !of_all.contains(&error.kind())
}

/// Reports an object that could not be checked: on stderr, or as a line of `--json`.
fn skip(
    location: &str,
    reason: &SinkError,
    json: bool,
    progress: &Progress,
) -> Result<(), Failure> {
    let reason = output::plain(&chain(reason));
    if !json {
        progress.warn(&format!("skipped: {reason}"), None);
        return Ok(());
    }
    let location = output::plain(location);
    let line = VerificationLine {
        detail: Some(reason),
        ..VerificationLine::new(&location, "skipped")
    };
    progress.beside(|| output::json(&line))
}

fn failed(error: SinkError) -> Failure {
    let code = match error.kind() {
        SinkErrorKind::Unsupported => Code::Usage,
        _ => Code::Sink,
    };
    Failure::new(code, chain(&error))
}

fn report(checked: &Verification, json: bool) -> Result<(), Failure> {
    let (status, detail) = match &checked.status {
        VerificationStatus::Intact => ("intact", None),
        VerificationStatus::Mismatched(how) => ("mismatch", Some(how.as_str())),
        VerificationStatus::Missing => ("missing", None),
        VerificationStatus::BadReceipt(why) => ("bad_receipt", Some(why.as_str())),
        VerificationStatus::NoReceipt => ("no_receipt", None),
        _ => ("other", None),
    };
    if json {
        return output::json(&VerificationLine {
            detail: detail.map(str::to_owned),
            receipt: checked.receipt.as_ref(),
            ..VerificationLine::new(&checked.location, status)
        });
    }
    let what = match &checked.status {
        VerificationStatus::Intact => "intact".to_owned(),
        VerificationStatus::Missing => "missing".to_owned(),
        VerificationStatus::Mismatched(how) => how.clone(),
        VerificationStatus::BadReceipt(why) => format!("invalid receipt: {why}"),
        VerificationStatus::NoReceipt => "no receipt".to_owned(),
        other => other.to_string(),
    };
    output::line(&output::plain(&format!("{}: {what}", checked.location)))
}
