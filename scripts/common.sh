# Sourced by ./zexus and ./test.sh. $root is the repository.

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
