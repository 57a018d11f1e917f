//! The cargo feature that adds each scheme.

tulip_core::register_sink_hint!("file", "fs");
tulip_core::register_sink_hint!("s3", "s3");
tulip_core::register_sink_hint!("s3a", "s3");
tulip_core::register_sink_hint!("gs", "gcs");
tulip_core::register_sink_hint!("az", "azure");
