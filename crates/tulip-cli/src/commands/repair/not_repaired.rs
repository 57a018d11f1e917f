//! The reason why an archive is not repaired.

use tulip_archive::{Advice, ExportError, ExportErrorKind, Repair, Source};

use crate::failure::{Code, chain, code_of, hint_of};

/// The reason why an archive is not repaired.
pub(super) struct NotRepaired {
    pub(super) what: String,
    pub(super) code: Code,
    pub(super) kind: Option<ExportErrorKind>,
    pub(super) hint: Option<String>,
    /// The failed export, if one was tried.
    pub(super) export: Option<(Source, ExportError)>,
}

impl NotRepaired {
    pub(super) fn new(code: Code, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            code,
            kind: None,
            hint: None,
            export: None,
        }
    }

    /// An archive whose receipt cannot be read.
    pub(super) fn unknown() -> Self {
        let what = "its receipt cannot be read, so its job and machine are unknown";
        Self {
            hint: Some("export it with `tulip export`, by its job or its machine".to_owned()),
            ..Self::new(Code::Verify, what)
        }
    }

    pub(super) fn by(source: Source, error: ExportError) -> Self {
        let hint = hint_of(&error, source.known_machine());
        let hint = match error.advice() {
            None | Some(Advice::DiscardStart) => hint,
            // The hint names an option of `tulip export`.
            Some(_) => hint.map(|hint| format!("with `tulip export`: {hint}")),
        };
        Self {
            what: chain(&error),
            code: code_of(error.kind()),
            kind: Some(error.kind()),
            hint,
            export: Some((source, error)),
        }
    }

    pub(super) fn is_retryable(&self) -> bool {
        let export = self.export.as_ref();
        export.is_some_and(|(_, error)| error.is_retryable())
    }

    /// Whether only a new archive can help.
    pub(super) fn is_gone(&self) -> bool {
        let export = self.export.as_ref();
        export.is_some_and(|(_, error)| Repair::needs_new_archive(error))
    }
}
