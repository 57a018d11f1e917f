//! `tulip verify`

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tulip_archive::{Checked, Verdict, Verifier};
use tulip_core::Receipt;
use tulip_core::sink::{SinkError, SinkErrorKind, SinkRegistry};

use super::target;
use crate::args::VerifyArgs;
use crate::failure::{Code, Failure, chain};
use crate::output;
use crate::progress::Progress;
use crate::shutdown::Shutdown;

/// How many archives there were of each kind.
#[derive(Debug, Default)]
struct Counts {
    intact: u64,
    mismatched: u64,
    missing: u64,
    without_receipt: u64,
}

pub(crate) async fn run(
    args: VerifyArgs,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let registry = SinkRegistry::linked().map_err(|error| Failure::usage(error.to_string()))?;
    let url = target::url(&args.url, &args.sink)?;
    let sink = target::connect(&registry, &url, args.ca_file.clone()).await?;
    let verifier = Verifier::new(sink.clone());
    let work = async {
        let mut keys = sink.list().await.map_err(failed)?;
        let mut running = FuturesUnordered::new();
        let mut counts = Counts::default();
        let mut more = true;
        while more || !running.is_empty() {
            while more && running.len() < args.concurrency.get() {
                match keys.next().await.map_err(failed)? {
                    Some(key) => {
                        let verifier = verifier.clone();
                        running.push(async move { verifier.check(&key).await });
                    }
                    None => more = false,
                }
            }
            let Some(checked) = running.next().await else {
                continue;
            };
            if let Some(checked) = checked.map_err(failed)? {
                counts.add(&checked.verdict);
                progress.beside(|| report(&checked, args.json))?;
            }
        }
        Ok::<_, Failure>(counts)
    };
    let counts = shutdown.guard(work).await??;
    let Counts {
        intact,
        mismatched,
        missing,
        without_receipt,
    } = counts;
    if intact + mismatched + missing + without_receipt == 0 {
        let what = format!("nothing to verify in {url}");
        return Err(Failure::new(Code::Sink, what).with_hint("check the target"));
    }
    progress.say(&format!(
        "{intact} OK, {mismatched} mismatched, {missing} missing, {without_receipt} without a receipt"
    ));
    match mismatched + missing {
        0 => Ok(()),
        _ => Err(Failure::reported(Code::Verify)),
    }
}

impl Counts {
    fn add(&mut self, verdict: &Verdict) {
        *match verdict {
            Verdict::Intact => &mut self.intact,
            Verdict::NoReceipt => &mut self.without_receipt,
            Verdict::Missing => &mut self.missing,
            _ => &mut self.mismatched,
        } += 1;
    }
}

fn failed(error: SinkError) -> Failure {
    let code = match error.kind() {
        SinkErrorKind::Unsupported => Code::Usage,
        _ => Code::Sink,
    };
    Failure::new(code, chain(&error))
}

/// One archive, as `--json` prints it.
#[derive(Serialize)]
struct Report<'a> {
    location: &'a str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<&'a Receipt>,
}

fn report(checked: &Checked, json: bool) -> Result<(), Failure> {
    let (verdict, detail) = match &checked.verdict {
        Verdict::Intact => ("intact", None),
        Verdict::Differs(how) => ("differs", Some(how.as_str())),
        Verdict::Missing => ("missing", None),
        Verdict::BadReceipt(why) => ("bad_receipt", Some(why.as_str())),
        Verdict::NoReceipt => ("no_receipt", None),
        _ => ("other", None),
    };
    if json {
        return output::json(&Report {
            location: &checked.location,
            verdict,
            detail,
            receipt: checked.receipt.as_ref(),
        });
    }
    let what = match &checked.verdict {
        Verdict::Intact => "intact".to_owned(),
        Verdict::Missing => "missing".to_owned(),
        Verdict::Differs(how) => format!("mismatch: {how}"),
        Verdict::BadReceipt(why) => format!("unusable receipt: {why}"),
        Verdict::NoReceipt => "no receipt".to_owned(),
        other => other.to_string(),
    };
    output::line(&output::plain(&format!("{}: {what}", checked.location)))
}
