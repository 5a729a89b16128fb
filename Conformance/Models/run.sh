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

# check NAME MUTANT: one line of what came of a model (mutant 0) or of one of its mutants; 0 if it is as it should be
check() {
  local name=$1 mutant=$2 kinds=(safety) only cases kind case result states worst=0 total=0
  cases=$(field "$name" CASES); only=$(field "$name" CYCLES)
  if [ -n "$only" ]; then kinds+=(cycles); fi
  for kind in "${kinds[@]}"; do
    for ((case = 1; case <= ${cases:-1}; case++)); do
      if [ "$kind" = cycles ] && [ "$only" != none ] && [ "$case" != "$only" ]; then continue; fi
      result=0
      states=$(search "$name" "$mutant" "$case" "$kind" 2>"$work/why") || result=$?
      if [ "$mutant" -eq 0 ] || [ "$result" -eq 2 ]; then cat "$work/why" >&2; fi
      if [ -n "$states" ]; then total=$(awk -v a="$total" -v b="$states" 'BEGIN { printf "%.0f", a + b }'); fi
      rm -rf "$work/$name".*
      if [ "$result" -gt "$worst" ]; then worst=$result; fi
      if [ "$result" -ne 0 ]; then break 2; fi
    done
  done
  local what="mutant $name.$mutant:" good=1
  if [ "$mutant" -eq 0 ]; then what="model $name: states $total," good=0; fi
  case $worst in
    0) if [ "$good" -eq 0 ]; then echo "$what ok"; else echo "$what SURVIVED"; fi ;;
    1) if [ "$good" -eq 1 ]; then echo "$what rejected"; else echo "$what FAILED (case $case, $kind)"; fi ;;
    *) echo "$what FAILED: search cut off or not built (case $case, $kind)" ;;
  esac
  [ "$worst" -eq "$good" ]
}

if [ "${1:-}" = --one ]; then
  if check "$2" "$3"; then exit 0; fi
  exit 1
fi

names=("$@")
if [ ${#names[@]} -eq 0 ]; then for f in *.pml; do names+=("${f%.pml}"); done; fi
# As many at once as there are processors; each is a process of this script, and prints its line when it is done.
code=0
for name in "${names[@]}"; do
  mutants=$(field "$name" MUTANTS)
  for ((mutant = 0; mutant <= ${mutants:-0}; mutant++)); do echo "$name $mutant"; done
done | xargs -P "$(nproc)" -L 1 bash "$here/run.sh" --one | tee "$work/lines" || code=$?
echo "$(grep -c ': rejected$\|, ok$' "$work/lines") passed, $(grep -c 'SURVIVED\|FAILED' "$work/lines") failed"
[ "$code" -eq 0 ] && [ -s "$work/lines" ]
