//! The checks of a cell that has run, whatever its fault.

use std::error::Error as StdError;
use std::time::Duration;

use tulip_archive::{ChecksumAlgorithm, FramingRules, Inspector, Receipt};
use tulip_emulator::Endpoint;

use crate::archive::COLUMNS;
use crate::cell::{KEY, Ran, Stored};
use crate::plan::Expected;

/// The result of a cell.
#[derive(Debug, Default)]
pub(crate) struct CaseResult {
    /// The checks that failed.
    pub(crate) wrong: Vec<String>,
    /// Whether the stored object is neither the archive nor the previous object.
    pub(crate) lost: bool,
    pub(crate) mark: char,
    /// How long the cell ran, and the chunks that its sink was given.
    pub(crate) took: Duration,
    pub(crate) chunks: usize,
}

impl CaseResult {
    pub(crate) fn failed(what: String) -> Self {
        Self {
            wrong: vec![what],
            mark: '!',
            ..Self::default()
        }
    }

    fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }
}

pub(crate) fn all(ran: &Ran) -> CaseResult {
    let mut case = CaseResult::default();
    outcome(ran, &mut case);
    objects(ran, &mut case);
    requests(ran, &mut case);
    secrets(ran, &mut case);
    case.check(ran.took >= ran.plan.lasts, || {
        format!("it took {:?}, and was told to wait", ran.took)
    });
    let fails = ran.plan.weakness.is_some() || ran.has_rule;
    case.check(!fails || ran.shown > 0, || {
        "the sink was to fail and did not".to_owned()
    });
    case.mark = match ran.plan.expected {
        _ if !case.wrong.is_empty() => '!',
        _ if ran.plan.leaves_an_upload => 'u',
        Expected::Exported => 'x',
        Expected::Failed(..) => '-',
        Expected::StoredAndFailed(..) => 's',
    };
    case
}

/// Whether the export failed as expected, with the right kind of error.
fn outcome(ran: &Ran, case: &mut CaseResult) {
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
    case.check(found == expected, || {
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
    case.check(exported == usize::from(ran.result.is_ok()), || {
        format!("told to be exported {exported} times")
    });
    if let Ok(outcome) = &ran.result {
        case.check(outcome.receipt().is_some(), || "it was skipped".to_owned());
    }
}

/// Either the previous object or the whole archive is there, and nothing else.
fn objects(ran: &Ran, case: &mut CaseResult) {
    let stored = Stored::read(&ran.storage);
    let (kept, whole) = (
        stored.object == ran.previous.object,
        stored.object == ran.plan.archive.bytes,
    );
    case.lost = !kept && !whole;
    case.check(kept || whole, || {
        let bytes = stored.object.len();
        format!("the object is neither the old one nor the new one: it has {bytes} bytes")
    });
    let receipt_kept = stored.receipt == ran.previous.receipt;
    match ran.plan.expected {
        Expected::Exported => {
            case.check(whole, || "the archive is not there".to_owned());
            if let Err(what) = receipt(ran, &stored.receipt) {
                case.wrong.push(format!("the receipt: {what}"));
            }
        }
        Expected::Failed(..) => {
            case.check(kept && receipt_kept, || {
                "what was there before was touched".to_owned()
            });
        }
        Expected::StoredAndFailed(..) => {
            case.check(whole && receipt_kept, || {
                "the archive was to be there, beside the old receipt".to_owned()
            });
        }
    }
    let keys = ran.storage.keys();
    let beside = format!("_{KEY}.receipt.json");
    case.check(keys == [beside.as_str(), KEY], || {
        format!("there is {keys:?}")
    });
    let unfinished = ran.storage.unfinished();
    case.check(unfinished.is_empty() != ran.plan.leaves_an_upload, || {
        format!("unfinished uploads: {unfinished:?}")
    });
}

/// The receipt describes the object, and is the one that the export returned.
fn receipt(ran: &Ran, json: &[u8]) -> Result<(), String> {
    let receipt = Receipt::from_json(json).map_err(|error| error.to_string())?;
    let archive = &ran.plan.archive;
    let mut inspector = Inspector::new(ChecksumAlgorithm::Crc64Nvme, FramingRules::new());
    inspector.update(&archive.bytes).unwrap();
    let inspection = inspector.finish().unwrap();
    let job = ran.emulator.jobs().pop().map(|job| job.id);
    let fits = receipt.bytes == archive.len()
        && receipt.records == archive.records
        && receipt.columns == COLUMNS
        && receipt.checksum == inspection.checksum
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

/// Jobs are started as planned, credentials go only to Tulip, and requests are bounded.
fn requests(ran: &Ran, case: &mut CaseResult) {
    let after = ran.emulator.requests();
    let starts = after.starts(&ran.machine);
    case.check(starts == ran.plan.starts, || {
        format!("{starts} jobs were started")
    });
    let (api, asset) = (&after.api, &after.asset);
    let stranger = asset.iter().find(|request| {
        request.authorization
            || request.cookie
            || request.referer.is_some()
            || request.method != "GET"
    });
    case.check(stranger.is_none(), || {
        format!("the asset host was asked so: {stranger:?}")
    });
    case.check(api.iter().all(|request| request.authorization), || {
        "Tulip was asked without credentials".to_owned()
    });
    let asked = after.count(Endpoint::Asset);
    case.check(ran.plan.asked.contains(&asked), || {
        format!("the asset host was asked {asked} times")
    });
    let all = api.len() + asset.len();
    case.check(all <= ran.plan.requests, || {
        format!("there were {all} requests")
    });
}

/// No event, outcome, error or receipt contains a secret.
fn secrets(ran: &Ran, case: &mut CaseResult) {
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
            case.check(!text.contains(word), || {
                format!("{word:?} is shown: {text}")
            });
        }
        case.check(!holds_signature(&text), || {
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

/// The messages of an error and all its causes.
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
