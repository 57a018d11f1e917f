//! Which feature would bring a sink that this build does not have.

#[cfg(not(feature = "fs"))]
tulip_core::register_sink_hint!("file", "fs");
#[cfg(not(feature = "s3"))]
tulip_core::register_sink_hint!("s3", "s3");
#[cfg(not(feature = "s3"))]
tulip_core::register_sink_hint!("s3a", "s3");
#[cfg(not(feature = "gcs"))]
tulip_core::register_sink_hint!("gs", "gcs");
#[cfg(not(feature = "azure"))]
tulip_core::register_sink_hint!("az", "azure");
