#![doc = include_str!("../README.md")]
#![cfg(unix)]

mod child;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tulip_core::NetworkOptions;
use tulip_core::ObjectKey;
use tulip_core::sink::{
    OpenOptions, Probe, Sink, SinkError, SinkErrorKind, SinkFactory, SinkOption, SinkUrl,
    SinkWriter, WriteMode, async_trait,
};

use child::Child;

tulip_core::register_sink!(PipeFactory);

const ARGS: SinkOption = SinkOption::new("args", "the program's arguments, split at spaces");

/// Makes sinks from `pipe` URLs.
#[derive(Debug, Clone, Copy)]
pub struct PipeFactory;

#[async_trait]
impl SinkFactory for PipeFactory {
    fn scheme(&self) -> &str {
        "pipe"
    }

    fn summary(&self) -> &str {
        "the standard input of a program"
    }

    fn example(&self) -> &str {
        "pipe:///usr/local/bin/load?args=--table%20activity"
    }

    fn options(&self) -> &[SinkOption] {
        &[ARGS]
    }

    async fn connect(&self, url: &SinkUrl, _: &NetworkOptions) -> Result<Arc<dyn Sink>, SinkError> {
        if url.host().is_some() {
            let what = format!("{url} names a host; a program's path has three slashes");
            return Err(SinkError::new(SinkErrorKind::InvalidTarget, what));
        }
        let program = PathBuf::from(url.path());
        if !program.is_absolute() {
            let what = format!("{url} does not give a program's whole path, as in pipe:///bin/cat");
            return Err(SinkError::new(SinkErrorKind::InvalidTarget, what));
        }
        let args = url.option(ARGS.name).unwrap_or_default();
        Ok(Arc::new(PipeSink {
            program,
            args: args.split_whitespace().map(str::to_owned).collect(),
        }))
    }
}

#[derive(Debug)]
struct PipeSink {
    program: PathBuf,
    args: Vec<String>,
}

#[async_trait]
impl Sink for PipeSink {
    fn scheme(&self) -> &str {
        "pipe"
    }

    fn location(&self, key: &ObjectKey) -> String {
        format!("{key} in {}", self.program.display())
    }

    /// Checks that the program can be started; only it knows whether it can store anything.
    async fn probe(&self, _: WriteMode) -> Result<Probe, SinkError> {
        executable(&self.program)?;
        Ok(Probe::checked(self.capabilities()))
    }

    async fn open(
        &self,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Result<Box<dyn SinkWriter>, SinkError> {
        if options.mode == WriteMode::Create {
            let what = "a program cannot be asked whether it has an object";
            return Err(SinkError::new(SinkErrorKind::Unsupported, what));
        }
        let child = Child::start(&self.program, &self.args, key, options)?;
        Ok(Box::new(child))
    }
}

fn executable(program: &Path) -> Result<(), SinkError> {
    let shown = program.display();
    let metadata = std::fs::metadata(program).map_err(|error| child::unusable(program, error))?;
    if !metadata.is_file() {
        let what = format!("{shown} is not a program");
        return Err(SinkError::new(SinkErrorKind::InvalidTarget, what));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        let what = format!("{shown} is not executable");
        let error = SinkError::new(SinkErrorKind::PermissionDenied, what);
        return Err(error.with_reason("its mode does not allow it", "chmod +x it"));
    }
    Ok(())
}
