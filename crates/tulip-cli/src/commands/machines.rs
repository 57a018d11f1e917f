//! `tulip machines`

use serde_json::json;

use crate::args::MachinesArgs;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::shutdown::Shutdown;
use crate::{connect, output};

pub(crate) async fn run(
    args: MachinesArgs,
    progress: &Progress,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let client = connect::client(&args.connection)?;
    let types = shutdown.guard(client.machines()).await??;
    for machine in types.iter().flat_map(|kind| &kind.unusable) {
        let (name, reason) = (&machine.name, &machine.reason);
        progress.warn(&format!("machine {name:?} cannot be used: {reason}"), None);
    }
    let machines = types
        .iter()
        .flat_map(|kind| kind.machines.iter().map(move |machine| (kind, machine)));
    if args.json {
        for (kind, machine) in machines {
            output::json(&json!({
                "id": machine.id,
                "name": machine.name,
                "type": kind.name,
                "type_id": kind.id,
            }))?;
        }
        return Ok(());
    }
    let rows: Vec<_> = machines
        .map(|(kind, machine)| {
            let id = output::plain(machine.id.as_str());
            [id, output::plain(&machine.name), output::plain(&kind.name)]
        })
        .collect();
    output::table(["ID", "NAME", "TYPE"], &rows)
}
