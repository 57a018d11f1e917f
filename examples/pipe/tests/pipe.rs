//! Tests of the sink through its public contract, with small shell programs.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use tulip_core::NetworkOptions;
use tulip_core::ObjectKey;
use tulip_core::sink::conformance::{self, Failure, Fixture};
use tulip_core::sink::{
    Metadata, OpenOptions, Sink, SinkError, SinkErrorKind, SinkRegistry, WriteMode, async_trait,
};
use tulip_sink_pipe::PipeFactory;

/// Stores its input in the folder given as argument, once it has read everything.
const KEEP: &str = r#"
part="$1/.part.$$"
cat > "$part" || exit 1
mkdir -p "$(dirname "$1/objects/$TULIP_KEY")"
mv "$part" "$1/objects/$TULIP_KEY"
"#;

async fn sink(folder: &Path, program: &str) -> Arc<dyn Sink> {
    let script = folder.join("program.sh");
    std::fs::write(&script, program).unwrap();
    let args = format!("{} {}", script.display(), folder.display());
    connect("pipe:///bin/sh", &args).await.unwrap()
}

async fn connect(url: &str, args: &str) -> Result<Arc<dyn Sink>, SinkError> {
    let url: tulip_core::sink::SinkUrl = url.parse().unwrap();
    let url = url.with_option("args", args);
    let registry = SinkRegistry::linked().unwrap();
    registry.connect(&url, &NetworkOptions::default()).await
}

async fn put(sink: &dyn Sink, options: &OpenOptions) -> Result<u64, SinkError> {
    let key = ObjectKey::new("mill/a b.csv").unwrap();
    let mut writer = sink.open(&key, options).await?;
    writer.write(Bytes::from_static(b"a,b\n")).await?;
    writer.write(Bytes::from_static(b"1,2\n")).await?;
    Ok(writer.close().await?.bytes)
}

struct Kept {
    folder: TempDir,
    sink: Arc<dyn Sink>,
}

#[async_trait]
impl Fixture for Kept {
    fn sink(&self) -> Arc<dyn Sink> {
        self.sink.clone()
    }

    async fn read(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>, Failure> {
        let objects = self.folder.path().join("objects");
        Ok(std::fs::read(objects.join(key.as_str())).ok())
    }

    /// A program that ends at once.
    async fn failing(&self, _: &ObjectKey) -> Option<Arc<dyn Sink>> {
        connect("pipe:///bin/sh", "-c exit").await.ok()
    }
}

#[tokio::test]
async fn the_sink_keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path(), KEEP).await;
    conformance::run(&Kept { folder, sink })
        .await
        .assert_passed();
}

/// The processes that a script starts must not outlive it either.
#[tokio::test]
async fn behind_a_wrapper_the_sink_keeps_the_contract_too() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("keep.sh"), KEEP).unwrap();
    let wrapper = r#"sh "$1/keep.sh" "$1"; code=$?; exit $code"#;
    let sink = sink(folder.path(), wrapper).await;
    conformance::run(&Kept { folder, sink })
        .await
        .assert_passed();
}

#[tokio::test]
async fn a_program_that_ends_before_it_has_read_everything_has_failed() {
    for program in ["exit 0", "read line; exit 0"] {
        let folder = TempDir::new().unwrap();
        let sink = sink(folder.path(), program).await;
        let error = put(&*sink, &OpenOptions::default()).await.unwrap_err();
        assert!(
            error.to_string().contains("before it had read everything"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn last_words_are_not_waited_for_for_ever() {
    let folder = TempDir::new().unwrap();
    let program = "cat > /dev/null; echo gone >&2; setsid sleep 5 & exit 3";
    let sink = sink(folder.path(), program).await;
    let error = put(&*sink, &OpenOptions::default()).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "it said: gone");
}

#[test]
fn it_registers_itself_and_a_second_one_is_refused_by_name() {
    let mut registry = SinkRegistry::linked().unwrap();
    assert!(registry.schemes().any(|scheme| scheme == "pipe"));
    let error = registry.register(PipeFactory).unwrap_err().to_string();
    assert!(
        error.contains(r#"two sinks have the scheme "pipe""#),
        "{error}"
    );
}

#[tokio::test]
async fn it_is_registered_by_hand_as_well() {
    let mut registry = SinkRegistry::empty();
    registry.register(PipeFactory).unwrap();
    let url = "pipe:///bin/cat".parse().unwrap();
    let sink = registry.connect(&url, &NetworkOptions::default()).await;
    sink.unwrap().probe(WriteMode::Overwrite).await.unwrap();
}

#[tokio::test]
async fn the_program_learns_what_it_gets() {
    let folder = TempDir::new().unwrap();
    let told = r#"cat > /dev/null; echo "$TULIP_KEY|$TULIP_CONTENT_TYPE|$TULIP_SIZE|$TULIP_META_JOB" > "$1/told""#;
    let sink = sink(folder.path(), told).await;
    let options = OpenOptions::default()
        .with_content_type("text/csv")
        .with_size_hint(Some(8))
        .with_metadata(Metadata::from([("tulip-job".to_owned(), "j 7".to_owned())]));
    assert_eq!(put(&*sink, &options).await.unwrap(), 8);
    let told = std::fs::read_to_string(folder.path().join("told")).unwrap();
    assert_eq!(told, "mill/a b.csv|text/csv|8|j 7\n");
}

#[tokio::test]
async fn tulips_credentials_do_not_reach_the_program() {
    const SECRETS: [&str; 4] = [
        "TULIP_API_SECRET",
        "TULIP_API_SECRET_FILE",
        "TULIP_AUTH",
        "TULIP_TOKEN_OF_A_LATER_VERSION",
    ];
    if std::env::var(SECRETS[0]).is_err() {
        // Runs this test again, in a process that has them.
        let this = "tulips_credentials_do_not_reach_the_program";
        let again = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", this])
            .envs(SECRETS.map(|name| (name, "s3cret")))
            .status();
        assert!(again.unwrap().success());
        return;
    }
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path(), r#"cat > /dev/null; env > "$1/env""#).await;
    put(&*sink, &OpenOptions::default()).await.unwrap();
    let env = std::fs::read_to_string(folder.path().join("env")).unwrap();
    assert!(
        env.contains("TULIP_KEY=") && !env.contains("s3cret"),
        "{env}"
    );
}

#[tokio::test]
async fn a_program_that_fails_is_told_with_its_last_words() {
    let folder = TempDir::new().unwrap();
    let sink = sink(
        folder.path(),
        "cat > /dev/null; echo no such table >&2; exit 3",
    )
    .await;
    let error = put(&*sink, &OpenOptions::default()).await.unwrap_err();
    assert!(
        error.to_string().contains("ended with exit status: 3"),
        "{error}"
    );
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "it said: no such table");
}

#[tokio::test]
async fn an_abort_kills_the_program_before_its_input_ends() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path(), r#"cat > /dev/null; touch "$1/committed""#).await;
    let key = ObjectKey::new("a.csv").unwrap();
    let mut writer = sink.open(&key, &OpenOptions::default()).await.unwrap();
    writer.write(Bytes::from_static(b"a,b\n")).await.unwrap();
    // Waits until the program is dead, so that nothing can follow.
    writer.abort().await.unwrap();
    assert!(!folder.path().join("committed").exists());
}

#[tokio::test]
async fn what_cannot_work_is_said_before_anything_starts() {
    let refused = async |url: &str| match connect(url, "").await {
        Ok(sink) => sink.probe(WriteMode::Overwrite).await.unwrap_err(),
        Err(error) => error,
    };
    let missing = refused("pipe:///nowhere/load").await;
    assert!(missing.is_not_found(), "{missing}");
    let folder = refused("pipe:///bin").await;
    assert_eq!(folder.kind(), SinkErrorKind::InvalidTarget);
    let plain = refused("pipe:///etc/passwd").await;
    assert!(plain.to_string().contains("chmod +x"), "{plain}");
    let relative = refused("pipe:cat").await;
    assert!(relative.to_string().contains("whole path"), "{relative}");
    let host = refused("pipe://bin/load").await;
    assert!(host.to_string().contains("three slashes"), "{host}");
    let sink = connect("pipe:///bin/cat", "").await.unwrap();
    let create = OpenOptions::default().with_mode(WriteMode::Create);
    let error = put(&*sink, &create).await.unwrap_err();
    assert_eq!(error.kind(), SinkErrorKind::Unsupported);
}
