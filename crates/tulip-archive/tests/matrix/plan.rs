//! What one cell does, and what must come of it.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use tulip_archive::ExportErrorKind;
use tulip_emulator::{Fault, JobScript};
use tulip_test_s3::{Refusal, Seen};

use crate::archive::{Archive, Size};
use crate::column::Column;
use crate::weak::Weakness;

/// One row: a fault, where it is tried, and how.
pub(crate) struct Row {
    pub(crate) fault: String,
    pub(crate) columns: &'static [Column],
    pub(crate) size: Size,
    pub(crate) plan: Box<dyn Fn(&mut Draw) -> Plan + Send + Sync>,
}

/// A fault of small archives.
pub(crate) fn row(
    fault: impl Into<String>,
    columns: &'static [Column],
    plan: impl Fn(&mut Draw) -> Plan + Send + Sync + 'static,
) -> Row {
    Row {
        fault: fault.into(),
        columns,
        size: Size::Small,
        plan: Box::new(plan),
    }
}

/// A fault of archives of several parts.
pub(crate) fn large(
    fault: impl Into<String>,
    columns: &'static [Column],
    plan: impl Fn(&mut Draw) -> Plan + Send + Sync + 'static,
) -> Row {
    Row {
        size: Size::Large,
        ..row(fault, columns, plan)
    }
}

/// What is drawn for a cell from its seed.
pub(crate) struct Draw {
    pub(crate) rng: Rng,
    pub(crate) column: Column,
    pub(crate) archive: Archive,
}

impl Draw {
    /// A job with the drawn archive, served as the column has it.
    pub(crate) fn script(&self) -> JobScript {
        let script = self.column.1.script();
        script.content(self.archive.bytes.clone())
    }

    /// What the first reply brings.
    fn reply(&self) -> u64 {
        match self.column.1.splits() {
            true => 1024 * 1024,
            false => self.archive.len(),
        }
    }

    /// Bytes of the first reply: some, not all.
    pub(crate) fn inside(&mut self) -> u64 {
        self.rng.u64(1..self.reply())
    }

    /// So few bytes that they are no progress.
    pub(crate) fn few(&mut self) -> u64 {
        self.rng.u64(0..10_000)
    }

    /// So many bytes that a download has moved, but no small archive is whole.
    pub(crate) fn progress(&mut self) -> u64 {
        self.rng.u64(66_000..80_000)
    }

    /// Bytes of a large archive, behind the first part of either sink.
    pub(crate) fn behind_a_part(&mut self) -> u64 {
        match self.column.1.splits() {
            true => self.inside(),
            false => self.rng.u64(5 * 1024 * 1024 + 20_000..self.archive.len()),
        }
    }

    /// So often that the retries last.
    pub(crate) fn times(&mut self) -> usize {
        self.rng.usize(1..=RETRIES as usize)
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(..of.len())]
    }
}

/// What the client has.
pub(crate) const RETRIES: u32 = 5;
/// More than that.
pub(crate) const FOR_EVER: usize = 30;
/// A limit on silence, for cells where silence is what ends something: longer than a busy machine
/// is silent by itself. Where it is not, the retries of these cells make up for it.
pub(crate) const STALL: Duration = Duration::from_secs(1);
/// A limit on everything else, which only a hang can reach.
const PATIENT: Duration = Duration::from_secs(600);

pub(crate) type Rule = Box<dyn FnMut(&Seen) -> Option<Refusal> + Send + Sync>;

/// What must come of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The archive is stored, with a receipt that matches.
    Exported,
    /// The export fails in this way, and what was there before is as it was.
    Failed(ExportErrorKind, bool),
    /// The export fails in this way, but the archive is there, whole, and the receipt beside it is
    /// the one from before. This is what a receipt that cannot be stored leaves, and a store whose
    /// answer was lost.
    StoredAndFailed(ExportErrorKind, bool),
}

/// What one cell does.
pub(crate) struct Plan {
    pub(crate) script: JobScript,
    pub(crate) start_faults: Vec<Fault>,
    /// Whether a job is there already, and none is started.
    pub(crate) has_job: bool,
    pub(crate) weakness: Option<Weakness>,
    pub(crate) rule: Option<Rule>,
    pub(crate) stall: Duration,
    pub(crate) retries: u32,
    pub(crate) deadline: Duration,
    pub(crate) max_bytes: Option<u64>,

    pub(crate) expected: Expected,
    /// What is stored, if something is.
    pub(crate) archive: Archive,
    /// Jobs that are started.
    pub(crate) starts: usize,
    /// How often the asset host is asked.
    pub(crate) asked: RangeInclusive<usize>,
    /// The most requests to Tulip and the asset host.
    pub(crate) requests: usize,
    /// How long it takes at least.
    pub(crate) lasts: Duration,
    /// An upload stays unfinished, because the store does not let it be aborted.
    pub(crate) leaves_an_upload: bool,
}

impl Plan {
    /// An export that succeeds.
    pub(crate) fn exports(draw: &Draw, script: JobScript) -> Self {
        Self {
            script,
            start_faults: Vec::new(),
            has_job: false,
            weakness: None,
            rule: None,
            stall: PATIENT,
            retries: RETRIES,
            deadline: PATIENT,
            max_bytes: None,
            expected: Expected::Exported,
            archive: draw.archive.clone(),
            starts: 1,
            asked: 1..=20,
            requests: 40,
            lasts: Duration::ZERO,
            leaves_an_upload: false,
        }
    }

    /// An export that fails, and leaves what was there before.
    pub(crate) fn fails(
        draw: &Draw,
        script: JobScript,
        kind: ExportErrorKind,
        retryable: bool,
    ) -> Self {
        Self {
            expected: Expected::Failed(kind, retryable),
            ..Self::exports(draw, script)
        }
    }

    /// Whether nothing but a failure is right.
    pub(crate) fn must_fail(&self) -> bool {
        matches!(self.expected, Expected::Failed(..))
    }

    /// One of the two.
    pub(crate) fn exports_if(
        exports: bool,
        draw: &Draw,
        script: JobScript,
        kind: ExportErrorKind,
        retryable: bool,
    ) -> Self {
        match exports {
            true => Self::exports(draw, script),
            false => Self::fails(draw, script, kind, retryable),
        }
    }

    /// It fails, and leaves what was there before.
    pub(crate) fn fails_instead(mut self, kind: ExportErrorKind, retryable: bool) -> Self {
        self.expected = Expected::Failed(kind, retryable);
        self
    }

    /// It fails although the archive is there.
    pub(crate) fn although_stored(mut self, kind: ExportErrorKind, retryable: bool) -> Self {
        self.expected = Expected::StoredAndFailed(kind, retryable);
        self
    }

    /// Another archive is what comes.
    pub(crate) fn with(mut self, archive: Archive) -> Self {
        self.archive = archive;
        self
    }

    pub(crate) fn start_faults<F: Into<Fault>>(
        mut self,
        faults: impl IntoIterator<Item = F>,
    ) -> Self {
        self.start_faults = faults.into_iter().map(Into::into).collect();
        self
    }

    /// The job is there already.
    pub(crate) fn of_job(mut self) -> Self {
        self.has_job = true;
        self.starts = 0;
        self
    }

    pub(crate) fn weak(mut self, weakness: Weakness) -> Self {
        self.weakness = Some(weakness);
        self
    }

    /// The bucket's server answers so.
    pub(crate) fn refused(
        mut self,
        rule: impl FnMut(&Seen) -> Option<Refusal> + Send + Sync + 'static,
    ) -> Self {
        self.rule = Some(Box::new(rule));
        self
    }

    /// Silence ends what is being waited for. The job is there already: its start would not be
    /// repeated, were it the machine that is silent for once.
    pub(crate) fn stalling(self) -> Self {
        Self {
            stall: STALL,
            ..self.of_job()
        }
    }

    pub(crate) fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    pub(crate) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    pub(crate) fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    pub(crate) fn starts(mut self, starts: usize) -> Self {
        self.starts = starts;
        self
    }

    pub(crate) fn asked(mut self, times: RangeInclusive<usize>) -> Self {
        self.asked = times;
        self
    }

    pub(crate) fn requests(mut self, most: usize) -> Self {
        self.requests = most;
        self
    }

    pub(crate) fn lasts(mut self, time: Duration) -> Self {
        self.lasts = time;
        self
    }

    pub(crate) fn leaves_an_upload(mut self) -> Self {
        self.leaves_an_upload = true;
        self
    }
}
