//! Faults of signed URLs and the hosts that they lead to.

use std::time::Duration;

use tulip_archive::ExportErrorKind::{Api, Download, NotFound, PermissionDenied};
use tulip_emulator::{Fault, Reply};

use super::{then, times};
use crate::column::{ALL, BOTH_WAYS, SINKS, UNSPLIT};
use crate::plan::{FOR_EVER, Plan, Row, row};

/// The statuses by which stores say that a URL has expired.
const EXPIRED: [u16; 3] = [400, 401, 403];

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for status in EXPIRED {
        rows.push(row(
            format!("refused with {status}"),
            &BOTH_WAYS,
            move |draw| {
                let script = draw.script().url_refusal(Reply::expired(status));
                // The whole archive is requested too, since perhaps only the range is refused.
                Plan::exports(draw, script.revoked_urls(1)).asked(2..=3)
            },
        ));
        let midway = format!("expired midway, {status}");
        rows.push(row(midway, &ALL, move |draw| {
            let after = draw.inside();
            let script = draw.script().url_refusal(Reply::expired(status));
            let script = script.asset_faults([Fault::Expire { after }]);
            Plan::exports(draw, script).asked(3..=3)
        }));
        rows.push(row(format!("always {status}"), &BOTH_WAYS, move |draw| {
            let script = draw.script().url_lifetime(Duration::ZERO);
            let script = script.url_refusal(Reply::expired(status));
            Plan::fails(draw, script, Download, true).asked(2..=10)
        }));
    }
    rows.extend([
        row("several are revoked", &BOTH_WAYS, |draw| {
            let script = draw.script().revoked_urls(draw.rng.usize(2..=5));
            Plan::exports(draw, script).asked(3..=8)
        }),
        row("each brings some bytes", &UNSPLIT, |draw| {
            let bytes = draw.progress();
            let script = draw.script().url_bytes(bytes);
            let continues = draw.column.1.continues();
            Plan::exports_if(continues, draw, script, Download, true).asked(3..=20)
        }),
        row("each serves once", &BOTH_WAYS, |draw| {
            let after = draw.inside();
            let script = draw.script().url_requests(1);
            let script = script.asset_faults([Fault::Cut { after }]);
            Plan::exports(draw, script).asked(3..=3)
        }),
        row("no fresh one: 503, then fine", &BOTH_WAYS, |draw| {
            let after = draw.inside();
            let busy = then(Fault::None, times(Reply::busy(503), draw.times()));
            let script = draw.script().asset_faults([Fault::Expire { after }]);
            Plan::exports(draw, script.status_faults(busy)).asked(3..=3)
        }),
        row("no fresh one: hang-ups", &BOTH_WAYS, |draw| {
            let after = draw.inside();
            let lost = then(Fault::None, times(Fault::Hangup, FOR_EVER));
            let script = draw.script().asset_faults([Fault::Expire { after }]);
            Plan::fails(draw, script.status_faults(lost), Api, true).asked(2..=2)
        }),
        row("no fresh one: 403", &BOTH_WAYS, |draw| {
            let after = draw.inside();
            let refused = then(
                Fault::None,
                [Reply::error(403, "Refused", "no more").into()],
            );
            let script = draw.script().asset_faults([Fault::Expire { after }]);
            let script = script.status_faults(refused);
            Plan::fails(draw, script, PermissionDenied, false).asked(2..=2)
        }),
        row("no fresh one: 404", &BOTH_WAYS, |draw| {
            let after = draw.inside();
            let gone = then(Fault::None, [Reply::error(404, "NotFound", "gone").into()]);
            let script = draw.script().asset_faults([Fault::Expire { after }]);
            Plan::fails(draw, script.status_faults(gone), NotFound, false).asked(2..=2)
        }),
        row("no fresh one: a page", &BOTH_WAYS, |draw| {
            let after = draw.inside();
            let page = Reply::html(200, "<html><title>Sign in</title></html>");
            let script = draw.script().asset_faults([Fault::Expire { after }]);
            let script = script.status_faults(then(Fault::None, [page.into()]));
            Plan::fails(draw, script, Api, false).asked(2..=2)
        }),
        row("no fresh one: no resource", &BOTH_WAYS, |draw| {
            let after = draw.inside();
            let script = draw.script().asset_faults([Fault::Expire { after }]);
            let script = script.resources([true, false]);
            Plan::fails(draw, script, Download, true).asked(2..=2)
        }),
        row("no fresh one: pending again", &BOTH_WAYS, |draw| {
            let after = draw.inside();
            let script = draw.script().asset_faults([Fault::Expire { after }]);
            let script = script.statuses(["complete", "pending"]);
            Plan::fails(draw, script, Download, true).asked(2..=2)
        }),
        row("host that no resolver knows", &SINKS, |draw| {
            let script = draw.script().unresolvable();
            Plan::fails(draw, script, Download, true).asked(0..=0)
        }),
        row("closed port", &SINKS, |draw| {
            let script = draw.script().url_host("127.0.0.1:1");
            Plan::fails(draw, script, Download, true).asked(0..=0)
        }),
        row("https to a plain port", &SINKS, |draw| {
            let script = draw.script().url_https();
            Plan::fails(draw, script, Download, false).asked(0..=0)
        }),
        row("a cloud's credentials", &SINKS, |draw| {
            let script = draw.script().resource(METADATA);
            Plan::fails(draw, script, Download, false).asked(0..=0)
        }),
        row("redirect to a cloud's credentials", &BOTH_WAYS, |draw| {
            let redirect = Reply::redirect(302, METADATA);
            let script = draw.script().asset_faults([redirect]);
            Plan::fails(draw, script, Download, false).asked(1..=1)
        }),
        row("redirect to them midway", &BOTH_WAYS, |draw| {
            let after = draw.inside();
            let redirect = Reply::redirect(307, METADATA).into();
            let script = draw.script();
            let script = script.asset_faults([Fault::Cut { after }, redirect]);
            Plan::fails(draw, script, Download, false).asked(2..=2)
        }),
        row("redirect loop", &BOTH_WAYS, |draw| {
            let script = draw.script().asset_always(Fault::RedirectLoop);
            Plan::fails(draw, script, Download, false).asked(6..=6)
        }),
        row("redirects, then fine", &BOTH_WAYS, |draw| {
            let loops = times(Fault::RedirectLoop, draw.times());
            Plan::exports(draw, draw.script().asset_faults(loops))
        }),
        row("redirect to a closed port, once", &SINKS, |draw| {
            let redirect = Reply::redirect(302, "http://127.0.0.1:1/x?Signature=abc");
            Plan::exports(draw, draw.script().asset_faults([redirect])).asked(2..=2)
        }),
        row("redirect to a file", &SINKS, |draw| {
            let redirect = Reply::redirect(302, "file:///etc/passwd");
            let script = draw.script().asset_faults([redirect]);
            Plan::fails(draw, script, Download, false).asked(1..=1)
        }),
        row("redirect to nowhere", &SINKS, |draw| {
            let script = draw.script().asset_faults([Reply::new(302)]);
            Plan::fails(draw, script, Download, false).asked(1..=1)
        }),
    ]);
    rows
}

/// The address at which clouds hand out credentials.
const METADATA: &str = "http://169.254.169.254/latest/meta-data/iam/security-credentials/";
