//! Failures and their exit codes.

use std::error::Error as StdError;
use std::io;
use std::process::ExitCode;

use tulip_archive::{Advice, ExportError, ExportErrorKind};
use tulip_core::MachineId;
use tulip_http::{BuildError, SettingsError};

/// The documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    Other = 1,
    Usage = 2,
    Permission = 3,
    Job = 4,
    Sink = 5,
    Verify = 6,
    Interrupted = 130,
}

/// Why the command ends with a code other than 0.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    /// `None` if everything has been reported.
    message: Option<String>,
    /// What can be done about it.
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: Some(message.into()),
            hint: None,
        }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self::new(Code::Other, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// A failure that has been reported.
    pub(crate) fn reported(code: Code) -> Self {
        Self {
            code,
            message: None,
            hint: None,
        }
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(Code::Interrupted, "interrupted")
    }

    /// The message and the hint to print on stderr, or `None` if everything has been reported.
    pub(crate) fn message(&self) -> Option<(&str, Option<&str>)> {
        let message = self.message.as_deref()?;
        Some((message, self.hint.as_deref()))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code as u8)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message.as_deref().unwrap_or_default())
    }
}

/// The exit code of every class of failed export. It is decided only here.
///
/// Schedulers treat 2, 3, 4 and 6 as final, so no failure that a retry can fix has one of these
/// codes.
const CODES: [(ExportErrorKind, Code); 22] = [
    (ExportErrorKind::InvalidRequest, Code::Usage),
    (ExportErrorKind::PermissionDenied, Code::Permission),
    (ExportErrorKind::NotFound, Code::Job),
    (ExportErrorKind::JobFailed, Code::Job),
    (ExportErrorKind::StartUnknown, Code::Job),
    (ExportErrorKind::AlreadyExists, Code::Sink),
    (ExportErrorKind::EmptyArchive, Code::Sink),
    (ExportErrorKind::StorePermissionDenied, Code::Sink),
    (ExportErrorKind::StoreFull, Code::Sink),
    (ExportErrorKind::StoreUnavailable, Code::Sink),
    (ExportErrorKind::Store, Code::Sink),
    (ExportErrorKind::Conflict, Code::Sink),
    (ExportErrorKind::DeadlineExceeded, Code::Other),
    (ExportErrorKind::Api, Code::Other),
    (ExportErrorKind::Download, Code::Other),
    (ExportErrorKind::NotAnArchive, Code::Other),
    (ExportErrorKind::IncompleteArchive, Code::Other),
    (ExportErrorKind::TooLarge, Code::Other),
    (ExportErrorKind::AlreadyRunning, Code::Other),
    (ExportErrorKind::NothingToResume, Code::Other),
    (ExportErrorKind::Fenced, Code::Other),
    (ExportErrorKind::Interrupted, Code::Interrupted),
];

/// The exit code of a failed export.
pub(crate) fn code_of(kind: ExportErrorKind) -> Code {
    let found = CODES.iter().find(|(known, _)| *known == kind);
    found.map_or(Code::Other, |(_, code)| *code)
}

/// The hint for a failed export of `machine`, in terms of the command line.
pub(crate) fn hint_of(error: &ExportError, machine: Option<&MachineId>) -> Option<String> {
    let Some(advice) = error.advice() else {
        if error.kind() == ExportErrorKind::AlreadyExists {
            let kept = "--if-exists fail keeps it; choose skip or overwrite, or another --name";
            return Some(kept.to_owned());
        }
        return error.http_error().and_then(http_hint_of);
    };
    let hint = match advice {
        Advice::RaiseMaxBytes => "if the archive is that large, raise --max-bytes",
        Advice::AllowEmpty => "if the machine really has no records, add --allow-empty",
        Advice::AllowMissingFinalLineBreak => {
            "if the archive is complete, add --allow-missing-final-newline"
        }
        Advice::AllowRagged => "if the archive is complete, add --allow-ragged",
        Advice::DiscardStart => {
            let machine = machine.map_or("ID", MachineId::as_str);
            return Some(format!(
                "look in Tulip: export the job with --job, or run `tulip resume --discard \
                 --machine {machine}` to let the next run start another"
            ));
        }
        Advice::Other(words) => words,
        _ => return None,
    };
    Some(hint.to_owned())
}

/// The hint for a failed call, in terms of the command line.
fn http_hint_of(error: &tulip_http::Error) -> Option<String> {
    use tulip_http::Advice as Http;
    Some(match error.advice()? {
        Http::SetCaFile => {
            "to trust a private CA, a self-signed certificate or a TLS proxy, add its certificate with \
             --ca-file"
                .to_owned()
        }
        Http::ReduceLoad => "lower --start-rate or --max-pending, or try again later".to_owned(),
        Http::AllowHttpAssets => "on a network that you trust, add --allow-http".to_owned(),
        Http::AllowNetwork => {
            "if archives are kept there, allow it with --allow-network".to_owned()
        }
        other => other.to_string(),
    })
}

/// Removes the name of what was exported from the start of a message that names it again later:
/// "machine X: could not start archive: machine X not found".
pub(crate) fn named_once(name: &str, message: String) -> String {
    let rest = message.strip_prefix(name);
    let rest = rest.and_then(|rest| rest.strip_prefix(": "));
    match rest.filter(|rest| rest.contains(name)) {
        Some(rest) => rest.to_owned(),
        None => message,
    }
}

/// An error with all its causes, on one line. A cause that only repeats what has been said is left
/// out.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        Self {
            code: code_of(error.kind()),
            message: Some(chain(&error)),
            hint: hint_of(&error, None),
        }
    }
}

impl From<tulip_http::Error> for Failure {
    fn from(error: tulip_http::Error) -> Self {
        let code = match () {
            () if error.is_permission_denied() => Code::Permission,
            () if error.is_not_found() => Code::Job,
            () => Code::Other,
        };
        Self {
            code,
            message: Some(chain(&error)),
            hint: http_hint_of(&error),
        }
    }
}

#[cfg(feature = "emulator")]
impl From<tulip_emulator::EmulatorError> for Failure {
    /// The emulator fails to start only because of its options or its address.
    fn from(error: tulip_emulator::EmulatorError) -> Self {
        Self::usage(chain(&error))
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::usage(chain(&error))
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let failure = Self::usage(chain(&error));
        match error {
            BuildError::InsecureHttp { .. } => failure.with_hint(
                "use https; --allow-insecure-http sends them nevertheless, where nobody else can \
                 read the network",
            ),
            _ => failure,
        }
    }
}

impl From<io::Error> for Failure {
    /// Only for writes to stdout. A broken pipe is not reported.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::reported(Code::Other),
            _ => Self::other(format!("cannot write to stdout: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_exported_is_named_once() {
        let named = |message: &str| named_once("machine X", message.to_owned());
        assert_eq!(
            named("machine X: could not start archive: machine X not found"),
            "could not start archive: machine X not found"
        );
        for kept in ["machine X: could not start archive", "machine X", "X", ""] {
            assert_eq!(named(kept), kept);
        }
    }

    #[test]
    fn a_cause_that_says_the_same_is_left_out() {
        #[derive(Debug)]
        struct Layer(&'static str, Option<Box<Self>>);
        impl std::fmt::Display for Layer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.0)
            }
        }
        impl StdError for Layer {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                self.1.as_deref().map(|source| source as _)
            }
        }
        let layers = |texts: [&'static str; 3]| {
            let inner = texts
                .into_iter()
                .rev()
                .fold(None, |inner, text| Some(Box::new(Layer(text, inner))));
            chain(inner.unwrap().as_ref())
        };
        assert_eq!(layers(["x", "y", "y"]), "x: y");
        assert_eq!(layers(["x: y", "y", "z"]), "x: y: z");
    }

    #[test]
    fn every_class_has_one_exit_code() {
        for kind in ExportErrorKind::all() {
            let rows = CODES.iter().filter(|(known, _)| *known == kind);
            assert_eq!(rows.count(), 1, "{kind}");
        }
        assert_eq!(CODES.len(), ExportErrorKind::all().count());
    }

    /// The codes after which the Kubernetes job of deploy/ is not retried.
    fn final_codes() -> Vec<u8> {
        let manifest = include_str!("../../../deploy/kubernetes/cronjob.yaml");
        let (_, rest) = manifest.split_once("operator: In, values: [").unwrap();
        let (codes, _) = rest.split_once(']').unwrap();
        let codes = codes.split(',').map(|code| code.trim().parse().unwrap());
        codes.collect()
    }

    #[test]
    fn what_a_retry_can_mend_is_final_for_no_scheduler() {
        let is_final = final_codes();
        let unit = include_str!("../../../deploy/systemd/tulip-export.service");
        let codes: Vec<_> = is_final.iter().map(u8::to_string).collect();
        assert!(unit.contains(&format!("\nRestartPreventExitStatus={}\n", codes.join(" "))));
        let set = format!("\nFINAL = {{{}}}\n", codes.join(", "));
        assert!(include_str!("../../../deploy/airflow/tulip_export.py").contains(&set));
        assert!(include_str!("../../../deploy/dagster/tulip_export.py").contains(&set));
        assert!(is_final.contains(&(Code::Usage as u8)), "{is_final:?}");
        for kind in ExportErrorKind::all().filter(|kind| kind.can_be_retryable()) {
            let code = code_of(kind) as u8;
            assert!(!is_final.contains(&code), "{kind} ends in {code}");
        }
    }

    #[test]
    fn every_class_is_documented_with_its_code_and_whether_a_retry_helps() {
        let manual = include_str!("../../../docs/operations.md");
        for kind in ExportErrorKind::all() {
            let row = format!("| {} | `{kind}` |", code_of(kind) as u8);
            let row = manual.lines().find(|line| line.starts_with(&row));
            let row = row.unwrap_or_else(|| panic!("{kind} has no row with its code"));
            assert_eq!(!row.ends_with("| no |"), kind.can_be_retryable(), "{row}");
        }
    }

    #[test]
    fn the_readme_and_the_manual_list_every_exit_code() {
        let row = |code: Code| format!("| {} |", code as u8);
        for text in [
            include_str!("../../../docs/operations.md"),
            include_str!("../../../README.md"),
        ] {
            for code in [
                Code::Other,
                Code::Usage,
                Code::Permission,
                Code::Job,
                Code::Sink,
                Code::Verify,
                Code::Interrupted,
            ] {
                assert!(text.contains(&row(code)), "{code:?}");
            }
        }
    }
}
