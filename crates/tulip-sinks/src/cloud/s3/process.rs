//! Credentials printed by a profile's `credential_process` command.

use std::ffi::OsStr;
use std::fmt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::HeaderValue;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use serde::Deserialize;
use tokio::process::Command;
use tokio::sync::Mutex;
use tulip_core::Timestamp;

/// Credentials are renewed this long before they expire.
const EARLY: Duration = Duration::from_secs(300);

/// How long the command may take; it may have to ask a person.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) struct ProcessCredentials {
    command: String,
    cached: Mutex<Option<(Arc<AwsCredential>, Option<SystemTime>)>>,
}

impl fmt::Debug for ProcessCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProcessCredentials")
    }
}

/// The command's output.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: u32,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<Timestamp>,
}

impl ProcessCredentials {
    pub(super) fn new(command: String) -> Self {
        Self {
            command,
            cached: Mutex::default(),
        }
    }

    async fn run(&self) -> Result<Printed, String> {
        #[cfg(windows)]
        let mut command = Command::new("cmd.exe");
        #[cfg(windows)]
        command.arg("/C");
        #[cfg(not(windows))]
        let mut command = Command::new("sh");
        #[cfg(not(windows))]
        command.arg("-c");
        for (name, _) in std::env::vars_os() {
            if is_ours(&name) {
                command.env_remove(name);
            }
        }
        let output = command
            .arg(&self.command)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(LIMIT, output)
            .await
            .map_err(|_| format!("it took longer than {} s", LIMIT.as_secs()))?
            .map_err(|error| format!("it cannot be started: {error}"))?;
        if !output.status.success() {
            return Err(format!("it ended with {}", output.status));
        }
        // The parser's message could quote a secret.
        let printed: Printed = serde_json::from_slice(&output.stdout)
            .map_err(|_| "it did not print the JSON of version 1".to_owned())?;
        if printed.version != 1 {
            return Err(format!("it printed version {}, not 1", printed.version));
        }
        // `object_store`'s signer would panic.
        let can_be_sent = |value: &String| HeaderValue::from_str(value).is_ok();
        if !can_be_sent(&printed.access_key_id)
            || !printed.session_token.as_ref().is_none_or(can_be_sent)
        {
            return Err("what it printed contains a control character".to_owned());
        }
        Ok(printed)
    }
}

/// Whether a variable is one of Tulip's. They can hold its credentials, which the command must not
/// see.
fn is_ours(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.get(..6)
        .is_some_and(|start| start.eq_ignore_ascii_case("TULIP_"))
}

#[async_trait]
impl CredentialProvider for ProcessCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut cached = self.cached.lock().await;
        if let Some((credential, expires)) = &*cached
            && expires.is_none_or(|at| at > SystemTime::now() + EARLY)
        {
            return Ok(credential.clone());
        }
        let printed = self.run().await.map_err(|reason| {
            let source = format!("credential_process of the AWS profile failed: {reason}");
            object_store::Error::Unauthenticated {
                path: String::new(),
                source: source.into(),
            }
        })?;
        let credential = Arc::new(AwsCredential {
            key_id: printed.access_key_id,
            secret_key: printed.secret_access_key,
            token: printed.session_token,
        });
        let expires = printed.expiration.map(|at| at.as_system_time());
        *cached = Some((credential.clone(), expires));
        Ok(credential)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    async fn run(command: &str) -> Result<Arc<AwsCredential>, String> {
        let provider = ProcessCredentials::new(command.to_owned());
        let credential = provider.get_credential().await;
        credential.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn what_the_command_prints_is_used_until_it_expires() {
        let folder = tempfile::TempDir::new().unwrap();
        let count = folder.path().join("count");
        let print = |expires: &str| {
            format!(
                r#"echo x >> '{}'; echo '{{"Version":1,"AccessKeyId":"AK","SecretAccessKey":"s","Expiration":"{expires}"}}'"#,
                count.display()
            )
        };
        let fresh = ProcessCredentials::new(print("2999-01-01T00:00:00Z"));
        assert_eq!(fresh.get_credential().await.unwrap().key_id, "AK");
        fresh.get_credential().await.unwrap();
        assert_eq!(std::fs::read_to_string(&count).unwrap().lines().count(), 1);
        let expired = ProcessCredentials::new(print("2001-01-01T00:00:00Z"));
        expired.get_credential().await.unwrap();
        expired.get_credential().await.unwrap();
        assert_eq!(std::fs::read_to_string(&count).unwrap().lines().count(), 3);
    }

    #[test]
    fn tulips_own_variables_are_kept_from_the_command() {
        for ours in [
            "TULIP_API_KEY",
            "TULIP_API_SECRET_FILE",
            "TULIP_AUTH",
            "tulip_auth",
        ] {
            assert!(is_ours(OsStr::new(ours)), "{ours}");
        }
        for other in ["AWS_PROFILE", "PATH", "MY_TULIP_X", "TULIP", "ÜÜÜÜ"] {
            assert!(!is_ours(OsStr::new(other)), "{other}");
        }
    }

    #[tokio::test]
    async fn a_command_that_fails_is_told_without_what_it_printed() {
        let failed = run("exit 3").await.unwrap_err();
        assert!(failed.contains("exit status: 3"), "{failed}");
        let odd = run("echo 5ecret").await.unwrap_err();
        assert!(
            odd.contains("version 1") && !odd.contains("5ecret"),
            "{odd}"
        );
        let newer = run(r#"echo '{"Version":2,"AccessKeyId":"a","SecretAccessKey":"b"}'"#).await;
        assert!(newer.unwrap_err().contains("version 2"));
        let token = r#""AccessKeyId":"a","SecretAccessKey":"b","SessionToken":"5ecret\u0007""#;
        let broken = run(&format!("printf '%s' '{{\"Version\":1,{token}}}'")).await;
        let broken = broken.unwrap_err();
        assert!(
            broken.contains("control character") && !broken.contains("5ecret"),
            "{broken}"
        );
    }
}
