//! The state shared by both hosts.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio::sync::watch;
use tokio::time::Instant;
use tulip_core::{JobId, MachineId, WorkspaceId};

use crate::clock::Clock;
use crate::content::{Content, FixedContent};
use crate::csv::{CsvArchive, Template, machine_seed};
use crate::error::EmulatorError;
use crate::fault::{Endpoint, Fault, Faults};
use crate::gzip::gzip;
use crate::jobs::{Job, Jobs};
use crate::log::{ApiRequest, AssetRequest, Log, Requests};
use crate::machines::Machines;
use crate::presign::Presigner;
use crate::random::Random;
use crate::script::{AssetScript, JobScript};
use crate::tokens::Tokens;

/// The customer in replies that start a job.
pub(crate) const CUSTOMER: &str = "factory";
/// How many templates are kept, of the machines used last; about 0.7 MiB each.
const TEMPLATES_KEPT: usize = 64;

/// The state of an instance.
pub(crate) struct Instance {
    pub(crate) seed: u64,
    pub(crate) rows: u64,
    pub(crate) workspace: WorkspaceId,
    pub(crate) machines: Machines,
    pub(crate) clock: Clock,
    pub(crate) presigner: Presigner,
    /// The host and port that archives are downloaded from, for example `127.0.0.1:40123`.
    pub(crate) asset_host: String,
    pub(crate) asset_bytes: Arc<AtomicU64>,
    tokens: Mutex<Tokens>,
    scripts: Mutex<Scripts>,
    jobs: Mutex<Jobs>,
    faults: Mutex<Faults>,
    log: Mutex<Log>,
    templates: Mutex<Vec<(MachineId, Arc<Template>)>>,
    names: AtomicU64,
    seen: watch::Sender<()>,
}

/// The scripts of future jobs.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    pub(crate) default: JobScript,
    pub(crate) next: VecDeque<JobScript>,
    pub(crate) next_of: HashMap<MachineId, VecDeque<JobScript>>,
}

impl Scripts {
    /// Takes the script of the next job, which is for `machine`.
    pub(crate) fn take(&mut self, machine: &MachineId) -> JobScript {
        let own = self.next_of.get_mut(machine).and_then(VecDeque::pop_front);
        let next = own.or_else(|| self.next.pop_front());
        next.unwrap_or_else(|| self.default.clone())
    }
}

/// The parts of a new instance.
pub(crate) struct Parts {
    pub(crate) seed: u64,
    pub(crate) rows: u64,
    pub(crate) workspace: WorkspaceId,
    pub(crate) machines: usize,
    pub(crate) script: JobScript,
    pub(crate) asset_host: String,
    pub(crate) tokens: Tokens,
}

/// Locks, ignoring poisoning: a panic elsewhere does not leave a change half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Instance {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            seed: parts.seed,
            rows: parts.rows,
            workspace: parts.workspace,
            machines: Machines::new(parts.seed, parts.machines),
            clock: Clock::start(),
            presigner: Presigner::new(parts.seed),
            asset_host: parts.asset_host,
            asset_bytes: Arc::default(),
            tokens: Mutex::new(parts.tokens),
            scripts: Mutex::new(Scripts {
                default: parts.script,
                ..Scripts::default()
            }),
            jobs: Mutex::default(),
            faults: Mutex::default(),
            log: Mutex::default(),
            templates: Mutex::default(),
            names: AtomicU64::new(0),
            seen: watch::Sender::new(()),
        }
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        lock(&self.tokens)
    }

    pub(crate) fn scripts(&self) -> MutexGuard<'_, Scripts> {
        lock(&self.scripts)
    }

    pub(crate) fn jobs(&self) -> MutexGuard<'_, Jobs> {
        lock(&self.jobs)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    /// Takes the fault of the next request to `endpoint` on the API; `job` is that of a status
    /// call.
    pub(crate) fn take_fault(&self, endpoint: Endpoint, job: Option<&JobId>) -> Fault {
        let own = job.and_then(|job| self.jobs().get_mut(job)?.status_call());
        let fault = own.or_else(|| self.faults().take(endpoint));
        fault.unwrap_or(Fault::None)
    }

    /// Takes the fault of the next request for the archive of `job`, or for a range of it.
    pub(crate) fn take_asset_fault(&self, job: Option<&JobId>, has_range: bool) -> Fault {
        let (own, always) = {
            let mut jobs = self.jobs();
            let job = job.and_then(|job| jobs.get_mut(job));
            job.map_or((None, None), |job| {
                let faults = &job.script.faults;
                let ranged = faults.asset_ranged.clone().filter(|_| has_range);
                let always = ranged.or_else(|| faults.asset_always.clone());
                (job.asset_request(), always)
            })
        };
        let fault = own.or_else(|| self.faults().take(Endpoint::Asset));
        fault.or(always).unwrap_or(Fault::None)
    }

    /// Returns a number that this instance has not given out before.
    pub(crate) fn next_number(&self) -> u64 {
        self.names.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn log_api(&self, request: ApiRequest) {
        lock(&self.log).api(request);
        self.seen.send_replace(());
    }

    pub(crate) fn log_asset(&self, request: AssetRequest, bytes: Arc<AtomicU64>) {
        lock(&self.log).asset(request, bytes);
        self.seen.send_replace(());
    }

    pub(crate) fn log_start(&self, machine: &MachineId) {
        lock(&self.log).start(machine);
    }

    pub(crate) fn requests(&self) -> Requests {
        let jobs = self.jobs().requests();
        lock(&self.log).requests(self.asset_bytes.load(Ordering::Relaxed), jobs)
    }

    pub(crate) async fn wait_for_requests(&self, endpoint: Endpoint, count: usize) {
        let mut seen = self.seen.subscribe();
        while lock(&self.log).count_of(endpoint) < count {
            if seen.changed().await.is_err() {
                return;
            }
        }
    }

    /// Adds a job for `machine`; if `id` is `None`, one is generated.
    pub(crate) fn add_job(
        &self,
        id: Option<JobId>,
        machine: MachineId,
        script: JobScript,
    ) -> JobId {
        let mut jobs = self.jobs();
        let id = id.unwrap_or_else(|| {
            let mut random = Random::of(self.seed, "job", jobs.len() as u64);
            let name = match script.has_numeric_id {
                true => (100_000_000 + random.next() % 900_000_000).to_string(),
                false => random.name(17),
            };
            JobId::new(name).expect("letters and digits make an id")
        });
        jobs.add(Job::new(
            id.clone(),
            machine,
            script,
            Instant::now(),
            self.clock.now(),
        ));
        id
    }

    /// The archive of `machine` with `rows` rows.
    pub(crate) fn archive(
        &self,
        machine: &MachineId,
        rows: u64,
    ) -> Result<CsvArchive, EmulatorError> {
        let Some(kind) = self.machines.kind(machine) else {
            return Err(EmulatorError::UnknownMachine(machine.clone()));
        };
        let seed = machine_seed(self.seed, machine);
        let kept = {
            let templates = lock(&self.templates);
            let known = templates.iter().find(|(known, _)| known == machine);
            known.map(|(_, template)| Arc::clone(template))
        };
        // Built outside the lock, so that downloads of other machines do not wait for it.
        let template = match kept {
            Some(template) if template.covers(rows) => template,
            _ => Arc::new(Template::build(seed, kind, rows)),
        };
        let mut templates = lock(&self.templates);
        templates.retain(|(known, _)| known != machine);
        templates.insert(0, (machine.clone(), Arc::clone(&template)));
        templates.truncate(TEMPLATES_KEPT);
        drop(templates);
        Ok(CsvArchive::from_template(template, seed, rows)?)
    }

    /// The content that the asset host serves for a job of `machine` with this script.
    pub(crate) fn content(&self, machine: &MachineId, script: &AssetScript) -> Option<Content> {
        let content = self.plain_content(machine, script)?;
        let content = match &script.fault {
            Some(fault) => {
                let bytes = fault.spoil(&content.to_bytes());
                Content::fixed(FixedContent::new(bytes))
            }
            None => content,
        };
        Some(encoded(content, script))
    }

    /// Like [`Self::content`], but after the object has been replaced.
    pub(crate) fn replaced(&self, machine: &MachineId, script: &AssetScript) -> Option<Content> {
        let content = match &script.replacement {
            Some(fixed) => Content::fixed(fixed.clone()),
            None => self.plain_content(machine, script)?.altered(),
        };
        Some(encoded(content, script))
    }

    fn plain_content(&self, machine: &MachineId, script: &AssetScript) -> Option<Content> {
        let content = match &script.content {
            Some(fixed) => Content::fixed(fixed.clone()),
            None => {
                let rows = script.rows.unwrap_or(self.rows).min(CsvArchive::MAX_ROWS);
                Content::archive(self.archive(machine, rows).ok()?)
            }
        };
        Some(content.truncated(script.truncate))
    }

    /// Signs a new URL for the archive of `job`.
    pub(crate) fn sign_url(&self, job: &mut Job) -> String {
        let session = format!("session{}", job.new_url());
        let path = asset_path(&job.info.id);
        let script = &job.script.asset;
        let host = script.host.as_deref().unwrap_or(&self.asset_host);
        let scheme = if script.https { "https" } else { "http" };
        let now = self.clock.now();
        let query = self
            .presigner
            .sign(&path, host, &session, now, script.url_lifetime);
        format!("{scheme}://{host}{path}?{query}")
    }
}

fn encoded(content: Content, script: &AssetScript) -> Content {
    if script.gzip {
        Content::fixed(FixedContent::new(gzip(&content.to_bytes()).into()))
    } else {
        content
    }
}

const FOLDER: &str = "/factory/tableExports/";

fn asset_path(job: &JobId) -> String {
    let name = utf8_percent_encode(job.as_str(), NON_ALPHANUMERIC);
    format!("{FOLDER}{name}.csv")
}

/// The job whose archive is at `path`.
pub(crate) fn job_of_path(path: &str) -> Option<JobId> {
    let name = path.strip_prefix(FOLDER)?.strip_suffix(".csv")?;
    let name = percent_decode_str(name).decode_utf8().ok()?;
    JobId::new(name).ok()
}

/// The number of a signed URL, from its session.
pub(crate) fn url_number(session: &str) -> Option<usize> {
    session.strip_prefix("session")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_back_to_its_job() {
        for id in ["evsLrbKLQgX8YWE4v", "a_b", "日本", "a%b?c#d.csv"] {
            let job: JobId = id.parse().unwrap();
            let path = asset_path(&job);
            assert!(path.is_ascii() && !path.contains(['?', '#']));
            assert_eq!(job_of_path(&path), Some(job));
        }
        assert_eq!(job_of_path("/factory/tableExports/.csv"), None);
        assert_eq!(job_of_path("/other/x.csv"), None);
    }
}
