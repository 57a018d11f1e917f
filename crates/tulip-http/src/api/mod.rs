//! Tulip's API: its calls, its replies and its settings.

mod calls;
mod probe;
mod reply;
mod settings;
mod start;

pub(crate) use calls::{Api, ApiOptions};
pub use probe::ApiProbe;
pub use settings::{Settings, SettingsError};
pub use start::StartAttempts;
