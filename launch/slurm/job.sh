# Sourced by the batch scripts beside it: one start of one job. They set
#   run                  the run's folder
#   job                  this job's name
#   program, arguments   sonoforge, and what it is to do
#   launcher             words before it: srun, mpirun or none
#   max_restarts, idle_restarts
# The program ends with 75 when it was asked to stop and has saved everything;
# the job then goes back into the queue and goes on from there. So it does when
# a rank or a node was lost.

element=$job${SLURM_ARRAY_TASK_ID:+-$SLURM_ARRAY_TASK_ID}
# The plain number of an array's last element stands for the whole array.
slurm_id=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_}${SLURM_ARRAY_TASK_ID:-$SLURM_JOB_ID}
restart=${SLURM_RESTART_COUNT:-0}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

say() { printf '%s %s: %s\n' "$(date '+%F %T')" "$element" "$*"; }

# One line a start and an end, for `sonoforge status`.
record() {
  printf '{"event":"%s","time":%s,"job":"%s","restart":%d,"code":%d}\n' \
    "$1" "$(date +%s.%N)" "$SLURM_JOB_ID" "$restart" "${2:-0}" \
    >>"$run/slurm/$element.jsonl"
}

finish() {
  record end "$1"
  exit "$1"
}

# Ends a job that is started again and again in vain. What was done is counted
# over the whole run, whoever did it.
check_progress() {
  local mark job_id count last idle=0
  mark=$("${program[@]}" status --mark "$run") || mark=unknown
  if read -r job_id count last <"$run/slurm/$element.mark" &&
    [ "$job_id" = "$SLURM_JOB_ID" ] && [ "$last" = "$mark" ]; then
    idle=$((count + 1))
  fi 2>/dev/null
  printf '%s %d %s\n' "$SLURM_JOB_ID" "$idle" "$mark" >"$run/slurm/$element.mark"
  if [ "$idle" -gt "$idle_restarts" ]; then
    say "gives up: $idle restarts in a row found nothing new done or saved ($mark)." \
      "Mend what the lines above tell, then submit again; it goes on from there"
    finish 1
  fi
}

check_restarts() {
  [ "$restart" -le "$max_restarts" ] || {
    say "gives up after $max_restarts restarts (restart.most in the site file); submit again to go on"
    finish 1
  }
}

# Back into the queue, unless somebody has taken the job out of it just now.
requeue() {
  local state
  state=$(squeue -h -j "$slurm_id" -o %T 2>/dev/null)
  if [ "$state" != RUNNING ]; then
    say "$1; Slurm has already ended this start (${state:-unknown}), so it says what follows"
    finish "$2"
  fi
  say "$1; goes back into the queue"
  record requeue "$2"
  scontrol requeue "$slurm_id" || {
    say "scontrol requeue failed; submit again to go on"
    finish "$2"
  }
  exit "$2"
}

# pmix keeps a folder for each step on each node, by job and step. A node that
# was lost may still have those of earlier starts, and a step of the same number
# fails there; so a restart leaves the numbers used before to steps without pmix.
skip_step_numbers() {
  local i
  [ "${launcher[0]:-}" = srun ] || return 0
  for ((i = 0; i < restart; ++i)); do srun --mpi=none --nodes=1 --ntasks=1 true; done
}

child='' caught=''
ask_to_stop() {
  caught=1
  say "got $1: asks the program to save and stop"
  [ -z "$child" ] || kill -USR1 "$child" 2>/dev/null
}
trap 'ask_to_stop USR1' USR1
trap 'ask_to_stop TERM' TERM

check_restarts
say "start $restart of job $SLURM_JOB_ID on ${SLURM_JOB_NODELIST:-$(hostname)}"
record start
# The first start has nothing to compare with and does not wait.
if [ "$restart" -gt 0 ]; then check_progress; else check_progress & fi
skip_step_numbers

# bash runs a trap only between commands, so the program runs beside it. A wait
# that a trap has broken says nothing of the program.
"${launcher[@]}" "${program[@]}" "${arguments[@]}" &
child=$!
[ -z "$caught" ] || kill -USR1 "$child"
while :; do
  caught=''
  wait "$child"
  code=$?
  [ -n "$caught" ] || break
done
child=''

case $code in
  0) say "done" ;;
  75) requeue "stopped with everything saved" 75 ;;
  4) requeue "a rank, a worker or a node was lost" 4 ;;
  *)
    [ "$code" -le 128 ] || requeue "the program was ended by signal $((code - 128))" "$code"
    say "failed with exit code $code; a restart would not help. Submit again once it is mended"
    ;;
esac
finish "$code"
