# What run.sh and backends.sh share; they read it with `.`.

# The rules of the families that are not among $1, as --rule takes them; nothing if all are.
unrelated() {
  for family in Q M S T C L B; do
    case $1 in *"$family"*) ;; *) printf '%s*,' "$family" ;; esac
  done | sed 's/,$//'
}

# in_shard PLACE K/N: whether PLACE is one of every N, from K; every place is, if K/N is empty.
in_shard() { [ -z "$2" ] || [ $(($1 % ${2#*/})) -eq "${2%/*}" ]; }

# Ends the script unless $1 is K/N.
require_shard() {
  case $1 in
    [0-9]*/[1-9]*) [ "${1%/*}" -lt "${1#*/}" ] && return ;;
  esac
  echo "$(basename "$0"): '$1' is no K/N with K from 0 to N - 1" >&2
  exit 3
}

# keeps COMMAND BACKEND RULES LOG: whether a backend keeps rules that are to have nothing to do with what is broken. Little
# work and all patience: what is related to a flaw fails without waiting to be met, and a busy machine is not to count.
keeps() {
  timeout 600 "$1" --backend "$2" --rule "$3" --fail-fast --scale 0.02 > "$4" 2>/dev/null
}

# keeps_all COMMAND RULES LOG BACKEND...: the same for several backends at once, because most of it is waiting; where something
# fails, each by itself twice more, because what is judged by measurement suffers from what else the machine does. What a
# flaw breaks it breaks each time. LOG has what failed.
keeps_all() {
  command=$1 asked=$2 all=$3
  shift 3
  : > "$all"
  broken=0 waiting=
  for backend in "$@"; do
    keeps "$command" "$backend" "$asked" "$all.$backend" &
    waiting="$waiting $backend:$!"
  done
  for each in $waiting; do
    wait "${each#*:}" && continue
    backend=${each%:*}
    keeps "$command" "$backend" "$asked" "$all.$backend" && continue
    keeps "$command" "$backend" "$asked" "$all.$backend" && continue
    broken=1
    { echo "on $backend:"; grep -a -A 3 '^[A-Z][0-9]* *FAILED' "$all.$backend"; } >> "$all"
  done
  return "$broken"
}
