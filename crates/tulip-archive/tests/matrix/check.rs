//! What must hold of a cell that has run, whatever it met.

use std::error::Error as StdError;

use tulip_archive::{ChecksumAlgorithm, Digester, Receipt};
use tulip_emulator::Endpoint;

use crate::archive::COLUMNS;
use crate::cell::{KEY, Ran, Stored};
use crate::plan::Expected;

/// What came of a cell.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// What it did not keep to.
    pub(crate) wrong: Vec<String>,
    /// What lies there is neither the archive nor what was there before.
    pub(crate) lost: bool,
    pub(crate) mark: char,
}

impl Verdict {
    pub(crate) fn wrong(what: String) -> Self {
        Self {
            wrong: vec![what],
            lost: false,
            mark: '!',
        }
    }

    fn unless(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }
}

/// All that must hold.
pub(crate) fn all(ran: &Ran) -> Verdict {
    let mut verdict = Verdict::default();
    outcome(ran, &mut verdict);
    objects(ran, &mut verdict);
    requests(ran, &mut verdict);
    secrets(ran, &mut verdict);
    verdict.unless(ran.took >= ran.plan.lasts, || {
        format!("it took {:?}, and was told to wait", ran.took)
    });
    let fails = ran.plan.weakness.is_some() || ran.has_rule;
    verdict.unless(!fails || ran.shown > 0, || {
        "the sink was to fail and did not".to_owned()
    });
    verdict.mark = match ran.plan.expected {
        _ if !verdict.wrong.is_empty() => '!',
        _ if ran.plan.leaves_an_upload => 'u',
        Expected::Exported => 'x',
        Expected::Failed(..) => '-',
        Expected::StoredAndFailed(..) => 's',
    };
    verdict
}

/// Success or failure, and of which kind.
fn outcome(ran: &Ran, verdict: &mut Verdict) {
    let found = match &ran.result {
        Ok(_) => None,
        Err(error) => Some((error.kind(), error.is_retryable())),
    };
    let expected = match ran.plan.expected {
        Expected::Exported => None,
        Expected::Failed(kind, retryable) | Expected::StoredAndFailed(kind, retryable) => {
            Some((kind, retryable))
        }
    };
    verdict.unless(found == expected, || {
        let said = match &ran.result {
            Ok(_) => "exported".to_owned(),
            Err(error) => chain(error).join(": "),
        };
        format!("{expected:?} was expected, {found:?} came: {said}")
    });
    let exported = ran
        .told
        .iter()
        .filter(|event| event.starts_with("Exported"));
    let exported = exported.count();
    verdict.unless(exported == usize::from(ran.result.is_ok()), || {
        format!("told to be exported {exported} times")
    });
    if let Ok(outcome) = &ran.result {
        verdict.unless(outcome.receipt().is_some(), || "it was skipped".to_owned());
    }
}

/// What was there before, or the whole archive; and nothing else.
fn objects(ran: &Ran, verdict: &mut Verdict) {
    let stored = Stored::read(&ran.storage);
    let (kept, whole) = (
        stored.object == ran.previous.object,
        stored.object == ran.plan.archive.bytes,
    );
    verdict.lost = !kept && !whole;
    verdict.unless(kept || whole, || {
        let bytes = stored.object.len();
        format!("the object is neither the old one nor the new one: it has {bytes} bytes")
    });
    let receipt_kept = stored.receipt == ran.previous.receipt;
    match ran.plan.expected {
        Expected::Exported => {
            verdict.unless(whole, || "the archive is not there".to_owned());
            if let Err(what) = receipt(ran, &stored.receipt) {
                verdict.wrong.push(format!("the receipt: {what}"));
            }
        }
        Expected::Failed(..) => {
            verdict.unless(kept && receipt_kept, || {
                "what was there before was touched".to_owned()
            });
        }
        Expected::StoredAndFailed(..) => {
            verdict.unless(whole && receipt_kept, || {
                "the archive was to be there, beside the old receipt".to_owned()
            });
        }
    }
    let keys = ran.storage.keys();
    let beside = format!("_{KEY}.receipt.json");
    verdict.unless(keys == [beside.as_str(), KEY], || {
        format!("there is {keys:?}")
    });
    let unfinished = ran.storage.unfinished();
    verdict.unless(unfinished.is_empty() != ran.plan.leaves_an_upload, || {
        format!("unfinished uploads: {unfinished:?}")
    });
}

/// The receipt says what the object is, and is the one that the export gave back.
fn receipt(ran: &Ran, json: &[u8]) -> Result<(), String> {
    let receipt = Receipt::from_json(json).map_err(|error| error.to_string())?;
    let archive = &ran.plan.archive;
    let mut digester = Digester::new(ChecksumAlgorithm::Crc64Nvme);
    digester.update(&archive.bytes);
    let job = ran.emulator.jobs().pop().map(|job| job.id);
    let fits = receipt.bytes == archive.len()
        && receipt.records == archive.records
        && receipt.columns == COLUMNS
        && receipt.checksum == digester.finish().unwrap()
        && Some(&receipt.job) == job.as_ref()
        && receipt.object.key.as_str() == KEY;
    if !fits {
        return Err(format!("it does not fit: {receipt:?}"));
    }
    let given = ran.result.as_ref().ok().and_then(|done| done.receipt());
    match given == Some(&receipt) {
        true => Ok(()),
        false => Err(format!("the export gave {given:?}")),
    }
}

/// Jobs are started once, credentials go to Tulip alone, and there is an end.
fn requests(ran: &Ran, verdict: &mut Verdict) {
    let after = ran.emulator.requests();
    let starts = after.starts(&ran.machine);
    verdict.unless(starts == ran.plan.starts, || {
        format!("{starts} jobs were started")
    });
    let (api, asset) = (&after.api, &after.asset);
    let stranger = asset.iter().find(|request| {
        request.authorization
            || request.cookie
            || request.referer.is_some()
            || request.method != "GET"
    });
    verdict.unless(stranger.is_none(), || {
        format!("the asset host was asked so: {stranger:?}")
    });
    verdict.unless(api.iter().all(|request| request.authorization), || {
        "Tulip was asked without credentials".to_owned()
    });
    let asked = after.count(Endpoint::Asset);
    verdict.unless(ran.plan.asked.contains(&asked), || {
        format!("the asset host was asked {asked} times")
    });
    let all = api.len() + asset.len();
    verdict.unless(all <= ran.plan.requests, || {
        format!("there were {all} requests")
    });
}

/// Nothing that is said holds a secret.
fn secrets(ran: &Ran, verdict: &mut Verdict) {
    let mut said = ran.told.clone();
    match &ran.result {
        Ok(outcome) => said.push(format!("{outcome:?} {outcome:#?}")),
        Err(error) => {
            said.extend(chain(error));
            said.extend(causes(error).map(|cause| format!("{cause:?}")));
            said.push(format!("{error:#?}"));
        }
    }
    said.push(String::from_utf8(Stored::read(&ran.storage).receipt).unwrap_or_default());
    let credentials = ran.emulator.credentials();
    let header = credentials.basic_header();
    let token = header.strip_prefix("Basic ").unwrap_or(&header);
    let words = [
        credentials.expose_secret(),
        token,
        tulip_test_s3::SECRET,
        "Signature=",
        "X-Amz-",
        "p4ss",
    ];
    for text in said {
        for word in words {
            verdict.unless(!text.contains(word), || {
                format!("{word:?} is shown: {text}")
            });
        }
        verdict.unless(!holds_signature(&text), || {
            format!("a signature is shown: {text}")
        });
    }
}

/// Signatures are 64 hexadecimal digits in a row; no tag or checksum here is that long.
fn holds_signature(text: &str) -> bool {
    let mut run = 0;
    text.bytes().any(|byte| {
        run = match byte.is_ascii_hexdigit() {
            true => run + 1,
            false => 0,
        };
        run >= 64
    })
}

/// An error and all its causes, in their words.
fn chain(error: &(dyn StdError + 'static)) -> Vec<String> {
    causes(error).map(ToString::to_string).collect()
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let current = next?;
        next = current.source();
        Some(current)
    })
}
