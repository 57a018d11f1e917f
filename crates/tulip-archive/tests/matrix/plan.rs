//! The plan of a cell, and its expected result.

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

/// A fault of archives that have several parts.
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

/// The random choices for a cell, from its seed.
pub(crate) struct Draw {
    pub(crate) rng: Rng,
    pub(crate) column: Column,
    pub(crate) archive: Archive,
}

impl Draw {
    /// A job with the drawn archive, served in the column's way.
    pub(crate) fn script(&self) -> JobScript {
        let script = self.column.1.script();
        script.content(self.archive.bytes.clone())
    }

    /// The length of the first reply.
    fn reply(&self) -> u64 {
        match self.column.1.splits() {
            true => 1024 * 1024,
            false => self.archive.len(),
        }
    }

    /// A number of bytes of the first reply: some, but not all.
    pub(crate) fn inside(&mut self) -> u64 {
        self.rng.u64(1..self.reply())
    }

    /// Too few bytes to count as progress.
    pub(crate) fn few(&mut self) -> u64 {
        self.rng.u64(0..10_000)
    }

    /// Enough bytes to count as progress, but fewer than any small archive has.
    pub(crate) fn progress(&mut self) -> u64 {
        self.rng.u64(66_000..80_000)
    }

    /// A number of bytes of a large archive, beyond the first part of either sink. If the archive
    /// is split, a number of bytes of its first range.
    pub(crate) fn behind_a_part(&mut self) -> u64 {
        match self.column.1.splits() {
            true => self.inside(),
            false => self.rng.u64(5 * 1024 * 1024 + 20_000..self.archive.len()),
        }
    }

    /// How often a fault occurs: no more than there are retries.
    pub(crate) fn times(&mut self) -> usize {
        self.rng.usize(1..=RETRIES as usize)
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(..of.len())]
    }
}

/// The retries of the client.
pub(crate) const RETRIES: u32 = 5;
/// More often than there are retries.
pub(crate) const FOR_EVER: usize = 30;
/// The limit on silence, for cells in which silence ends something: longer than a busy machine is
/// silent by itself. If it is not, the retries of these cells make up for it.
pub(crate) const STALL: Duration = Duration::from_secs(1);
/// The limit on everything else. Only a hang reaches it.
const PATIENT: Duration = Duration::from_secs(600);

pub(crate) type Rule = Box<dyn FnMut(&Seen) -> Option<Refusal> + Send + Sync>;

/// The expected result of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The archive is stored, with a receipt that matches.
    Exported,
    /// The export fails in this way, and the previous object is unchanged.
    Failed(ExportErrorKind, bool),
    /// The export fails in this way, but the whole archive is there, beside the previous receipt:
    /// the receipt could not be stored, or the sink reported another size or checksum.
    StoredAndFailed(ExportErrorKind, bool),
}

/// What one cell does.
pub(crate) struct Plan {
    pub(crate) script: JobScript,
    pub(crate) start_faults: Vec<Fault>,
    /// Whether a job exists already, so that none is started.
    pub(crate) has_job: bool,
    pub(crate) weakness: Option<Weakness>,
    pub(crate) rule: Option<Rule>,
    pub(crate) stall: Duration,
    pub(crate) retries: u32,
    pub(crate) deadline: Duration,
    pub(crate) max_bytes: Option<u64>,

    pub(crate) expected: Expected,
    /// The archive that is stored, if any.
    pub(crate) archive: Archive,
    /// The number of jobs that are started.
    pub(crate) starts: usize,
    /// The number of requests to the asset host.
    pub(crate) asked: RangeInclusive<usize>,
    /// The most requests to Tulip and the asset host.
    pub(crate) requests: usize,
    /// The minimum time that the export takes.
    pub(crate) lasts: Duration,
    /// Whether an upload stays unfinished, because the store refuses to abort it.
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

    /// An export that fails and leaves the previous object.
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

    /// Whether the export must fail and store nothing.
    pub(crate) fn must_fail(&self) -> bool {
        matches!(self.expected, Expected::Failed(..))
    }

    /// [`Self::exports`] if `exports`, otherwise [`Self::fails`].
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

    /// The export fails and leaves the previous object.
    pub(crate) fn fails_instead(mut self, kind: ExportErrorKind, retryable: bool) -> Self {
        self.expected = Expected::Failed(kind, retryable);
        self
    }

    /// The export fails although the archive is stored.
    pub(crate) fn although_stored(mut self, kind: ExportErrorKind, retryable: bool) -> Self {
        self.expected = Expected::StoredAndFailed(kind, retryable);
        self
    }

    /// Another archive is exported.
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

    /// The job exists already.
    pub(crate) fn of_job(mut self) -> Self {
        self.has_job = true;
        self.starts = 0;
        self
    }

    pub(crate) fn weak(mut self, weakness: Weakness) -> Self {
        self.weakness = Some(weakness);
        self
    }

    /// The bucket's server answers by this rule.
    pub(crate) fn refused(
        mut self,
        rule: impl FnMut(&Seen) -> Option<Refusal> + Send + Sync + 'static,
    ) -> Self {
        self.rule = Some(Box::new(rule));
        self
    }

    /// Silence ends the wait. The job exists already, because a start is not repeated if the
    /// machine itself stalls.
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
