//! The calls that this crate makes.

use std::fmt;

use tulip_core::{JobId, MachineId, ResourceUrl, Scope};

/// A call, with the job, machine or host that it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// `GET /machines/archive/csv/{jobID}`.
    ArchiveStatus(JobId),
    /// `POST /machines/archive/{machineID}`.
    StartArchive(MachineId),
    /// `GET /machines`.
    Machines,
    /// The download of an archive from `host`.
    Asset {
        /// The asset's host, with its port if the URL has one.
        host: String,
    },
}

impl Endpoint {
    /// Returns the scope that a token needs for this call, or `None` for a download, which needs no
    /// token.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        match self {
            Self::ArchiveStatus(_) | Self::Machines => Some(Scope::MachinesRead),
            Self::StartArchive(_) => Some(Scope::MachinesWrite),
            Self::Asset { .. } => None,
        }
    }

    /// Returns whether sending the call twice has the same effect as sending it once.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        !matches!(self, Self::StartArchive(_))
    }

    pub(crate) fn asset(resource: &ResourceUrl) -> Self {
        Self::Asset {
            host: resource.authority().to_owned(),
        }
    }

    pub(crate) fn segments(&self) -> Vec<&str> {
        match self {
            Self::ArchiveStatus(job) => vec!["machines", "archive", "csv", job.as_str()],
            Self::StartArchive(machine) => vec!["machines", "archive", machine.as_str()],
            Self::Machines => vec!["machines"],
            Self::Asset { .. } => Vec::new(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArchiveStatus(job) => write!(f, "GET /machines/archive/csv/{job}"),
            Self::StartArchive(machine) => write!(f, "POST /machines/archive/{machine}"),
            Self::Machines => f.write_str("GET /machines"),
            Self::Asset { host } => write!(f, "download from {host}"),
        }
    }
}
