//! `tulip doctor`
//!
//! Each module runs the checks of one area and adds its findings. A check that cannot run because
//! another one failed is skipped, so that one fault is one failure.

mod api;
mod check;
mod findings;
mod folders;
mod instance;
mod limits;
mod render;
mod state;
mod target;
mod token;

use self::check::Check;
use self::findings::{Findings, Status};
use crate::args::DoctorArgs;
use crate::config::Config;
use crate::failure::{Code, Failure};
use crate::output;
use crate::progress::Progress;
use crate::shutdown::Shutdown;

/// The config file, if there is one, or why it cannot be used.
pub(crate) struct ConfigFile {
    pub(crate) config: Option<Config>,
    /// Why it cannot be used.
    pub(crate) failure: Option<Failure>,
}

pub(crate) async fn run(
    args: DoctorArgs,
    file: ConfigFile,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let mut findings = Findings::default();
    limits::check(&args, &mut findings);
    check_config(&file, &mut findings);
    // The remaining checks depend on the config file.
    if !findings.has_failed(Check::Config) {
        instance::check(&args.connection, &mut findings, shutdown).await?;
        target::check(&args, &mut findings, shutdown).await?;
        state::check(&args, &mut findings, shutdown).await?;
    }
    let findings = findings.complete();
    for finding in &findings {
        match finding.status {
            Status::Ok | Status::Skip if progress.is_quiet() && !args.json => {}
            _ if args.json => output::json(finding)?,
            _ => render::print(finding)?,
        }
    }
    progress.say(&render::summary(&findings));
    match findings.iter().any(|found| found.status == Status::Fail) {
        true => Err(Failure::reported(Code::Other)),
        false => Ok(()),
    }
}

fn check_config(file: &ConfigFile, findings: &mut Findings) {
    let config = match (&file.failure, &file.config) {
        (Some(failure), _) => return findings.fail(Check::Config, failure),
        (None, None) => return findings.ok(Check::Config, "none"),
        (None, Some(config)) => config,
    };
    if let Some(warning) = config.warning() {
        let advice = "let only its owner read the file: chmod 600";
        return findings.warn(Check::Config, warning, advice);
    }
    let profile = config.profile.as_ref();
    let profile = profile.map(|name| format!(", profile {name}"));
    let path = config.path.display();
    let found = format!("{path}{}", profile.unwrap_or_default());
    findings.ok(Check::Config, found);
}
