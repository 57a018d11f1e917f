//! A call that shows whether everything between here and Tulip works.

use std::time::{Duration, SystemTime};

use tulip_core::MachineType;

use super::calls::Api;
use crate::Endpoint;
use crate::error::Error;
use crate::transport::date;

/// The result of one call to Tulip. It is sent once, starts nothing, and is not retried.
#[derive(Debug)]
#[non_exhaustive]
pub struct ApiProbe {
    /// The machine types, as [`Client::machines`](crate::Client::machines) returns them.
    pub machines: Result<Vec<MachineType>, Error>,
    /// How many seconds this machine's clock is ahead of the server's; negative if it is behind.
    /// `None` if there is no reply, or if it has no `Date`. Exact to a second or two: `Date` has
    /// whole seconds, and the reply takes time.
    pub clock_skew: Option<i64>,
}

impl Api {
    /// Requests the machines, once.
    pub(crate) async fn probe(&self) -> ApiProbe {
        let endpoint = Endpoint::Machines;
        let answered = async {
            let _slot = self.slot(&endpoint).await?;
            self.send(&endpoint).await
        };
        match answered.await {
            Err(error) => ApiProbe {
                machines: Err(error),
                clock_skew: None,
            },
            Ok(response) => {
                let date = date(response.headers());
                let now = SystemTime::now();
                ApiProbe {
                    clock_skew: date.map(|date| seconds_ahead(now, date)),
                    machines: self.read(response, &endpoint).await,
                }
            }
        }
    }
}

/// Returns by how many seconds `ours` is ahead of `theirs`, whose fraction of a second is lost.
fn seconds_ahead(ours: SystemTime, theirs: SystemTime) -> i64 {
    let whole = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match ours.duration_since(theirs) {
        Ok(ahead) => whole(ahead),
        Err(behind) => -whole(behind.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_ahead_or_behind_by_whole_seconds() {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let later = noon + Duration::from_millis(90_700);
        assert_eq!(seconds_ahead(later, noon), 90);
        assert_eq!(seconds_ahead(noon, later), -90);
        assert_eq!(seconds_ahead(noon + Duration::from_millis(999), noon), 0);
    }
}
