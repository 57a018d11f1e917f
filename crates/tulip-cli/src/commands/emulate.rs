//! `tulip emulate`

use std::net::SocketAddr;

use tulip_emulator::{Emulator, JobScript};

use crate::args::EmulateArgs;
use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use crate::shutdown::Shutdown;

pub(crate) async fn run(
    args: EmulateArgs,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let beside = SocketAddr::new(args.listen.ip(), 0);
    let emulator = Emulator::builder()
        .seed(args.seed)
        .machines(args.machines.get())
        .rows(args.rows)
        .listen(args.listen)
        .listen_assets(args.listen_assets.unwrap_or(beside))
        .default_script(JobScript::new().pending_for(args.pending))
        .start()
        .await?;
    let credentials = emulator.credentials();
    output::line(&format!("export TULIP_BASE_URL={}", emulator.base_url()))?;
    output::line(&format!("export TULIP_API_KEY={}", credentials.key()))?;
    output::line(&format!(
        "export TULIP_API_SECRET={}",
        credentials.expose_secret()
    ))?;
    let account = emulator.account_credentials();
    output::line("# or, as an account token:")?;
    output::line(&format!(
        "# export TULIP_WORKSPACE_ID={}",
        emulator.workspace()
    ))?;
    output::line(&format!("# export TULIP_API_KEY={}", account.key()))?;
    output::line(&format!(
        "# export TULIP_API_SECRET={}",
        account.expose_secret()
    ))?;
    let program = std::env::args_os().next().unwrap_or_default();
    progress.say(&format!(
        "\nPaste these lines into another shell, then try:\n  \
         {0} machines\n  {0} export --all --to ./archives\nCtrl-C ends the emulator.",
        program.to_string_lossy(),
    ));
    shutdown.wait().await;
    Ok(())
}
