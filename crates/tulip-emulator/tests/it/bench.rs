//! An emulator with one job.

use bytes::Bytes;
use reqwest::Response;
use tulip_core::JobId;
use tulip_emulator::{Emulator, JobScript};

use crate::client::Api;

pub(crate) struct Bench {
    pub(crate) emulator: Emulator,
    pub(crate) api: Api,
    pub(crate) job: JobId,
    /// The bytes that the asset host serves for the job.
    pub(crate) whole: Bytes,
}

pub(crate) async fn bench(script: JobScript) -> Bench {
    let emulator = Emulator::start().await.unwrap();
    let job = emulator.add_job(script).unwrap();
    Bench {
        api: Api::new(&emulator),
        whole: emulator.content(&job).unwrap().to_bytes(),
        emulator,
        job,
    }
}

impl Bench {
    /// A URL that no request has used.
    pub(crate) async fn fresh(&self) -> String {
        self.api.resource(&self.job).await
    }

    /// The reply to a download with these headers, from a fresh URL.
    pub(crate) async fn download(&self, headers: &[(&str, &str)]) -> Response {
        let mut request = self.api.http.get(self.fresh().await);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }
}
