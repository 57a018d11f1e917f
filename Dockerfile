# The command alone, on nothing: a static binary of about 13 MB, no shell, no libraries.
#
#   docker build -t tulip .
#   docker run --rm tulip --version
#
# What it needs at run time is in docs/installing.md. scripts/scratch.sh checks the same files
# without a container engine.

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends musl-tools
WORKDIR /src
COPY . .
# Add `emulator` for `tulip demo` and `tulip emulate`.
ARG FEATURES=fs,s3,gcs,azure
RUN scripts/image_root.sh /image "$(scripts/static.sh --no-default-features --features "$FEATURES")"

FROM scratch
COPY --from=build /image/tulip /tulip
# The folder of the state is its user's alone, or it would be refused. A named volume takes this over.
COPY --from=build --chown=65532:65532 /image/var /var
ENV TULIP_STATE=/var/lib/tulip
USER 65532:65532
WORKDIR /var/lib/tulip
VOLUME /var/lib/tulip
ENTRYPOINT ["/tulip"]
