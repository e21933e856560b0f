# Sourced by ./zexus, ./test.sh and ./bench.sh. $root is the repository.

lock_file=$root/artifacts/build.lock

# Says by name what is missing when there is no .NET SDK that global.json accepts.
need_dotnet() {
    local wanted
    wanted=$(sed -n 's/.*"version": *"\([0-9]*\.[0-9]*\).*/\1/p' "$root/global.json")
    if ! command -v dotnet >/dev/null; then
        echo "There is no 'dotnet' on the PATH: install the .NET $wanted SDK." >&2
        return 127
    fi
    if ! (cd "$root" && dotnet --version) >/dev/null 2>&1; then
        echo "The .NET $wanted SDK is needed; 'dotnet' has: $(cd / && dotnet --list-sdks 2>/dev/null | cut -d ' ' -f 1 | paste -sd ' ')" >&2
        return 127
    fi
}

# Runs a command while no other build of this tree runs. The command does not inherit the lock: build servers outlive it.
with_build_lock() {
    mkdir -p "$(dirname "$lock_file")"
    {
        if ! flock --nonblock 9; then
            echo "waiting for another build of this tree…" >&2
            flock 9
        fi
        "$@" 9>&-
    } 9>"$lock_file"
}

# One MSBuild node restores, so that projects take turns. In a fresh clone each of them has Paket write the obj folders of all projects, and with
# a second node another would read its own meanwhile: "…paket.references.cached … in use by another process".
one_node=-m:1

# Restores a project or solution and what it refers to.
restore() {
    dotnet restore "$1" $one_node -nologo -v quiet
}

# Installs the Debian packages that the caller's missing_packages prints, if it may; names those that are still missing.
install_packages() {
    local packages as_root=()
    mapfile -t packages < <(missing_packages)
    if ((${#packages[@]} == 0)); then
        return 0
    fi
    if ((EUID != 0)); then
        as_root=(sudo -n)
    fi
    if command -v apt-get >/dev/null && "${as_root[@]}" true 2>/dev/null; then
        printf '\n== install %s\n' "${packages[*]}" >&2
        "${as_root[@]}" apt-get update -qq >&2
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}" </dev/null >&2
    fi
    mapfile -t packages < <(missing_packages)
    if ((${#packages[@]} > 0)); then
        echo "Missing: ${packages[*]} (Debian's names). Install them and run ./$(basename "$0") again." >&2
        return 1
    fi
}
