use static_assertions::assert_impl_all;
use tulip_archive::poll::{PollError, PollPolicy, Poller};
use tulip_archive::{Export, ExportError, Exporter, Inspector, Outcome};

assert_impl_all!(Exporter: Send, Sync, Clone, std::fmt::Debug);
assert_impl_all!(Export: Send, std::fmt::Debug);
assert_impl_all!(<Export as IntoFuture>::IntoFuture: Send);
assert_impl_all!(ExportError: Send, Sync, std::error::Error);
assert_impl_all!(PollError: Send, Sync, std::error::Error);
assert_impl_all!(Poller: Send, Sync);
assert_impl_all!(PollPolicy: Send, Sync, Copy);
assert_impl_all!(Inspector: Send, Sync, Clone);
assert_impl_all!(Outcome: Send, Sync, Clone);
