# The server in a small image: built with the Swift toolchain, run on plain Debian, as an unprivileged user.
FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        libcurl4-openssl-dev libpq-dev libssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build

# A layer of its own: dependencies are fetched again only when the manifest changes.
COPY Package.swift ./
RUN swift package resolve

COPY openapi.yaml ./
COPY Migrations Migrations
COPY Sources Sources
# Not built; but SwiftPM wants the folder of every target in the manifest.
COPY Tests Tests
RUN swift build -c release --product APIServer --static-swift-stdlib -Xlinker --strip-all \
    && install -D "$(swift build -c release --show-bin-path)/APIServer" /out/APIServer

FROM debian:bookworm-slim
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates libcurl4 libpq5 libssl3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/APIServer /usr/local/bin/APIServer
COPY deploy/healthcheck /usr/local/bin/healthcheck
# Fails the build, not the start, when a shared library is missing.
RUN APIServer --help >/dev/null
USER 10001:10001
ENV HTTP_HOST=0.0.0.0 HTTP_PORT=8080
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["healthcheck", "/readyz"]
ENTRYPOINT ["APIServer"]
CMD ["serve"]
