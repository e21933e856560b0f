#!/usr/bin/env bash
# Breaks one rule of the engine at a time and expects `zexus check` to go red: which mutants it kills, and with how small a program.
# usage: tests/mutants/run.sh [PROGRAMS]      (3,000 programs a mutant unless told)
# Each line of engine.tsv is a mutant: what it breaks, the file, a sed script. Works in a copy; exit 0 only when all are killed.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
programs=${1:-3000}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

git clone -q "$root" "$copy/repo" || exit
cd "$copy/repo" || exit
if ! ./zexus check --programs "$programs" >"$copy/clean.log" 2>&1; then
    echo "The check is red before anything is broken:" >&2
    tail -n 5 "$copy/clean.log" >&2
    exit 2
fi

killed=0 all=0
while IFS=$'\t' read -r name file script; do
    all=$((all + 1))
    sed -i "$script" "$file"
    if git diff --quiet; then
        printf 'NO CHANGE  %s: the script matches nothing in %s\n' "$name" "$file"
        continue
    fi
    ./zexus check --programs "$programs" >"$copy/mutant.log" 2>&1
    case $? in
        1)
            killed=$((killed + 1))
            smallest=$(sed -n 's/^ *program (\([0-9,]*\) instructions\{0,1\}.*/\1/p' "$copy/mutant.log" | sort -n | head -n 1)
            rule=$(sed -n 's/^DIVERGENCE.*rule \([a-z/-]*\).*/\1/p' "$copy/mutant.log" | sort | uniq -c | sort -rn | awk 'NR==1{print $2}')
            printf 'killed     %s: %s instructions, rule %s\n' "$name" "${smallest:-?}" "${rule:-?}"
            ;;
        0) printf 'SURVIVED   %s\n' "$name" ;;
        *)
            printf 'BROKEN     %s: %s\n' "$name" "$(tail -n 1 "$copy/mutant.log")"
            ;;
    esac
    git checkout -q -- "$file"
done <"$root/tests/mutants/engine.tsv"

printf '%d of %d mutants killed\n' "$killed" "$all"
((killed == all))
