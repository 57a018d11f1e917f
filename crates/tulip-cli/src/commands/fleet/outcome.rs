//! What came of the exports of a run.

use tulip_archive::{ExportError, ExportErrorKind, Outcome, Source};

use crate::failure::{Code, code_of};

/// One export that has ended, or was not started.
pub(crate) struct Ended {
    pub(crate) source: Source,
    /// Whether another run can continue it, where it failed.
    pub(crate) remembered: bool,
    pub(crate) result: Result<Outcome, Error>,
}

/// Why there is no archive.
pub(crate) enum Error {
    Failed(ExportError),
    NotStarted(NotStarted),
}

impl Error {
    pub(crate) fn kind(&self) -> ExportErrorKind {
        match self {
            Self::Failed(error) => error.kind(),
            Self::NotStarted(why) => why.kind,
        }
    }
}

/// Why an export was not started.
#[derive(Debug, Clone)]
pub(crate) struct NotStarted {
    /// The class of what stands in the way.
    pub(crate) kind: ExportErrorKind,
    pub(crate) reason: String,
}

impl NotStarted {
    pub(crate) fn interrupted() -> Self {
        Self {
            kind: ExportErrorKind::Interrupted,
            reason: "not started: the run was interrupted".to_owned(),
        }
    }
}

impl Ended {
    pub(crate) fn failed(source: Source, error: ExportError) -> Self {
        Self {
            source,
            remembered: false,
            result: Err(Error::Failed(error)),
        }
    }

    pub(crate) fn not_started(source: Source, why: NotStarted) -> Self {
        Self {
            source,
            remembered: false,
            result: Err(Error::NotStarted(why)),
        }
    }

    /// The failure of an export that was tried.
    pub(crate) fn failure(&self) -> Option<&ExportError> {
        match &self.result {
            Err(Error::Failed(error)) => Some(error),
            _ => None,
        }
    }

    /// The exit code of this export alone.
    pub(crate) fn code(&self) -> Option<Code> {
        let error = self.result.as_ref().err()?;
        Some(code_of(error.kind()))
    }

    /// Whether a job was started for this export and its archive is still worth fetching.
    pub(crate) fn has_job_to_fetch(&self) -> bool {
        use ExportErrorKind as Kind;
        let Some(error) = self.failure() else {
            return false;
        };
        let is_archive_bad = matches!(
            error.kind(),
            Kind::Incomplete | Kind::NotAnArchive | Kind::JobFailed | Kind::NotFound
        );
        error.job().is_some() && self.source.known_job().is_none() && !is_archive_bad
    }
}

/// Counts how the exports of a run have ended.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    codes: Vec<Option<Code>>,
    /// Exports that another run can continue.
    pub(crate) to_continue: usize,
    pub(crate) not_started: usize,
}

impl Outcomes {
    pub(crate) fn record(&mut self, ended: &Ended) {
        self.codes.push(ended.code());
        self.not_started += usize::from(matches!(ended.result, Err(Error::NotStarted(_))));
        self.to_continue += usize::from(ended.remembered && ended.has_job_to_fetch());
    }

    pub(crate) fn has_interrupted(&self) -> bool {
        self.codes.contains(&Some(Code::Interrupted))
    }

    /// The common reason's code when all failed for the same one, otherwise 1; `None` when none
    /// failed.
    pub(crate) fn code(&self) -> Option<Code> {
        let first = self.codes.iter().copied().find(Option::is_some)??;
        match self.codes.iter().all(|code| *code == Some(first)) {
            true => Some(first),
            false => Some(Code::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_exports_end_in_the_common_code_or_1() {
        let overall = |codes: &[Option<Code>]| {
            let outcomes = Outcomes {
                codes: codes.to_vec(),
                ..Outcomes::default()
            };
            outcomes.code()
        };
        assert_eq!(overall(&[]), None);
        assert_eq!(overall(&[None, None]), None);
        let (job, sink) = (Some(Code::Job), Some(Code::Sink));
        assert_eq!(overall(&[sink, sink]), sink);
        assert_eq!(overall(&[job, sink]), Some(Code::Other));
        assert_eq!(overall(&[None, job]), Some(Code::Other));
    }
}
