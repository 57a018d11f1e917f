//! The settings of a client, from the environment.

use std::path::{Path, PathBuf};

use tulip_core::{Credentials, CredentialsError, InstanceUrl, InstanceUrlError, WorkspaceId};
use zeroize::Zeroizing;

/// The instance, the credentials and the settings that go with them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The instance, from `TULIP_BASE_URL`.
    pub instance: InstanceUrl,
    /// The credentials, from `TULIP_API_KEY` with `TULIP_API_SECRET`, or `TULIP_AUTH`.
    pub credentials: Credentials,
    /// The workspace of an account token, from `TULIP_WORKSPACE_ID`; `None` for a workspace
    /// token.
    pub workspace: Option<WorkspaceId>,
    /// Additional certificate authorities to trust, from `TULIP_CA_FILE`.
    pub ca_file: Option<PathBuf>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// `TULIP_BASE_URL` is not set.
    #[error("no instance: set TULIP_BASE_URL, for example to https://acme.tulip.co")]
    NoInstance,
    /// `TULIP_BASE_URL` cannot be used.
    #[error("TULIP_BASE_URL: {0}")]
    Instance(InstanceUrlError),
    /// The credentials are missing or cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// `TULIP_WORKSPACE_ID` cannot be used. Its value is not shown, because it may be a secret in
    /// the wrong variable.
    #[error(
        "TULIP_WORKSPACE_ID does not hold a workspace id, which is one word without slashes, such as DEFAULT"
    )]
    Workspace,
    /// A variable and its `_FILE` twin are both set.
    #[error("{name} and {name}_FILE are both set; unset one of them")]
    Twice {
        /// The variable.
        name: String,
    },
    /// A variable is not UTF-8.
    #[error("{name} is not UTF-8")]
    NotUnicode {
        /// The variable.
        name: String,
    },
    /// The file that a `_FILE` variable names is empty.
    #[error("{name}_FILE: {} is empty", path.display())]
    EmptyFile {
        /// The variable, without `_FILE`.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// A value has a quote at one end only. The value is not shown.
    #[error("{name} has an unmatched quote; remove it")]
    Quote {
        /// The variable.
        name: String,
    },
    /// The file that a `_FILE` variable names cannot be read.
    #[error("{name}_FILE: cannot read {}: {reason}", path.display())]
    File {
        /// The variable, without `_FILE`.
        name: String,
        /// The file.
        path: PathBuf,
        /// The system's error message.
        reason: String,
    },
}

/// No secret is longer; a larger file was named by mistake.
const MAX_FILE: u64 = 64 * 1024;

impl Settings {
    /// Creates settings with an instance and credentials, and nothing else.
    #[must_use]
    pub fn new(instance: InstanceUrl, credentials: Credentials) -> Self {
        Self {
            instance,
            credentials,
            workspace: None,
            ca_file: None,
        }
    }

    /// Reads settings from the process environment; see [`Settings::from_vars`].
    ///
    /// # Errors
    /// As [`Settings::from_vars`], and if a variable is not UTF-8.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_vars(|name| match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(SettingsError::NotUnicode {
                name: name.to_owned(),
            }),
        })
    }

    /// Reads settings from variables looked up by `var`: `TULIP_BASE_URL`, `TULIP_API_KEY`,
    /// `TULIP_API_SECRET`, `TULIP_AUTH`, `TULIP_WORKSPACE_ID`, `TULIP_CA_FILE`. Each but the last
    /// may instead be given as `…_FILE`, the path of a file that holds the value, as with mounted
    /// secrets. An empty variable counts as unset.
    ///
    /// Byte order marks and blanks around a value are dropped. So are quotes, which `docker
    /// --env-file` keeps, except around the secret.
    ///
    /// # Errors
    /// [`SettingsError`] if something is missing, set twice, or cannot be used or read.
    pub fn from_vars(
        var: impl Fn(&str) -> Result<Option<String>, SettingsError>,
    ) -> Result<Self, SettingsError> {
        let secret = |name: &str| value_or_file(name, &var);
        let value = |name: &str| unquoted(name, secret(name)?);
        let instance = value("TULIP_BASE_URL")?.ok_or(SettingsError::NoInstance)?;
        let instance = InstanceUrl::parse(&instance).map_err(SettingsError::Instance)?;
        let names = ["TULIP_API_KEY", "TULIP_API_SECRET", "TULIP_AUTH"];
        let found = [value(names[0])?, secret(names[1])?, value(names[2])?];
        let credentials = Credentials::from_vars(|name| {
            let at = names.iter().position(|known| *known == name)?;
            found[at].as_ref().map(|value| value.to_string())
        })?;
        let workspace = value("TULIP_WORKSPACE_ID")?
            .map(|id| id.parse::<WorkspaceId>())
            .transpose()
            .map_err(|_| SettingsError::Workspace)?;
        let ca_file = var("TULIP_CA_FILE")?.filter(|path| !path.is_empty());
        Ok(Self {
            instance,
            credentials,
            workspace,
            ca_file: ca_file.map(PathBuf::from),
        })
    }
}

fn value_or_file(
    name: &str,
    var: impl Fn(&str) -> Result<Option<String>, SettingsError>,
) -> Result<Option<Zeroizing<String>>, SettingsError> {
    let direct = var(name)?.map(Zeroizing::new).map(bare);
    let direct = direct.filter(|value| !value.is_empty());
    let file = var(&format!("{name}_FILE"))?;
    let file = file.filter(|path| !path.trim().is_empty());
    match (direct, file) {
        (Some(_), Some(_)) => Err(SettingsError::Twice {
            name: name.to_owned(),
        }),
        (direct, None) => Ok(direct),
        (None, Some(path)) => match read(Path::new(&path)).map(bare) {
            Ok(text) if text.is_empty() => Err(SettingsError::EmptyFile {
                name: name.to_owned(),
                path: path.into(),
            }),
            Ok(text) => Ok(Some(text)),
            Err(reason) => Err(SettingsError::File {
                name: name.to_owned(),
                path: path.into(),
                reason,
            }),
        },
    }
}

/// Strips the byte order mark, blanks and line ends around a value.
fn bare(text: Zeroizing<String>) -> Zeroizing<String> {
    let bare = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    Zeroizing::new(bare.to_owned())
}

/// Strips the quotes around a value.
fn unquoted(
    name: &str,
    value: Option<Zeroizing<String>>,
) -> Result<Option<Zeroizing<String>>, SettingsError> {
    let Some(value) = value else {
        return Ok(None);
    };
    const QUOTES: [char; 2] = ['"', '\''];
    for quote in QUOTES {
        let inner = value.strip_prefix(quote);
        if let Some(inner) = inner.and_then(|inner| inner.strip_suffix(quote)) {
            let inner = bare(Zeroizing::new(inner.to_owned()));
            return Ok(Some(inner).filter(|inner| !inner.is_empty()));
        }
    }
    if value.starts_with(QUOTES) || value.ends_with(QUOTES) {
        return Err(SettingsError::Quote {
            name: name.to_owned(),
        });
    }
    Ok(Some(value))
}

fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    use std::io::Read as _;
    let mut text = Zeroizing::new(String::new());
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_FILE + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_FILE {
        return Err(format!("it has over {MAX_FILE} bytes"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(vars: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_vars(|name| {
            Ok(vars
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned()))
        })
    }

    const BASE: (&str, &str) = ("TULIP_BASE_URL", "https://acme.tulip.co");
    const KEY: (&str, &str) = ("TULIP_API_KEY", "apikey.2_a");
    const SECRET: (&str, &str) = ("TULIP_API_SECRET", "s3cret");

    #[test]
    fn variables_give_settings_and_empty_ones_count_as_unset() {
        let found = settings(&[BASE, KEY, SECRET, ("TULIP_WORKSPACE_ID", "DEFAULT")]).unwrap();
        assert_eq!(found.instance.to_string(), "https://acme.tulip.co");
        assert_eq!(found.workspace.unwrap().as_str(), "DEFAULT");
        let found = settings(&[
            BASE,
            KEY,
            SECRET,
            ("TULIP_WORKSPACE_ID", ""),
            ("TULIP_AUTH", " "),
        ]);
        assert!(found.unwrap().workspace.is_none());
    }

    #[test]
    fn what_editors_and_shells_leave_around_a_value_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "\u{feff}\"s3 cret\"\r\n").unwrap();
        let found = settings(&[
            ("TULIP_BASE_URL", "\"https://acme.tulip.co\""),
            ("TULIP_API_KEY", "\u{feff} 'apikey.2_a' "),
            ("TULIP_API_SECRET_FILE", file.to_str().unwrap()),
            ("TULIP_WORKSPACE_ID", "\"DEFAULT\""),
        ])
        .unwrap();
        assert_eq!(found.instance.to_string(), "https://acme.tulip.co");
        assert_eq!(found.credentials.key(), "apikey.2_a");
        // Quotes can be part of a secret.
        assert_eq!(found.credentials.expose_secret(), "\"s3 cret\"");
        assert_eq!(found.workspace.unwrap().as_str(), "DEFAULT");
        let open = settings(&[("TULIP_BASE_URL", "\"https://acme.tulip.co"), KEY, SECRET]);
        let open = open.unwrap_err().to_string();
        assert!(
            open.contains("TULIP_BASE_URL has an unmatched quote"),
            "{open}"
        );
    }

    #[test]
    fn an_empty_secret_file_is_named_by_its_variable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "\u{feff}\n").unwrap();
        let path = file.to_str().unwrap();
        let error = settings(&[BASE, KEY, ("TULIP_API_SECRET_FILE", path)]).unwrap_err();
        let message = error.to_string();
        assert_eq!(message, format!("TULIP_API_SECRET_FILE: {path} is empty"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let message = |vars: &[_]| settings(vars).unwrap_err().to_string();
        assert!(message(&[KEY, SECRET]).contains("set TULIP_BASE_URL"));
        assert!(message(&[("TULIP_BASE_URL", "acme.tulip.co")]).contains("did you mean https://"));
        assert!(message(&[BASE]).contains("set TULIP_API_KEY"));
        assert!(message(&[BASE, KEY]).contains("TULIP_API_SECRET"));
        assert!(
            message(&[BASE, KEY, SECRET, ("TULIP_WORKSPACE_ID", "a/b")])
                .contains("TULIP_WORKSPACE_ID")
        );
        let twice = message(&[BASE, KEY, SECRET, ("TULIP_API_KEY_FILE", "/x")]);
        assert!(
            twice.contains("TULIP_API_KEY and TULIP_API_KEY_FILE"),
            "{twice}"
        );
    }

    #[test]
    fn secrets_are_read_from_mounted_files() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs");
        // Any readable file shows that the file's text, not its path, is the value.
        let error = settings(&[("TULIP_BASE_URL_FILE", manifest)]).unwrap_err();
        assert!(matches!(error, SettingsError::Instance(_)), "{error}");
        let error =
            settings(&[BASE, KEY, ("TULIP_API_SECRET_FILE", "/nowhere/secret")]).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("TULIP_API_SECRET_FILE: cannot read /nowhere/secret"),
            "{message}"
        );
    }
}
