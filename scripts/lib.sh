# What the scripts share: installing what is missing, silently when nothing is. Sourced, not run.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What the programs are built with; all from Debian 12.
build_packages=(
  clang-19 lld-19 cmake ninja-build
  libboost1.81-dev libtomlplusplus-dev libspdlog-dev libfmt-dev libcli11-dev libsqlite3-dev
)
# What the tests need beside that.
test_packages=(
  libclang-rt-19-dev clang-tidy-19 clang-format-19 doctest-dev
  python3 python3-pytest iproute2 util-linux procps
)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install_missing PACKAGE...: says nothing and needs no privilege when all are there.
install_missing() {
  local missing=()
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  echo "installing: ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive \
         apt-get install -q -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    echo "scripts: could not install ${missing[*]} (see above)" >&2
    exit 1
  fi
  rm -f "$log"
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
