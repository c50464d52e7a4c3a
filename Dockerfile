# Four images of one file, chosen by --target. None of them needs a shell, a libc or a package manager at run
# time: the programs are static.
#
#   arizuko     your arizuko image, of the gated line or today's, and arizuko-init in it: what the manifests in k8s/ run
#   rehearsal   the stock plans with a stand-in for every daemon: no other image, token or network needed
#   init        only arizuko-init and the stock plans, to copy from: COPY --from=arizuko-init:0.2.0 ...
#   binaries    what the others are made of
#
#   docker build --target arizuko --build-arg ARIZUKO_IMAGE=arizuko:latest -t arizuko-init:0.2.0 .
#   docker build --target rehearsal -t arizuko-rehearsal:0.2.0 .
#   docker run --rm --read-only --cap-drop all --security-opt no-new-privileges arizuko-rehearsal:0.2.0
#   ... arizuko-rehearsal:0.2.0 run --rehearse --plan /etc/arizuko/arizuko-routd.toml      today's arizuko
#
# Both stock plans are in each image. `run` takes the one whose router, gated or routd, the base has.
#
# Programs that are built already take the place of the two compiling stages, with docker buildx and podman:
#   scripts/image-layout build/release build/image
#   docker build --build-context binaries=build/image --target rehearsal .
#
# The same programs give the same layers and configuration with --timestamp 0 (podman) or SOURCE_DATE_EPOCH=0 and
# --output type=image,rewrite-timestamp=true (docker buildx). For a release name ARIZUKO_IMAGE by its digest.

# What it is compiled with, pinned by scripts/pin. Today's packages instead: --build-arg DEBIAN_SNAPSHOT=
ARG DEBIAN_IMAGE=debian:bookworm-20250520-slim
ARG DEBIAN_SNAPSHOT=20261115T000000Z
ARG ARIZUKO_IMAGE=arizuko:latest
# scripts/version writes it.
ARG VERSION=0.2.0


FROM ${DEBIAN_IMAGE} AS build
WORKDIR /src
# The list of packages comes before the sources, so that a changed source does not install them again.
COPY scripts/lib.sh scripts/
ARG DEBIAN_SNAPSHOT
RUN ARIZUKO_SNAPSHOT="${DEBIAN_SNAPSHOT}" \
  bash -c '. scripts/lib.sh && install_missing "${build_packages[@]}" tzdata && rm -rf /var/lib/apt/lists'
COPY . .
# Built for every CPU of the architecture, in a path of its own: nothing of the machine gets in.
RUN cmake --preset release -DARIZUKO_TESTS=OFF \
 && cmake --build --preset release --target arizuko-init arizuko-rehearsal arizuko-docker \
 && scripts/image-layout build/release /out


FROM scratch AS binaries
COPY --from=build /out /


FROM scratch AS init
ARG VERSION
LABEL org.opencontainers.image.title="arizuko-init" \
      org.opencontainers.image.description="Runs a whole arizuko instance as one container: PID 1, gate, restarts, probes" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT"
COPY --from=binaries /bin/arizuko-init /usr/local/bin/arizuko-init
COPY etc/arizuko.toml etc/arizuko-routd.toml /etc/arizuko/
ENV PATH=/usr/local/bin:/usr/bin:/bin
# proxyd, for the Service, and the probes. All other ports of the pod are nobody else's business.
EXPOSE 8095 9090
STOPSIGNAL SIGTERM
USER 1000:1000
ENTRYPOINT ["/usr/local/bin/arizuko-init"]
CMD ["run"]


FROM init AS rehearsal
LABEL org.opencontainers.image.title="arizuko-rehearsal" \
      org.opencontainers.image.description="The stock plan of arizuko-init with a stand-in for every daemon; not arizuko"
COPY --from=binaries /bin/arizuko-rehearsal /usr/local/bin/arizuko-rehearsal
# The only place that is written to. Where nothing is mounted the engine makes an anonymous volume, owned like
# this directory: so the root may be read-only.
COPY --from=binaries --chown=1000:1000 /data /srv/data
VOLUME /srv/data
# Without HOST_DATA_DIR a rehearsal writes below this, not where an instance would.
ENV XDG_STATE_HOME=/srv/data
HEALTHCHECK --interval=10s --timeout=5s --start-period=10m --retries=3 \
  CMD ["/usr/local/bin/arizuko-init", "healthcheck"]
CMD ["run", "--rehearse"]


FROM ${ARIZUKO_IMAGE} AS arizuko
ARG VERSION
LABEL org.opencontainers.image.title="arizuko with arizuko-init" \
      org.opencontainers.image.description="A whole arizuko instance as one container, run by arizuko-init" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT"
# Without it TZ is ignored and every schedule is in UTC (docs/reference/traps.md, T27). Copied, not installed: the files
# are the same for every libc, and the build needs neither apk nor a network.
COPY --from=binaries /zoneinfo /usr/share/zoneinfo
COPY --from=binaries /bin/arizuko-init /usr/local/bin/arizuko-init
# The docker command that gated and runed find first, by the plan's PATH for it; everything else finds the base's own.
COPY --from=binaries /agents/docker /usr/local/lib/arizuko-init/bin/docker
COPY etc/arizuko.toml etc/arizuko-routd.toml /etc/arizuko/
EXPOSE 8095 9090
STOPSIGNAL SIGTERM
# arizuko's agents run as 1000, and so does all that writes to the volume (T15).
USER 1000:1000
# Asks /readyz. The one that comes with arizuko asks port 8080, which timed answers whatever gated does (T1).
HEALTHCHECK --interval=10s --timeout=5s --start-period=10m --retries=3 \
  CMD ["/usr/local/bin/arizuko-init", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/arizuko-init"]
CMD ["run"]
