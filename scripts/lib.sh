# What the scripts share: installing what is missing, silently when nothing is. Sourced, not run.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What the programs are built with; all from Debian 12.
build_packages=(
  clang-19 lld-19 cmake ninja-build
  libboost1.81-dev libtomlplusplus-dev libspdlog-dev libfmt-dev libcli11-dev libsqlite3-dev
  libssl-dev libyaml-dev libsodium-dev
)
# What the tests need beside that.
test_packages=(
  libclang-rt-19-dev clang-tidy-19 clang-format-19 doctest-dev
  python3 python3-pytest python3-pytest-xdist iproute2 util-linux procps
  openssl python3-yaml binutils libsystemd-dev
  systemd strace mandoc groff-base zsh fish
)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# dated_sources DATE FILE: apt's sources as snapshot.debian.org keeps them, written to FILE; prints the options that make apt
# take these and no others. ARIZUKO_SNAPSHOT_URL is for a mirror of it.
dated_sources() {
  local date=$1 file=$2 url=${ARIZUKO_SNAPSHOT_URL:-http://snapshot.debian.org/archive}
  local keys='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
  printf 'deb %s %s main\n' "$keys" "$url/debian/$date bookworm" "$keys" "$url/debian/$date bookworm-updates" \
    "$keys" "$url/debian-security/$date bookworm-security" >"$file"
  printf '%s\n' -o "Dir::Etc::SourceList=$file" -o Dir::Etc::SourceParts=/dev/null -o Acquire::Check-Valid-Until=false
}

# install_missing PACKAGE...: says nothing and needs no privilege when all are there. With ARIZUKO_SNAPSHOT=20261115T000000Z
# the packages are those of that moment, else those of today.
install_missing() {
  local missing=()
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  echo "installing${ARIZUKO_SNAPSHOT:+ as of $ARIZUKO_SNAPSHOT}: ${missing[*]}"
  local log sources from=()
  log=$(mktemp)
  sources=$(mktemp --suffix=.list)
  [ -z "${ARIZUKO_SNAPSHOT:-}" ] || mapfile -t from < <(dated_sources "$ARIZUKO_SNAPSHOT" "$sources")
  chmod 0644 "$sources"  # apt reads it as its own user
  # A dead mirror and another apt that holds the lock end in an error, not in a run that never ends.
  local patience=(-o Acquire::http::Timeout=30 -o Acquire::Retries=2 -o DPkg::Lock::Timeout=120 "${from[@]}")
  if ! { as_root apt-get "${patience[@]}" update -q && as_root env DEBIAN_FRONTEND=noninteractive \
         apt-get "${patience[@]}" install -q -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log" "$sources"
    echo "scripts: could not install ${missing[*]} (see above)" >&2
    exit 1
  fi
  rm -f "$log" "$sources"
}

# build PRESET [TARGET...]: prints what the compiler says only when it fails.
build() {
  local preset=$1
  shift
  local log="build/$preset.log"
  mkdir -p build
  echo "building $preset${*:+: $*}"
  local targets=()
  [ $# -gt 0 ] && targets=(--target "$@")
  if ! { cmake --preset "$preset" && cmake --build --preset "$preset" "${targets[@]}"; } >"$log" 2>&1; then
    grep -nE 'error|FAILED|CMake Error' "$log" | head -40 >&2 || true
    tail -n 40 "$log" >&2
    echo "scripts: the build of $preset failed; all of it is in $log" >&2
    exit 1
  fi
}

# find_kustomize: prints the command that renders a directory. Components need kustomize 4 or later, and the kubectl
# of Debian 12 has 2: with Go at hand it is built from its module, once.
find_kustomize() {
  local have
  if have=$(kubectl version --client 2>/dev/null) && [[ $have =~ Kustomize\ Version:\ v[5-9] ]]; then
    echo "kubectl kustomize"
  elif have=$(kustomize version 2>/dev/null) && [[ $have =~ v[5-9]\. ]]; then
    echo "kustomize build"
  elif command -v go >/dev/null; then
    [ -x build/tools/kustomize ] ||
      GOBIN="$PWD/build/tools" timeout 600 go install sigs.k8s.io/kustomize/kustomize/v5@v5.5.0 >/dev/null ||
      { echo "scripts: kustomize could not be built from its module within 600 s" >&2; exit 1; }
    echo "$PWD/build/tools/kustomize build"
  else
    echo "scripts: cannot render k8s/: install kubectl 1.27 or later, kustomize 5, or Go to build it" >&2
    exit 1
  fi
}

# install_types FROM TO: the npm packages of FROM/package.json, exactly as its lock file says, in TO/node_modules.
install_types() {
  local from=$1 to=$2
  cmp -s "$from/package-lock.json" "$to/package-lock.json" && [ -d "$to/node_modules" ] && return
  mkdir -p "$to"
  rm -f "$to/package-lock.json"
  cp "$from/package.json" "$to/"
  local log="$to/npm.log"
  # The types are only read by the compiler: that they ask for a newer node does not matter, nor do scripts.
  if ! { cp "$from/package-lock.json" "$to/package-lock.json" &&
         timeout 300 npm ci --fetch-timeout=30000 --fetch-retries=2 --prefix "$to" --ignore-scripts --no-audit --no-fund; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$to/package-lock.json"
    echo "scripts: could not install the npm packages of $from (see above)" >&2
    exit 1
  fi
}

# What runs images here: podman without a daemon. Prints the path of a containers.conf that works as root also
# where control groups are hybrid and limits may not be raised.
container_settings() {
  mkdir -p build/containers
  cat >build/containers/containers.conf <<'END'
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
runc = ["/usr/sbin/runc"]
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
END
  echo "$PWD/build/containers/containers.conf"
}
