#!/usr/bin/env bash
# Builds the benchmarks, installs the peers from Debian, and runs the same kernels on our engines and on the peers, side by side.
# ./bench.sh --help shows the options. Tables go to standard output, progress to standard error.
#
# Exit code: 0 measured; 1 a peer failed or gave a wrong answer; 2 the command line is wrong; 3 a file cannot be written;
# 125 could not be built; 127 something to run it with is missing.
set -euo pipefail

root=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source "$root/scripts/common.sh"
program=$root/tests/Zexus.Peers/bin/Release/net10.0/Zexus.Peers.dll

missing_packages() {
    command -v lua5.4 >/dev/null || echo lua5.4
    command -v luajit >/dev/null || echo luajit
    command -v node >/dev/null || echo nodejs
}

build() {
    (cd "$root" && restore tests/Zexus.Peers &&
        dotnet build tests/Zexus.Peers -c Release --no-restore -nologo -v quiet -clp:ErrorsOnly) >&2
}

need_dotnet
install_packages || exit 127
echo "building…" >&2
with_build_lock build || exit 125

exec dotnet "$program" "$@"
