# Sourced by the fault suite: runs a job in which something goes wrong and
# checks how it ends.
#   expect_end NAME CODE SECONDS LOG STATUS START   exit code, time, no leftovers
#   expect_culprit LOG RANK                         that rank is named, no other
# Needs `work`, a folder that is part of every process's command line.

skip() {
  echo "skipped: $1"
  exit 77
}

fail() {
  echo "FAILED: $1"
  [ ! -f "${2:-}" ] || tail -60 "$2"
  exit 1
}

# Processes of this test that still run, zombies left out.
leftovers() {
  local pid
  for pid in $(pgrep -f -- "$work/" || true); do
    [ "$pid" != $$ ] && [ "$pid" != "$BASHPID" ] || continue
    grep -qs 'State:[[:space:]]*Z' "/proc/$pid/status" && continue
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null || continue
    echo "(pid $pid)"
  done
}

expect_end() {
  local name=$1 code=$2 seconds=$3 log=$4 status=$5 start=$6
  local took=$((SECONDS - start))
  [ "$status" -eq "$code" ] || fail "$name: exit code $status, not $code" "$log"
  [ "$took" -le "$seconds" ] || fail "$name: $took s, more than $seconds" "$log"
  # What mpirun kills may take an instant to be gone.
  local wait
  for wait in 1 2 3 4 5 6 7 8 9 10; do
    [ -n "$(leftovers)" ] || return 0
    sleep 0.3
  done
  fail "$name: still running: $(leftovers)" "$log"
}

# The lines that accuse a rank.
accusations='never entered|makes no progress|no sign of life|out of step|nothing from it reaches|was ended by signal|without a word|was killed'

expect_culprit() {
  local log=$1 rank=$2
  grep -qE "rank $rank on [^ ]+ \(pid [0-9]+\).*($accusations)|rank $rank never entered" "$log" ||
    fail "rank $rank is not named" "$log"
  ! grep -E "^ *(sonoforge: )?rank [0-9]+ (on [^ ]+ \(pid [0-9]+\).*($accusations)|never entered)" "$log" |
    grep -vE "^ *(sonoforge: )?rank $rank " >"$work/accused" ||
    { cat "$work/accused"; fail "another rank than $rank is named" "$log"; }
}
