//! Setting up an emulator.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::time::Instant;
use tulip_core::{Credentials, InstanceUrl, Scope, WorkspaceId};

use crate::api::Api;
use crate::asset::AssetHost;
use crate::csv::{CsvArchive, CsvError};
use crate::emulator::Emulator;
use crate::error::{EmulatorError, MAX_MACHINES};
use crate::instance::{Instance, Parts};
use crate::script::JobScript;
use crate::server::Server;
use crate::tokens::{TokenKind, Tokens};

pub(crate) const BOTH_SCOPES: [Scope; 2] = [Scope::MachinesRead, Scope::MachinesWrite];

/// The settings of an emulator, created by [`Emulator::builder`].
#[derive(Clone)]
#[must_use]
pub struct EmulatorBuilder {
    seed: u64,
    machines: usize,
    rows: u64,
    listen: SocketAddr,
    listen_assets: SocketAddr,
    public_host: Option<String>,
    workspace: WorkspaceId,
    script: JobScript,
    credentials: Option<Credentials>,
    account_credentials: Option<Credentials>,
}

impl EmulatorBuilder {
    pub(crate) fn new() -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            seed: 1,
            machines: 3,
            rows: 1_000,
            listen: any_port,
            listen_assets: any_port,
            public_host: None,
            workspace: WorkspaceId::new("DEFAULT").expect("DEFAULT is a workspace id"),
            script: JobScript::new(),
            credentials: None,
            account_credentials: None,
        }
    }

    /// The seed of all generated data: ids, secrets, names, archives. 1 by default. Anyone who
    /// knows the seed knows the secrets, unless they are [set](Self::credentials).
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many machines there are. 3 by default, one of each kind; 100,000 at most.
    pub fn machines(mut self, count: usize) -> Self {
        self.machines = count;
        self
    }

    /// How many data records each machine's archive has. 1,000 by default;
    /// [`CsvArchive::MAX_ROWS`] at most.
    pub fn rows(mut self, rows: u64) -> Self {
        self.rows = rows;
        self
    }

    /// Where the API listens. A free port of 127.0.0.1 by default.
    pub fn listen(mut self, address: impl Into<SocketAddr>) -> Self {
        self.listen = address.into();
        self
    }

    /// Where the asset host listens. A free port of 127.0.0.1 by default.
    pub fn listen_assets(mut self, address: impl Into<SocketAddr>) -> Self {
        self.listen_assets = address.into();
        self
    }

    /// The host name or address in the URLs that the emulator gives out, for clients that do not
    /// reach it under the address it listens on. Ports stay the same.
    pub fn public_host(mut self, host: impl Into<String>) -> Self {
        self.public_host = Some(host.into());
        self
    }

    /// The workspace. `DEFAULT` by default.
    pub fn workspace(mut self, workspace: WorkspaceId) -> Self {
        self.workspace = workspace;
        self
    }

    /// The script of jobs for which no other one is queued.
    pub fn default_script(mut self, script: JobScript) -> Self {
        self.script = script;
        self
    }

    /// The workspace token that [`Emulator::credentials`] returns, instead of a generated one.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// The account token that [`Emulator::account_credentials`] returns, instead of a generated
    /// one.
    pub fn account_credentials(mut self, credentials: Credentials) -> Self {
        self.account_credentials = Some(credentials);
        self
    }

    /// Starts the emulator. Must be called inside a tokio runtime, on which the emulator then runs.
    ///
    /// # Errors
    /// [`EmulatorError`] if it cannot listen on an address, the public host does not form a URL, or
    /// there are too many rows or machines.
    pub async fn start(self) -> Result<Emulator, EmulatorError> {
        if self.rows > CsvArchive::MAX_ROWS {
            return Err(CsvError::TooManyRows { rows: self.rows }.into());
        }
        if self.machines > MAX_MACHINES {
            return Err(EmulatorError::TooManyMachines {
                machines: self.machines,
            });
        }
        let (api, api_address) = bind(self.listen).await?;
        let (assets, asset_address) = bind(self.listen_assets).await?;
        let public = self.public_host.as_deref();
        let base_url = origin(public, api_address)?;
        let asset_origin = origin(public, asset_address)?;
        let mut tokens = Tokens::default();
        let mut token = |fixed: Option<Credentials>, index, kind| match fixed {
            Some(fixed) => {
                tokens.add(&fixed, kind, &BOTH_SCOPES, Instant::now());
                Ok(fixed)
            }
            None => tokens.issue(self.seed, index, kind, &BOTH_SCOPES, Instant::now()),
        };
        let credentials = token(self.credentials, WORKSPACE_TOKEN, TokenKind::Workspace)?;
        let account = token(self.account_credentials, ACCOUNT_TOKEN, TokenKind::Account)?;
        let instance = Arc::new(Instance::new(Parts {
            seed: self.seed,
            rows: self.rows,
            workspace: self.workspace,
            machines: self.machines,
            script: self.script,
            asset_host: format!(
                "{}:{}",
                host_of(public, asset_address),
                asset_address.port()
            ),
            tokens,
        }));
        tracing::info!(%base_url, %asset_origin, "the emulator listens");
        Ok(Emulator {
            api: Server::start(api, Arc::new(Api(Arc::clone(&instance)))),
            assets: Server::start(assets, Arc::new(AssetHost(Arc::clone(&instance)))),
            instance,
            base_url,
            asset_origin,
            credentials,
            account_credentials: account,
        })
    }
}

/// The numbers of the two tokens that every instance has; later ones are numbered from 0 up.
const WORKSPACE_TOKEN: u64 = u64::MAX;
const ACCOUNT_TOKEN: u64 = u64::MAX - 1;

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), EmulatorError> {
    let refused = |source| EmulatorError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}

/// The host in URLs. A listener on all addresses is given as loopback, which works on this machine.
fn host_of(public: Option<&str>, bound: SocketAddr) -> String {
    match (public, bound.ip()) {
        (Some(host), _) => host.to_ascii_lowercase(),
        (None, IpAddr::V4(ip)) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        (None, IpAddr::V6(ip)) if ip.is_unspecified() => format!("[{}]", Ipv6Addr::LOCALHOST),
        (None, IpAddr::V4(ip)) => ip.to_string(),
        (None, IpAddr::V6(ip)) => format!("[{ip}]"),
    }
}

fn origin(public: Option<&str>, bound: SocketAddr) -> Result<InstanceUrl, EmulatorError> {
    let host = format!("{}:{}", host_of(public, bound), bound.port());
    InstanceUrl::parse(&format!("http://{host}"))
        .map_err(|source| EmulatorError::Host { host, source })
}

impl fmt::Debug for EmulatorBuilder {
    /// Omits the seed, since the secrets derive from it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatorBuilder")
            .field("machines", &self.machines)
            .field("rows", &self.rows)
            .field("listen", &self.listen)
            .field("listen_assets", &self.listen_assets)
            .field("public_host", &self.public_host)
            .field("workspace", &self.workspace)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_in_urls_is_one_that_can_be_reached() {
        let host = |address: &str, public| host_of(public, address.parse().unwrap());
        assert_eq!(host("10.0.0.7:1", None), "10.0.0.7");
        assert_eq!(host("0.0.0.0:1", None), "127.0.0.1");
        assert_eq!(host("[::]:1", None), "[::1]");
        assert_eq!(host("[fe80::1]:1", None), "[fe80::1]");
        assert_eq!(host("0.0.0.0:1", Some("Tulip.Local")), "tulip.local");
    }

    #[test]
    fn an_emulator_can_be_shared_between_threads() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<Emulator>();
        shared::<EmulatorBuilder>();
        shared::<CsvArchive>();
    }
}
