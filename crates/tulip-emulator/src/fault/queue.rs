//! Queues of faults.

use std::collections::{HashMap, VecDeque};

use super::{Endpoint, Fault};

/// The queued faults of each endpoint, with how often each still occurs.
#[derive(Debug, Default)]
pub(crate) struct Faults(HashMap<Endpoint, VecDeque<(usize, Fault)>>);

impl Faults {
    pub(crate) fn push(&mut self, endpoint: Endpoint, times: usize, fault: Fault) {
        if times > 0 {
            self.0
                .entry(endpoint)
                .or_default()
                .push_back((times, fault));
        }
    }

    /// Takes the fault of the next request to `endpoint`, if any is queued.
    pub(crate) fn take(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let queue = self.0.get_mut(&endpoint)?;
        let (times, fault) = queue.front_mut()?;
        *times -= 1;
        if *times > 0 {
            return Some(fault.clone());
        }
        queue.pop_front().map(|(_, fault)| fault)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Reply;

    #[test]
    fn faults_come_in_order_as_often_as_asked_and_only_to_their_endpoint() {
        let mut faults = Faults::default();
        faults.push(Endpoint::Start, 2, Fault::Hangup);
        faults.push(Endpoint::Start, 0, Fault::Stall { after: 0 });
        faults.push(Endpoint::Start, 1, Reply::new(500).into());
        let reply = Fault::Reply(Reply::new(500));
        assert_eq!(faults.take(Endpoint::Status), None);
        assert_eq!(faults.take(Endpoint::Start), Some(Fault::Hangup));
        assert_eq!(faults.take(Endpoint::Start), Some(Fault::Hangup));
        assert_eq!(faults.take(Endpoint::Start), Some(reply));
        assert_eq!(faults.take(Endpoint::Start), None);
    }
}
