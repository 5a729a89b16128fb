#!/bin/sh
# Who tests the tests: expects each backend that is wrong on purpose to break the rule that is named for it, and to keep those
# of the families that have nothing to do with it.
#
#     backends.sh [--shard K/N] COMMAND [NAME...]
#
# COMMAND: where hawt-conformance-broken was built. All of its backends by default; --shard: every N-th, from the K-th.
#
# Environment: PATIENCE (seconds that a check of the broken rule waits for an event that may be lost).
set -u

here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
shard=
if [ "${1:-}" = --shard ]; then
  require_shard "${2:-}"
  shard=$2
  shift 2
fi
[ $# -gt 0 ] || { echo "backends.sh: name the command; the script's head says how" >&2; exit 3; }
command=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

verdict() {
  name=$1 rule=$2 families=$3
  timeout 600 "$command" --backend "$name" --rule "$rule" --fail-fast --seed 1 --patience "${PATIENCE:-3}" > "$work/log" 2>/dev/null
  if [ $? -ne 1 ] || ! grep -aq "^$rule *FAILED" "$work/log"; then
    echo "backend $name: SURVIVED $rule:"; tail -5 "$work/log" | sed 's/^/    /'; return 1
  fi
  others=$(unrelated "$families")
  if [ -n "$others" ] && ! keeps_all "$command" "$others" "$work/others" "$name"; then
    echo "backend $name: caught by $rule, and by what has nothing to do with it:"
    sed 's/^/    /' "$work/others"; return 1
  fi
  echo "backend $name: caught by $rule${others:+, not by $others}"
}

"$command" --manifest > "$work/manifest" || { echo "backends.sh: $command names no backends" >&2; exit 3; }
place=0
while read -r name rule families; do
  place=$((place + 1))
  in_shard "$place" "$shard" || continue
  case " $* " in "  " | *" $name "*) ;; *) continue ;; esac
  if verdict "$name" "$rule" "$families" < /dev/null; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done < "$work/manifest"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
