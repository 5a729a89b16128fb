#!/bin/sh
# Who tests the tests: applies each mutant to a copy of the tree, builds it, and expects the rule that is named for it to
# fail on every backend, and no rule of a family that has nothing to do with it.
#
#     run.sh [--alone] [--quick] [--others K/N] [NAME...]
#
# All of MANIFEST by default. --quick: those marked quick, alone. --alone: the other families are not asked. --others K/N: they
# are asked about every N-th mutant, from the K-th (0 to N - 1), so that N runs ask about all.
#
# Environment: TRAITS (default: "default,ConformanceCommand"), CONFIG (debug builds faster, release races harder), SCRATCH
# (build directory, kept for the next run), PATIENCE (seconds that a check waits for an event that a mutant may have lost), SEED, SCALE (how
# much work checks do, a whole number; 1 by default, because a race that a mutant opens must be met).
set -u

quick=false alone=false others_of=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=true alone=true; shift ;;
    --alone) alone=true; shift ;;
    --others) others_of=${2:-}; shift; shift ;;
    -*) echo "run.sh: unknown option $1; its head says which there are" >&2; exit 3 ;;
    *) break ;;
  esac
done

here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
[ -z "$others_of" ] || require_shard "$others_of"
root=$(cd "$here/../.." && pwd)
traits=${TRAITS:-default,ConformanceCommand}
config=${CONFIG:-release}
patience=${PATIENCE:-5}
seed=${SEED:-1}
scale=${SCALE:-1}
# One place for all runs: the compiler's incremental builds are keyed by absolute path and time of change.
work=${SCRATCH:-${TMPDIR:-/tmp}/hawt-mutants}
copy=$work/tree
build=$work/build
log=$work/log
passed=0
failed=0

mkdir -p "$copy"
# Deletes what is no more, keeps the times of what is unchanged; leaves the user's tree alone.
sync_tree() {
  (cd "$root" && git ls-files -co --exclude-standard | sort) > "$work/files"
  (cd "$copy" && find . -type f | sed 's|^\./||' | sort) | comm -13 "$work/files" - |
    while IFS= read -r stale; do rm -f "$copy/$stale"; done
  while IFS= read -r file; do
    [ -f "$root/$file" ] || continue
    cmp -s "$root/$file" "$copy/$file" && continue
    mkdir -p "$copy/$(dirname "$file")"
    cp "$root/$file" "$copy/$file"
  done < "$work/files"
}

build_copy() {
  (cd "$copy" && swift build -c "$config" --traits "$traits" --scratch-path "$build" --product hawt-conformance) > "$log" 2>&1
}

# Runs rules; $log then tells what they saw. One failed check is enough: a later one might end the process before it is told.
# $2: how much work they do, instead of SCALE. $3: how much is added to SEED.
run_rule() {
  timeout 600 "$build/$config/hawt-conformance" --rule "$1" --fail-fast --seed "$((seed + ${3:-0}))" --scale "${2:-$scale}" \
    --patience "$patience" > "$log" 2>&1
}

# Has the rule that is named for a mutant look at it: $code is the command's, of $backends backends $killed broke the rule.
look() {
  run_rule "$@"
  code=$?
  # Two threads where one is promised may bring the process down before a check has told of them: other seeds may not.
  for more in 1 2; do
    $ends || [ "$code" -lt 128 ] || { run_rule "$1" "${2:-$scale}" "$more"; code=$?; }
  done
  backends=$(grep -c ': seed ' "$log")
  killed=$(grep -c "^$1 *FAILED" "$log")
}

verdict() {
  name=$1 rule=${2%!} families=$3 place=$4 ends=false
  [ "$2" = "$rule" ] || ends=true
  sync_tree
  # A patch has one line of context, and that line must be there: it survives edits near by, and lands nowhere else.
  if ! (cd "$copy" && patch -p1 -s -f -F0 --no-backup-if-mismatch < "$here/Mutants/$name.patch") > "$log" 2>&1; then
    echo "mutant $name: STALE, its patch does not apply:"; sed 's/^/    /' "$log"; return 1
  fi
  if ! build_copy; then
    echo "mutant $name: STALE, it does not compile:"; grep 'error:' "$log" | head -5 | sed 's/^/    /'; return 1
  fi
  look "$rule"
  # A race has to be met: one that was not on some backend gets the tenfold work to meet it on all.
  if [ "$code" -le 1 ] && [ "$killed" -lt "$backends" ]; then look "$rule" "$((10 * scale))"; fi
  if [ "$code" -eq 124 ] || [ "$code" -ge 128 ]; then
    how="the process ended with $code"
    [ "$code" -ne 124 ] || how="the process hung"
    if $ends; then echo "mutant $name: killed by $rule, in which $how"; return 0; fi
    echo "mutant $name: NOT TOLD by $rule, in which $how; if nothing else can come of it, MANIFEST says $rule!"
    tail -5 "$log" | sed 's/^/    /'; return 1
  fi
  if [ "$code" -eq 1 ] && [ "$killed" -eq "$backends" ] && [ "$killed" -gt 0 ]; then
    others=
    # Asking all other families costs half a minute to a minute each time.
    $alone || ! in_shard "$place" "$others_of" || others=$(unrelated "$families")
    # shellcheck disable=SC2046 # one word each
    if [ -n "$others" ] &&
      ! keeps_all "$build/$config/hawt-conformance" "$others" "$work/others" $(sed -n 's/^conformance: \([^:]*\):.*/\1/p' "$log")
    then
      echo "mutant $name: killed by $rule, and by what has nothing to do with it:"
      sed 's/^/    /' "$work/others"; return 1
    fi
    echo "mutant $name: killed by $rule${others:+, not by $others}"; return 0
  fi
  echo "mutant $name: SURVIVED $rule on $((backends - killed)) of $backends backends (exit code $code)"
  return 1
}

# What was asked for, as MANIFEST has it: NAME RULE FAMILIES.
chosen() {
  while read -r name rule families mark; do
    case $name in ''|'#'*) continue ;; esac
    ! $quick || [ "$mark" = quick ] || continue
    case " $* " in "  " | *" $name "*) echo "$name $rule $families" ;; esac
  done < "$here/MANIFEST"
}

# Code moves on: a patch that applies to nothing any more is told at once, whichever mutants are asked for.
stale=0
for patch in "$here"/Mutants/*.patch; do
  (cd "$root" && patch -p1 --dry-run -s -f -F0 < "$patch") > /dev/null 2>&1 ||
    { echo "mutant $(basename "$patch" .patch): STALE, its patch does not apply"; stale=1; }
done
[ "$stale" -eq 0 ] || exit 1

# Failing where nothing is broken would prove nothing: the unchanged tree must pass the same rules first.
sync_tree
if ! build_copy; then echo "the unchanged tree does not build:"; tail -20 "$log"; exit 1; fi
chosen "$@" > "$work/chosen"
[ -s "$work/chosen" ] || { echo "run.sh: MANIFEST has nothing of what was asked for" >&2; exit 3; }
rules=$(while read -r name rule families; do echo "${rule%!}"; done < "$work/chosen" | sort -u)
for rule in $rules; do
  # Several attempts: what is judged by measurement may suffer from a machine that is busy with something else.
  run_rule "$rule" || run_rule "$rule" || run_rule "$rule" || {
    echo "the unchanged tree breaks $rule:"; grep -A 8 'FAILED' "$log"; exit 1; }
done
echo "unchanged: keeps" $rules

place=0
while read -r name rule families; do
  if verdict "$name" "$rule" "$families" "$place" < /dev/null; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  place=$((place + 1))
done < "$work/chosen"
sync_tree
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
