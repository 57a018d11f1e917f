//! S3 settings: from the URL's options, then the environment, then a shared profile.

use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderValue;
use object_store::ClientConfigKey;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key, Checksum};
use tulip_core::sink::{SinkError, SinkErrorKind, SinkOption};

use super::process::ProcessCredentials;
use super::profile::{Profile, Profiles, Secret};
use super::variables::Variables;
use crate::cloud::connection;
use crate::cloud::options::{ALLOW_HTTP, ANONYMOUS, CloudUrl, ENDPOINT, invalid};

pub(super) const REGION: SinkOption = SinkOption::new(
    "region",
    "the bucket's region; else AWS_REGION, else us-east-1",
)
.public();
pub(super) const PATH_STYLE: SinkOption = SinkOption::new(
    "path_style",
    "true puts the bucket into the path: the default for an endpoint of your own, not for Amazon",
)
.public();
pub(super) const PROFILE: SinkOption =
    SinkOption::new("profile", "a profile of ~/.aws; else AWS_PROFILE").public();
pub(super) const ACCESS_KEY_ID: SinkOption =
    SinkOption::new("access_key_id", "the access key; prefer AWS_ACCESS_KEY_ID");
pub(super) const SECRET_ACCESS_KEY: SinkOption = SinkOption::new(
    "secret_access_key",
    "its secret; prefer AWS_SECRET_ACCESS_KEY, which no process list shows",
);
pub(super) const SESSION_TOKEN: SinkOption = SinkOption::new(
    "session_token",
    "the token of temporary credentials; prefer AWS_SESSION_TOKEN",
);
pub(super) const SSE: SinkOption = SinkOption::new(
    "sse",
    "server-side encryption: AES256, aws:kms, aws:kms:dsse or sse-c",
)
.public();
pub(super) const SSE_KMS_KEY_ID: SinkOption =
    SinkOption::new("sse_kms_key_id", "the KMS key of aws:kms and aws:kms:dsse").public();
pub(super) const SSE_BUCKET_KEY: SinkOption = SinkOption::new(
    "sse_bucket_key",
    "true uses an S3 bucket key, which saves calls to KMS",
)
.public();
pub(super) const SSE_CUSTOMER_KEY: SinkOption = SinkOption::new(
    "sse_customer_key",
    "the key of sse-c in base64; prefer AWS_SSE_CUSTOMER_KEY_BASE64",
);
pub(super) const CHECKSUM: SinkOption = SinkOption::new(
    "checksum",
    "what requests carry: crc64nvme (at Amazon), sha256 or none (elsewhere)",
)
.public();
pub(super) const UNSIGNED_PAYLOAD: SinkOption = SinkOption::new(
    "unsigned_payload",
    "true leaves payloads out of signatures: by default at Amazon, where TLS and checksums guard them",
).public();
pub(super) const REQUEST_PAYER: SinkOption = SinkOption::new(
    "request_payer",
    "true pays for requests to requester-pays buckets",
)
.public();

/// The variables that hold a key and its session token.
const KEYS: [&str; 3] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// All settings of one sink.
pub(super) struct Config {
    pub(super) builder: AmazonS3Builder,
    /// Whether the store is Amazon's own.
    pub(super) is_amazon: bool,
    pub(super) ca_file: Option<PathBuf>,
}

impl Config {
    pub(super) fn of(target: CloudUrl<'_>, variables: &Variables) -> Result<Self, SinkError> {
        let bucket = target.bucket()?;
        let profile = profile(target, variables)?;
        let mut builder = credentials(target, variables, profile.as_ref())?
            .with_bucket_name(&bucket)
            .with_disable_bulk_delete(true);
        if let Some(region) = target
            .text(REGION)
            .or_else(|| variables.get("AWS_REGION"))
            .or_else(|| variables.get("AWS_DEFAULT_REGION"))
            .or_else(|| profile.as_ref()?.region.clone())
        {
            check_header("the region", &region)?;
            builder = builder.with_region(region);
        }
        let endpoint = target
            .text(ENDPOINT)
            .or_else(|| builder.get_config_value(&Key::S3Endpoint))
            .or_else(|| builder.get_config_value(&Key::Endpoint))
            .or_else(|| profile.as_ref()?.endpoint_url.clone());
        builder = place(builder, target, &bucket, endpoint.as_deref())?;
        builder = encryption(builder, target)?;
        builder = integrity(builder, target, endpoint.is_none())?;
        if let Some(pays) = target.flag(REQUEST_PAYER)? {
            builder = builder.with_request_payer(pays);
        }
        Ok(Self {
            builder,
            is_amazon: endpoint.is_none(),
            ca_file: variables.get("AWS_CA_BUNDLE").map(PathBuf::from),
        })
    }
}

/// Returns the profile that the URL or `AWS_PROFILE` names, else the default one, if there is one.
fn profile(target: CloudUrl<'_>, variables: &Variables) -> Result<Option<Profile>, SinkError> {
    let asked = target
        .text(PROFILE)
        .or_else(|| variables.get("AWS_PROFILE"));
    let profiles = Profiles::read(variables)?;
    match asked {
        Some(name) => profiles.get(&name).map(Some).ok_or_else(|| {
            let what = format!("there is no AWS profile {name:?}; {}", profiles.places());
            SinkError::new(SinkErrorKind::InvalidTarget, what)
        }),
        None => Ok(profiles.get("default")),
    }
}

/// Returns the environment's settings, with credentials in the order of Amazon's own tools. Keys in
/// the URL go first, then a profile that the URL names.
fn credentials(
    target: CloudUrl<'_>,
    variables: &Variables,
    profile: Option<&Profile>,
) -> Result<AmazonS3Builder, SinkError> {
    let mut builder = variables.builder(&[]);
    if target.flag(ANONYMOUS)? == Some(true) {
        return Ok(builder.with_skip_signature(true));
    }
    let given = [ACCESS_KEY_ID, SECRET_ACCESS_KEY].map(|option| target.text(option));
    match given {
        [Some(id), Some(secret)] => {
            // These must not be mixed with the environment's credentials.
            let token = target.text(SESSION_TOKEN);
            return statics(builder, &id, &secret, token.as_deref());
        }
        [None, None] => {}
        _ => {
            let reason = "access_key_id and secret_access_key go together";
            return Err(invalid(ACCESS_KEY_ID.name, reason));
        }
    }
    let from_url = target.text(PROFILE).is_some();
    if let Some(id) = variables.get("AWS_ACCESS_KEY_ID")
        && !from_url
    {
        check_header("AWS_ACCESS_KEY_ID", &id)?;
        if let Some(token) = variables.get("AWS_SESSION_TOKEN") {
            check_header("AWS_SESSION_TOKEN", &token)?;
        }
        return Ok(builder);
    }
    match profile.map(|profile| &profile.secret) {
        Some(Secret::Keys { id, key, token }) => {
            builder = statics(builder, id, key, token.as_deref())?;
        }
        Some(Secret::Process(command)) => {
            let provider = ProcessCredentials::new(command.clone());
            builder = builder.with_credentials(Arc::new(provider));
        }
        Some(Secret::WebIdentity {
            role,
            token_file,
            session,
        }) => {
            // `object_store` would prefer the environment's keys to the role.
            builder = variables
                .builder(&KEYS)
                .with_config(Key::RoleArn, role)
                .with_config(Key::WebIdentityTokenFile, token_file);
            if let Some(session) = session {
                builder = builder.with_config(Key::RoleSessionName, session);
            }
        }
        Some(Secret::Elsewhere { how }) => {
            let name = profile
                .map(|profile| profile.name.as_str())
                .unwrap_or_default();
            let error = SinkError::new(
                SinkErrorKind::InvalidTarget,
                format!("the AWS profile {name:?} gets its credentials by {how}"),
            );
            let advice = format!(
                "let another profile say credential_process = aws configure export-credentials \
                 --profile {name}"
            );
            return Err(error.with_reason("that is not supported", advice));
        }
        Some(Secret::None) | None => {}
    }
    Ok(builder)
}

fn statics(
    builder: AmazonS3Builder,
    id: &str,
    key: &str,
    token: Option<&str>,
) -> Result<AmazonS3Builder, SinkError> {
    check_header("the access key", id)?;
    if let Some(token) = token {
        check_header("the session token", token)?;
    }
    let credential = object_store::aws::AwsCredential {
        key_id: id.to_owned(),
        secret_key: key.to_owned(),
        token: token.map(str::to_owned),
    };
    let provider = object_store::StaticCredentialProvider::new(credential);
    Ok(builder.with_credentials(Arc::new(provider)))
}

/// Refuses a value that no header can carry: `object_store`'s signer would panic.
fn check_header(what: &str, value: &str) -> Result<(), SinkError> {
    if HeaderValue::from_str(value).is_ok() {
        return Ok(());
    }
    let error = SinkError::new(
        SinkErrorKind::InvalidTarget,
        format!("{what} cannot be sent to S3"),
    );
    let reason = "it contains a control character or one that is not ASCII";
    let advice = "look for a line break or a carriage return at its end";
    Err(error.with_reason(reason, advice))
}

/// Sets the bucket's address.
fn place(
    builder: AmazonS3Builder,
    target: CloudUrl<'_>,
    bucket: &str,
    endpoint: Option<&str>,
) -> Result<AmazonS3Builder, SinkError> {
    let path_style = target.flag(PATH_STYLE)?;
    let Some(endpoint) = endpoint else {
        // Amazon's certificate does not cover a bucket name with dots.
        let hosted = !path_style.unwrap_or(bucket.contains('.'));
        return Ok(builder.with_virtual_hosted_style_request(hosted));
    };
    let from_env = builder.get_config_value(&Key::Client(ClientConfigKey::AllowHttp));
    let allow_http = target
        .flag(ALLOW_HTTP)?
        .unwrap_or(from_env.as_deref() == Some("true"));
    connection::check_endpoint(endpoint, allow_http)?;
    let endpoint = endpoint.trim_end_matches('/');
    let from_env = builder.get_config_value(&Key::VirtualHostedStyleRequest);
    let hosted = path_style.map_or(from_env.as_deref() == Some("true"), |path| !path);
    let endpoint = match endpoint.split_once("://") {
        Some((scheme, host)) if hosted && !host.starts_with(&format!("{bucket}.")) => {
            format!("{scheme}://{bucket}.{host}")
        }
        _ => endpoint.to_owned(),
    };
    Ok(builder
        .with_config(Key::S3Endpoint, endpoint)
        .with_virtual_hosted_style_request(hosted))
}

fn encryption(
    mut builder: AmazonS3Builder,
    target: CloudUrl<'_>,
) -> Result<AmazonS3Builder, SinkError> {
    if target.flag(SSE_BUCKET_KEY)?.is_some() && target.text(SSE).is_none() {
        return Err(invalid(SSE_BUCKET_KEY.name, "it goes with sse=aws:kms"));
    }
    for (option, key) in [
        (SSE, "aws_server_side_encryption"),
        (SSE_KMS_KEY_ID, "aws_sse_kms_key_id"),
        (SSE_BUCKET_KEY, "aws_sse_bucket_key_enabled"),
        (SSE_CUSTOMER_KEY, "aws_sse_customer_key_base64"),
    ] {
        if let Some(value) = target.text(option) {
            let key: Key = key.parse().map_err(connection::refused)?;
            builder = builder.with_config(key, value);
        }
    }
    Ok(builder)
}

/// Sets how the bytes are protected in transit. Third-party stores may not know Amazon's newer
/// checksums, but nearly all verify a signed payload.
fn integrity(
    builder: AmazonS3Builder,
    target: CloudUrl<'_>,
    is_amazon: bool,
) -> Result<AmazonS3Builder, SinkError> {
    let builder = match target.text(CHECKSUM).as_deref() {
        Some("crc64nvme") => builder.with_checksum_algorithm(Checksum::CRC64NVME),
        Some("sha256") => builder.with_checksum_algorithm(Checksum::SHA256),
        Some("none") => builder,
        Some(_) => {
            return Err(invalid(CHECKSUM.name, "expected crc64nvme, sha256 or none"));
        }
        None if is_amazon && builder.get_config_value(&Key::Checksum).is_none() => {
            builder.with_checksum_algorithm(Checksum::CRC64NVME)
        }
        None => builder,
    };
    let set = builder.get_config_value(&Key::UnsignedPayload);
    match target.flag(UNSIGNED_PAYLOAD)? {
        Some(unsigned) => Ok(builder.with_unsigned_payload(unsigned)),
        None if is_amazon && set.as_deref() != Some("true") => {
            Ok(builder.with_unsigned_payload(true))
        }
        None => Ok(builder),
    }
}

#[cfg(test)]
mod tests {
    use tulip_core::sink::SinkUrl;

    use super::*;

    const FILES: (&str, &str) = (
        "[default]\nregion = eu-west-1\n[profile lake]\nregion = eu-north-1\n\
         endpoint_url = https://lake.example\n[profile sso]\nsso_session = x\n\
         [profile assumed]\nrole_arn = r\nsource_profile = lake\n\
         [profile signed-in]\nlogin_session = x\n\
         [profile eks]\nrole_arn = arn:r\nweb_identity_token_file = /no/token\n",
        "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = s\n\
         [lake]\naws_access_key_id = LAKE\naws_secret_access_key = s\n",
    );

    /// Returns the settings of a URL with the test's own profiles and variables.
    async fn settings(url: &str, vars: &[(&str, &str)]) -> Result<Found, String> {
        let folder = tempfile::TempDir::new().unwrap();
        let files = ["config", "credentials"].map(|name| folder.path().join(name));
        std::fs::write(&files[0], FILES.0).unwrap();
        std::fs::write(&files[1], FILES.1).unwrap();
        let [config, credentials] = files.each_ref().map(|file| file.to_str().unwrap());
        let mut all = vec![
            ("AWS_CONFIG_FILE", config),
            ("AWS_SHARED_CREDENTIALS_FILE", credentials),
        ];
        all.extend_from_slice(vars);
        let variables: Variables = all.into_iter().collect();
        let url: SinkUrl = url.parse().unwrap();
        let config = Config::of(CloudUrl(&url), &variables).map_err(|error| error.to_string())?;
        let value = |key: Key| config.builder.get_config_value(&key);
        let found = Found {
            region: value(Key::Region),
            endpoint: value(Key::S3Endpoint),
            hosted: value(Key::VirtualHostedStyleRequest),
            unsigned: value(Key::UnsignedPayload),
            checksum: value(Key::Checksum),
            role: value(Key::RoleArn),
            key: value(Key::AccessKeyId),
            key_id: String::new(),
        };
        let connector = connection::connector(&Default::default(), None).unwrap();
        let store = config
            .builder
            .with_http_connector(connector)
            .build()
            .unwrap();
        let credential = store.credentials().get_credential().await;
        Ok(Found {
            key_id: credential.map(|c| c.key_id.clone()).unwrap_or_default(),
            ..found
        })
    }

    struct Found {
        region: Option<String>,
        endpoint: Option<String>,
        hosted: Option<String>,
        unsigned: Option<String>,
        checksum: Option<String>,
        role: Option<String>,
        /// The access key that `object_store` would use before the role.
        key: Option<String>,
        key_id: String,
    }

    #[tokio::test]
    async fn options_go_before_variables_and_variables_before_profiles() {
        let found = settings("s3://b", &[]).await.unwrap();
        assert_eq!(
            (found.key_id.as_str(), found.region.as_deref()),
            ("DEFAULT", Some("eu-west-1"))
        );
        let found = settings("s3://b?profile=lake", &[("AWS_REGION", "us-west-2")])
            .await
            .unwrap();
        assert_eq!(
            (found.key_id.as_str(), found.region.as_deref()),
            ("LAKE", Some("us-west-2"))
        );
        assert_eq!(found.endpoint.as_deref(), Some("https://lake.example"));
        let vars = [("AWS_PROFILE", "lake"), ("AWS_REGION", "us-west-2")];
        let url = "s3://b?region=eu-central-1&access_key_id=OWN&secret_access_key=s";
        let found = settings(url, &vars).await.unwrap();
        assert_eq!(
            (found.key_id.as_str(), found.region.as_deref()),
            ("OWN", Some("eu-central-1"))
        );
    }

    #[tokio::test]
    async fn amazons_own_store_and_others_differ_in_what_they_are_sent() {
        let found = settings("s3://b", &[]).await.unwrap();
        assert_eq!(found.hosted.as_deref(), Some("true"));
        assert_eq!(found.unsigned.as_deref(), Some("true"));
        assert_eq!(found.checksum.as_deref(), Some("crc64nvme"));
        let found = settings("s3://with.dots", &[]).await.unwrap();
        assert_eq!(found.hosted.as_deref(), Some("false"));
        let other = "s3://b?endpoint=https://minio.example/";
        let found = settings(other, &[]).await.unwrap();
        assert_eq!(found.hosted.as_deref(), Some("false"));
        assert_eq!(found.unsigned.as_deref(), Some("false"));
        assert_eq!(found.checksum, None);
        let hosted = format!("{other}&path_style=false&unsigned_payload=true&checksum=sha256");
        let found = settings(&hosted, &[]).await.unwrap();
        assert_eq!(found.endpoint.as_deref(), Some("https://b.minio.example"));
        assert_eq!(found.unsigned.as_deref(), Some("true"));
        assert_eq!(found.checksum.as_deref(), Some("sha256"));
    }

    #[tokio::test]
    async fn a_profile_that_only_amazons_tools_can_use_says_how_they_do() {
        for (profile, how) in [
            ("sso", "single sign-on"),
            ("assumed", "assuming a role"),
            ("signed-in", "aws login"),
        ] {
            let url = format!("s3://b?profile={profile}");
            let by_url = settings(&url, &[]).await.err().unwrap();
            let by_variable = settings("s3://b", &[("AWS_PROFILE", profile)]).await;
            for error in [by_url, by_variable.err().unwrap()] {
                assert!(error.contains(how), "{error}");
                let command = format!("aws configure export-credentials --profile {profile}");
                assert!(
                    error.contains(&format!("credential_process = {command}")),
                    "{error}"
                );
            }
        }
        let error = settings("s3://b", &[("AWS_PROFILE", "nobody")])
            .await
            .err()
            .unwrap();
        assert!(error.contains("no AWS profile \"nobody\""), "{error}");
    }

    #[tokio::test]
    async fn a_role_of_a_profile_that_the_url_names_goes_before_keys_of_the_environment() {
        let keys = [
            ("AWS_ACCESS_KEY_ID", "OTHER"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("AWS_SESSION_TOKEN", "t"),
        ];
        let found = settings("s3://b?profile=eks", &keys).await.unwrap();
        assert_eq!((found.role.as_deref(), found.key), (Some("arn:r"), None));
        assert_eq!(found.key_id, "", "there is no token to get keys with");
        let by_variable = [&keys[..], &[("AWS_PROFILE", "eks")]].concat();
        let found = settings("s3://b", &by_variable).await.unwrap();
        assert_eq!(found.key_id, "OTHER");
    }

    #[tokio::test]
    async fn credentials_that_no_header_can_carry_are_refused_without_being_shown() {
        let keys = "access_key_id=AK&secret_access_key=s";
        let id = ("AWS_ACCESS_KEY_ID", "AK");
        for (url, vars) in [
            (format!("s3://b?{keys}&session_token=5ecret%0A"), vec![]),
            (
                "s3://b?access_key_id=5ecret%0D&secret_access_key=s".to_owned(),
                vec![],
            ),
            (
                "s3://b".to_owned(),
                vec![id, ("AWS_SESSION_TOKEN", "5ecret\r")],
            ),
            ("s3://b".to_owned(), vec![("AWS_ACCESS_KEY_ID", "5ecret\n")]),
            (format!("s3://b?{keys}&region=eu%0A"), vec![]),
        ] {
            let error = settings(&url, &vars).await.err().unwrap();
            assert!(error.contains("cannot be sent to S3"), "{error}");
            assert!(error.contains("line break"), "{error}");
            assert!(!error.contains("5ecret"), "{error}");
        }
    }
}
