//! Traits that callers rely on without naming them.

use std::error::Error as StdError;

use static_assertions::assert_impl_all;
use tulip_fleet::{ItemError, ItemReport, Plan, PlanError, Run};

assert_impl_all!(Run: Send, Unpin);
assert_impl_all!(Plan: Send);
assert_impl_all!(ItemReport: Send, Sync);
assert_impl_all!(ItemError: Send, Sync, StdError);
assert_impl_all!(PlanError: Send, Sync, StdError);
