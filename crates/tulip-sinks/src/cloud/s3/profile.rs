//! The shared profiles of Amazon's tools: `~/.aws/config` and `~/.aws/credentials`.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use tulip_core::sink::{SinkError, SinkErrorKind};

use super::variables::Variables;

/// The settings of a profile that a sink needs.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) region: Option<String>,
    pub(super) endpoint_url: Option<String>,
    pub(super) secret: Secret,
}

/// Where a profile's credentials come from.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Secret {
    None,
    Keys {
        id: String,
        key: String,
        token: Option<String>,
    },
    /// The output of a command.
    Process(String),
    WebIdentity {
        role: String,
        token_file: String,
        session: Option<String>,
    },
    /// A way that this program does not support.
    Elsewhere {
        how: &'static str,
    },
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Profile({:?})", self.name)
    }
}

type Section = BTreeMap<String, String>;

/// The profiles of both files.
pub(super) struct Profiles {
    sections: BTreeMap<String, Section>,
    /// The files that were searched. Without a home there is no `~/.aws`.
    files: Vec<PathBuf>,
}

impl Profiles {
    /// Reads both files. A missing one counts as empty.
    pub(super) fn read(variables: &Variables) -> Result<Self, SinkError> {
        let home = variables
            .get("HOME")
            .or_else(|| variables.get("USERPROFILE"));
        let path = |name: &str, file: &str| match variables.get(name) {
            Some(path) => Some(PathBuf::from(path)),
            None => Some(Path::new(home.as_ref()?).join(".aws").join(file)),
        };
        let config = path("AWS_CONFIG_FILE", "config");
        let credentials = path("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let (mut sections, mut files) = (BTreeMap::new(), Vec::new());
        // The credentials file comes last: if both set a value, it wins.
        for (file, is_config) in [(config, true), (credentials, false)] {
            let Some(file) = file else { continue };
            match std::fs::read_to_string(&file) {
                Ok(text) => parse(&text, is_config, &mut sections),
                Err(error) if absent(&error) => {}
                Err(error) => {
                    let what = format!("cannot read the AWS profiles in {}", file.display());
                    return Err(
                        SinkError::new(SinkErrorKind::InvalidTarget, what).with_source(error)
                    );
                }
            }
            files.push(file);
        }
        Ok(Self { sections, files })
    }

    /// Says where profiles were looked for.
    pub(super) fn places(&self) -> String {
        let files: Vec<_> = self
            .files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        match files.is_empty() {
            true => "HOME is not set, so there is no ~/.aws to look in".to_owned(),
            false => format!("looked in {}", files.join(" and ")),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Profile> {
        let section = self.sections.get(name)?;
        let value = |key: &str| section.get(key).filter(|value| !value.is_empty()).cloned();
        Some(Profile {
            name: name.to_owned(),
            region: value("region"),
            endpoint_url: value("s3.endpoint_url").or_else(|| value("endpoint_url")),
            secret: secret(&value),
        })
    }
}

fn absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Finds credentials in the order of Amazon's own tools.
fn secret(value: &dyn Fn(&str) -> Option<String>) -> Secret {
    if let Some(role) = value("role_arn") {
        return match value("web_identity_token_file") {
            Some(token_file) => Secret::WebIdentity {
                role,
                token_file,
                session: value("role_session_name"),
            },
            None => Secret::Elsewhere {
                how: "assuming a role",
            },
        };
    }
    if let (Some(id), Some(key)) = (value("aws_access_key_id"), value("aws_secret_access_key")) {
        let token = value("aws_session_token");
        return Secret::Keys { id, key, token };
    }
    if let Some(command) = value("credential_process") {
        return Secret::Process(command);
    }
    if value("sso_session").is_some() || value("sso_start_url").is_some() {
        return Secret::Elsewhere {
            how: "single sign-on",
        };
    }
    if value("login_session").is_some() {
        return Secret::Elsewhere { how: "aws login" };
    }
    Secret::None
}

/// Adds the sections of a file. In `config` a profile's section is called `profile NAME`, except
/// for `default`. An indented setting belongs to the empty one above it: `NAME` below `s3 =`
/// becomes `s3.NAME`.
fn parse(text: &str, is_config: bool, sections: &mut BTreeMap<String, Section>) {
    let mut section = None;
    let mut parent = String::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = trimmed.strip_prefix('[') {
            let title = rest.split(']').next().unwrap_or_default().trim();
            section = profile_name(title, is_config);
            parent.clear();
            continue;
        }
        let (Some(name), Some((key, value))) = (&section, trimmed.split_once('=')) else {
            continue;
        };
        let value = without_comment(value).trim().to_owned();
        let key = key.trim().to_ascii_lowercase();
        let key = match line.starts_with([' ', '\t']) && !parent.is_empty() {
            true => format!("{parent}.{key}"),
            false => {
                parent = match value.is_empty() {
                    true => key.clone(),
                    false => String::new(),
                };
                key
            }
        };
        let settings: &mut Section = sections.entry(name.clone()).or_default();
        settings.insert(key, value);
    }
}

fn profile_name(title: &str, is_config: bool) -> Option<String> {
    if !is_config || title == "default" {
        return Some(title.to_owned());
    }
    let name = title.strip_prefix("profile")?;
    name.starts_with([' ', '\t'])
        .then(|| name.trim().to_owned())
}

/// Removes a comment, which starts after white space.
fn without_comment(value: &str) -> &str {
    let end = value
        .match_indices(['#', ';'])
        .find(|(at, _)| value[..*at].ends_with([' ', '\t']))
        .map_or(value.len(), |(at, _)| at);
    &value[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiles(config: &str, credentials: &str) -> Profiles {
        let mut sections = BTreeMap::new();
        parse(config, true, &mut sections);
        parse(credentials, false, &mut sections);
        Profiles {
            sections,
            files: Vec::new(),
        }
    }

    #[test]
    fn both_files_make_one_profile_and_credentials_win() {
        let config = "\
# ours
[default]
region = eu-west-1   ; here
[profile lake]
region=eu-north-1
s3 =
    endpoint_url = https://s3.lake.example
    max_concurrent_requests = 20
aws_access_key_id = OLD
[sso-session x]
region = us-west-2";
        let credentials = "[lake]\naws_access_key_id = AK\naws_secret_access_key=a#b=c\n";
        let profiles = profiles(config, credentials);
        let lake = profiles.get("lake").unwrap();
        assert_eq!(lake.region.as_deref(), Some("eu-north-1"));
        assert_eq!(
            lake.endpoint_url.as_deref(),
            Some("https://s3.lake.example")
        );
        let keys = Secret::Keys {
            id: "AK".into(),
            key: "a#b=c".into(),
            token: None,
        };
        assert!(lake.secret == keys);
        assert_eq!(
            profiles.get("default").unwrap().region.as_deref(),
            Some("eu-west-1")
        );
        assert!(profiles.get("x").is_none() && profiles.get("sso-session x").is_none());
        assert!(!format!("{lake:?}").contains("AK"));
    }

    #[test]
    fn without_a_home_no_profiles_are_looked_for() {
        let nothing = Profiles::read(&Variables::from_iter([("HOME", "")])).unwrap();
        assert!(nothing.files.is_empty());
        assert!(nothing.places().contains("HOME is not set"));
        let home = Profiles::read(&Variables::from_iter([("HOME", "/nobody")])).unwrap();
        assert_eq!(home.files[0], Path::new("/nobody/.aws/config"));
        let named = Profiles::read(&Variables::from_iter([("AWS_CONFIG_FILE", "/no/file")]));
        assert_eq!(named.unwrap().places(), "looked in /no/file");
    }

    #[test]
    fn every_way_to_credentials_is_told_apart() {
        let secret = |section: &str| profiles(&format!("[default]\n{section}"), "").get("default");
        let secret = |section: &str| secret(section).unwrap().secret;
        assert!(secret("region = x") == Secret::None);
        assert!(secret("credential_process = get it") == Secret::Process("get it".into()));
        assert!(matches!(
            secret("role_arn = r\nsource_profile = y"),
            Secret::Elsewhere {
                how: "assuming a role"
            }
        ));
        assert!(matches!(
            secret("sso_session = x"),
            Secret::Elsewhere {
                how: "single sign-on"
            }
        ));
        assert!(matches!(
            secret("role_arn = r\nweb_identity_token_file = /t"),
            Secret::WebIdentity { .. }
        ));
    }
}
