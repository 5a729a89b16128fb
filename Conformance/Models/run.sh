#!/usr/bin/env bash
# Checks every model in this directory with spin, exhaustively, and that spin rejects each of its mutants.
#   run.sh [NAME ...]     all models, or those named (without .pml)
# A model's head says, in lines of their own: MUTANTS: n, CASES: n (scenarios, -DCASE=1..n; default 1), CYCLES: none (it must
# always come to an end: also searched for cycles), or CYCLES: n (the same, but that only case n is searched). A mutant is rejected if one of these searches fails.
# A search that was cut off (depth, memory) counts as a failure, for a model and for a mutant.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
here=$PWD

if ! command -v spin >/dev/null || ! command -v gcc >/dev/null; then
  as=()
  if [ "$(id -u)" -ne 0 ]; then as=(sudo -n); fi
  if ! command -v apt-get >/dev/null || { [ "${#as[@]}" -gt 0 ] && ! command -v sudo >/dev/null; }; then
    echo "models: needs spin and gcc, and cannot install them here (no apt-get, or neither root nor sudo)" >&2
    exit 1
  fi
  if ! { "${as[@]}" apt-get update -qq && "${as[@]}" apt-get install -y -qq --no-install-recommends spin gcc libc6-dev; } >&2; then
    echo "models: could not install spin and gcc with apt-get; install them by hand" >&2
    exit 1
  fi
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

field() { sed -n "s/^ \* $2: *\([a-z0-9]*\).*/\1/p" "$here/$1.pml" | head -n 1; }

# search NAME MUTANT CASE safety|cycles: prints the states; 0 nothing found, 1 an error found, 2 cut off or broken
search() {
  local dir="$work/$1.$2.$3.$4" flags=(-DSAFETY) options=(-m200000)
  if [ "$4" = cycles ]; then flags=(-DNP); options+=(-l); fi
  mkdir -p "$dir"; cp "$here/$1.pml" "$dir/model.pml"; cd "$dir"
  if ! { spin -a "-DMUTANT=$2" "-DCASE=$3" model.pml && gcc -w -O2 "${flags[@]}" -DMEMLIM=2000 -DCOLLAPSE -o pan pan.c; } >build 2>&1; then
    cat build >&2; cd "$here"; return 2
  fi
  ./pan "${options[@]}" >out 2>&1 || true
  cd "$here"
  sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$dir/out" | head -n 1
  if grep -q 'max search depth too small\|reached -DMEMLIM\|out of memory\|aborting' "$dir/out"; then return 2; fi
  if grep -q 'errors: 0$' "$dir/out"; then return 0; fi
  if grep -q 'errors: [1-9]' "$dir/out"; then grep -m 1 '^pan:1:' "$dir/out" >&2 || true; return 1; fi
  cat "$dir/out" >&2; return 2
}

names=("$@")
if [ ${#names[@]} -eq 0 ]; then for f in *.pml; do names+=("${f%.pml}"); done; fi
passed=0 failed=0
for name in "${names[@]}"; do
  cases=$(field "$name" CASES); mutants=$(field "$name" MUTANTS); kinds=(safety)
  only=$(field "$name" CYCLES)
  if [ -n "$only" ]; then kinds+=(cycles); fi
  for ((mutant = 0; mutant <= ${mutants:-0}; mutant++)); do
    worst=0 total=0
    for kind in "${kinds[@]}"; do
      for ((case = 1; case <= ${cases:-1}; case++)); do
        if [ "$kind" = cycles ] && [ "$only" != none ] && [ "$case" != "$only" ]; then continue; fi
        result=0
        if [ "$mutant" -eq 0 ]; then states=$(search "$name" 0 "$case" "$kind") || result=$?
        else states=$(search "$name" "$mutant" "$case" "$kind" 2>"$work/why") || result=$?; fi
        if [ -n "$states" ]; then total=$(awk -v a="$total" -v b="$states" 'BEGIN { printf "%.0f", a + b }'); fi
        rm -rf "$work/$name".*
        if [ "$result" -gt "$worst" ]; then worst=$result; fi
        if [ "$result" -ne 0 ]; then break 2; fi
      done
    done
    if [ "$mutant" -eq 0 ]; then
      case $worst in
        0) echo "model $name: states $total, ok"; passed=$((passed + 1)) ;;
        1) echo "model $name: states $total, FAILED (case $case, $kind)"; failed=$((failed + 1)) ;;
        *) echo "model $name: states $total, FAILED: search cut off or not built (case $case, $kind)"; failed=$((failed + 1)) ;;
      esac
    else
      case $worst in
        1) echo "mutant $name.$mutant: rejected"; passed=$((passed + 1)) ;;
        0) echo "mutant $name.$mutant: SURVIVED"; failed=$((failed + 1)) ;;
        *) cat "$work/why" >&2; echo "mutant $name.$mutant: FAILED: search cut off or not built"; failed=$((failed + 1)) ;;
      esac
    fi
  done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
