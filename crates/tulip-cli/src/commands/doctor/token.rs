//! The checks of the token: its scopes, and the form of URL that it is for.

use tulip_core::{MachineType, WorkspaceId};
use tulip_http::{Error, ErrorKind, Settings};

use super::check::Check;
use super::findings::Findings;
use crate::failure::Failure;

/// A form of the API's URLs: with the workspace of an account token, or without.
pub(super) type Form = Option<WorkspaceId>;

/// The most common name of a workspace.
const USUAL_WORKSPACE: &str = "DEFAULT";

/// The forms to try if the configured one is refused.
pub(super) fn other_forms(settings: &Settings) -> Vec<Form> {
    let usual = USUAL_WORKSPACE.parse().ok();
    let mut forms = vec![None, usual];
    forms.retain(|form| *form != settings.workspace);
    forms
}

/// Records that Tulip has listed its machines.
pub(super) fn accepted(settings: &Settings, types: &[MachineType], findings: &mut Findings) {
    let form = match &settings.workspace {
        Some(workspace) => format!("{workspace}, with an account token"),
        None => "none: it is a workspace token".to_owned(),
    };
    findings.ok(Check::Workspace, form);
    match types.iter().map(|kind| kind.machines.len()).sum() {
        0_usize => findings.warn(
            Check::ReadScope,
            "machines:read; the instance has no machines",
            "check the workspace: nothing would be exported",
        ),
        count => findings.ok(Check::ReadScope, format!("machines:read; {count} machines")),
    }
    findings.skip(
        Check::WriteScope,
        "machines:write cannot be checked without starting a job",
        Some("look at the scopes of the token in Tulip"),
    );
}

/// Records that Tulip refused the token in the configured form. `accepted` is another form that it
/// accepted, if any.
pub(super) fn refused(
    settings: &Settings,
    refusal: Error,
    accepted: Option<Form>,
    findings: &mut Findings,
) {
    match (accepted, &settings.workspace) {
        (Some(None), Some(workspace)) => findings.fail_with(
            Check::Workspace,
            format!("{workspace} is set, but it is a workspace token, which takes none"),
            "unset TULIP_WORKSPACE_ID, or leave out --workspace",
        ),
        (Some(Some(right)), set) => {
            let found = match set {
                Some(wrong) => format!("the account token is not for {wrong}, but for {right}"),
                None => "not set, but an account token needs one".to_owned(),
            };
            let advice = format!("set TULIP_WORKSPACE_ID or --workspace to {right}");
            findings.fail_with(Check::Workspace, found, &advice);
        }
        _ if refusal.kind() == ErrorKind::NotFound && settings.workspace.is_some() => {
            findings.fail(Check::Workspace, &Failure::from(refusal));
        }
        _ if refusal.kind() == ErrorKind::NotFound => {
            findings.fail_with(
                Check::Api,
                Failure::from(refusal).to_string(),
                Check::Api.advice(),
            );
        }
        _ => findings.fail(Check::ReadScope, &Failure::from(refusal)),
    }
}
