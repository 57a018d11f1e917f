//! The emulator's errors.

use std::io;
use std::net::SocketAddr;

use tulip_core::{CredentialsError, InstanceUrlError, MachineId};

use crate::csv::CsvError;

/// The most machines that an emulator can have.
pub(crate) const MAX_MACHINES: usize = 100_000;

/// An error from starting an emulator or calling its methods.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmulatorError {
    /// The emulator cannot listen on an address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The public host does not form a URL.
    #[error("the address http://{host} cannot be used as a base URL")]
    Host {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        source: InstanceUrlError,
    },
    /// The archives would be too long.
    #[error(transparent)]
    Rows(#[from] CsvError),
    /// There would be too many machines.
    #[error("an emulator has at most {MAX_MACHINES} machines, not {machines}")]
    TooManyMachines {
        /// How many were asked for.
        machines: usize,
    },
    /// There is no such machine.
    #[error("the emulator has no machine {0}")]
    UnknownMachine(
        /// The machine asked for.
        MachineId,
    ),
    /// A job needs a machine, but there is none.
    #[error("the emulator has no machines")]
    NoMachine,
    /// A token cannot be made.
    #[error("cannot issue a token")]
    Token(#[from] CredentialsError),
}
