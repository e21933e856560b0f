#!/usr/bin/env bash
# Installs what the tests need, checks the formatting, builds, and runs every test project.
# Before the end it names what was skipped. The last line is "N passed, N failed"; the exit code is 0 only when something passed and nothing failed.
set -uo pipefail

root=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
cd "$root" || exit
source scripts/common.sh

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
limit=20m # a test project that takes longer has failed

passed=0
failed=0
failures=()
skipped=()

fail() {
    failed=$((failed + $1))
    failures+=("$2")
}

finish() {
    if ((${#skipped[@]} > 0)); then
        printf '\n%d skipped, for what this machine does not have:\n' "${#skipped[@]}"
        printf '  %s\n' "${skipped[@]}"
    fi
    if ((${#failures[@]} > 0)); then
        printf '\nFailed:\n'
        printf '  %s\n' "${failures[@]}"
    fi
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0 && passed > 0))
    exit
}

step() {
    printf '\n== %s\n' "$1"
}

# The sum of the named attributes of the first <$2 …> element in the file $1.
attributes() {
    local file=$1 element=$2 tag name value sum=0
    shift 2
    tag=$(grep -o "<$element [^>]*>" "$file" | head -n 1)
    for name in "$@"; do
        value=$(sed -n "s/.* $name=\"\([0-9]*\)\".*/\1/p" <<<"$tag")
        sum=$((sum + ${value:-0}))
    done
    echo "$sum"
}

# Adds up one test project: its name, its exit code, and how many tests passed and failed.
count() {
    local name=$1 exit_code=$2 good=$3 bad=$4
    passed=$((passed + good))
    if ((bad > 0)); then
        fail "$bad" "$name: $bad of $((good + bad)) tests"
    elif ((exit_code == 124)); then
        fail 1 "$name: not finished after $limit"
    elif ((exit_code != 0)); then
        fail 1 "$name: ended with exit code $exit_code"
    elif ((good == 0)); then
        fail 1 "$name: ran no test"
    fi
}

check() {
    local name=$1
    shift
    step "$name"
    if "$@"; then
        passed=$((passed + 1))
    else
        fail 1 "$name: $*"
    fi
}

xunit() {
    local name=$1 trx=$results/$1.trx exit_code=0 good=0 bad=0
    step "$name"
    timeout --foreground $limit dotnet test "tests/$name" --no-build -c Release --nologo \
        --results-directory "$results" --logger "trx;LogFileName=$name.trx" || exit_code=$?
    if [[ -f $trx ]]; then
        good=$(attributes "$trx" Counters passed)
        bad=$(attributes "$trx" Counters failed error timeout aborted)
        mapfile -t -O "${#skipped[@]}" skipped < <(
            grep -o '<UnitTestResult [^>]*outcome="NotExecuted"[^>]*>' "$trx" | sed 's/.* testName="\([^"]*\)".*/\1/'
        )
    fi
    count "$name" "$exit_code" "$good" "$bad"
}

expecto() {
    local name=$1 xml=$results/$1.xml exit_code=0 good=0 bad=0 ignored
    step "$name"
    timeout --foreground $limit dotnet "tests/$name/bin/Release/net10.0/$name.dll" \
        --colours 0 --no-spinner --fail-on-focused-tests --nunit-summary "$xml" || exit_code=$?
    if [[ -f $xml ]]; then
        bad=$(attributes "$xml" test-results errors failures)
        ignored=$(attributes "$xml" test-results ignored)
        ((ignored == 0)) || skipped+=("$name: $ignored")
        good=$(($(attributes "$xml" test-results total) - bad - ignored))
    fi
    count "$name" "$exit_code" "$good" "$bad"
}

# The Debian packages that the tests need and that are not there: the solvers, the library that Microsoft.Z3 loads, what records the writes of a store, and
# what works out the examples' results.
missing_packages() {
    command -v z3 >/dev/null || echo z3
    command -v cvc5 >/dev/null || echo cvc5
    command -v strace >/dev/null || echo strace
    command -v python3 >/dev/null || echo python3
    [[ -n $(find /usr/lib* /usr/local/lib -maxdepth 2 -name libz3.so -print -quit 2>/dev/null) ]] || echo libz3-dev
}

need_dotnet || exit
install_packages || exit

if ! dotnet tool restore; then
    fail 1 "dotnet tool restore"
    finish
fi
check "F# formatting" dotnet fantomas --check .
check "C# formatting" dotnet csharpier check .
check "the examples' results, worked out in Python" python3 examples/expected.py
check "the contracts' scenarios, worked out in Python" python3 examples/contracts/expected.py

build() {
    restore Zexus.Spec.sln && dotnet build Zexus.Spec.sln -c Release --no-restore -nologo -v quiet -clp:ErrorsOnly
}

step "build"
if ! with_build_lock build; then
    fail 1 "build"
    finish
fi

for folder in tests/*.Tests/; do
    name=$(basename "$folder")
    if grep -qx xunit.runner.visualstudio "$folder/paket.references"; then
        xunit "$name"
    elif grep -qx Expecto "$folder/paket.references"; then
        expecto "$name"
    else
        fail 1 "$name: neither an xunit nor an Expecto project"
    fi
done

finish
