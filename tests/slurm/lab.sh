# Sourced by the tests on a real Slurm: a cluster of two nodes on this machine,
# below a folder of its own, with daemons that end with the test.
#   lab_up FOLDER          needs root, munge and slurm-wlm; else ends with 77
#   lab_node_up N          starts (again) node N's daemon
#   lab_node_down N        what the loss of node N leaves: its daemon and all
#                          that it had started are killed
#   lab_down               ends everything that lab_up started
# Sets SLURM_CONF and what OpenMPI needs where two nodes are one host.

lab_nodes=2
lab_cpus=4  # a node; more than there are, since nothing is bound to them

lab_needs() {
  local program
  [ "$(id -u)" = 0 ] && unshare --uts true 2>/dev/null ||
    skip "a private Slurm wants root, with the right to make namespaces"
  for program in munged slurmctld slurmd sbatch; do
    command -v "$program" >/dev/null ||
      skip "no $program: apt-get install slurm-wlm munge"
  done
}

# A port that nothing listens on now, and the three behind it.
lab_port() {
  local port
  for port in $(seq $((20000 + RANDOM % 20000)) 7 60000); do
    ! grep -qiE ":($(printf '%04X|%04X|%04X' "$port" $((port + 1)) $((port + 2)))) " /proc/net/tcp || continue
    echo "$port"
    return
  done
}

lab_write_config() {
  local host port node
  host=$(hostname -s)
  port=$(lab_port)
  cat >"$lab/slurm.conf" <<CONF
ClusterName=lab
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# cred_expire is also how long a requeued job waits, by default two minutes.
AuthInfo=socket=$lab/munge.socket,cred_expire=5
StateSaveLocation=$lab/state
SlurmdSpoolDir=$lab/spool/%n
SlurmctldPidFile=$lab/slurmctld.pid
SlurmdPidFile=$lab/slurmd.%n.pid
SlurmctldLogFile=$lab/log/slurmctld
SlurmdLogFile=$lab/log/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2,sched_min_interval=0,batch_sched_delay=0
MpiDefault=none
ReturnToService=2
SlurmctldTimeout=30
# A node that is silent for so long is down, and its jobs are requeued.
SlurmdTimeout=10
MinJobAge=3600
SlurmdParameters=config_overrides
# pmix makes its folder there on every node; with one folder the second fails.
TmpFS=$lab/tmp/%n
CONF
  for node in $(seq "$lab_nodes"); do
    echo "NodeName=node$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + node)) Sockets=1 CoresPerSocket=$lab_cpus ThreadsPerCore=1 RealMemory=4096"
  done >>"$lab/slurm.conf"
  echo "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=60" >>"$lab/slurm.conf"
  printf '%s\n' CgroupPlugin=cgroup/v1 CgroupAutomount=no >"$lab/cgroup.conf"
}

# lab_wait SECONDS COMMAND...: until the command succeeds.
lab_wait() {
  local tries=$((10 * $1))
  shift
  until "$@"; do
    [ "$((--tries))" -gt 0 ] || return 1
    sleep 0.1
  done
}

# lab_start NAME PROGRAM...: a daemon; its id goes to NAME.id.
lab_start() {
  "${@:2}" >"$lab/log/$1.out" 2>&1 </dev/null &
  echo $! >"$lab/$1.id"
  disown
}

# In a namespace of its own the node has its own host name.
lab_node_up() {
  lab_start "node$1" unshare --uts -- sh -c 'hostname "$0" && exec slurmd -D -N "$0"' "node$1"
}

# The process and all below it, children first.
lab_family() {
  local child
  for child in $(pgrep -P "$1" || true); do lab_family "$child"; done
  echo "$1"
}

lab_node_down() {
  local id
  # A step's daemon is no child of the node's, but writes to the node's log.
  for id in $(cat "$lab/node$1.id" 2>/dev/null) $(pgrep slurmstepd || true); do
    find "/proc/$id/fd" -lname "$lab/log/node$1" 2>/dev/null | grep -q . || continue
    lab_family "$id"
  done | xargs -r kill -KILL 2>/dev/null || true
}

lab_idle() { [ "$(sinfo -h -N -o %t 2>/dev/null | grep -c '^idle$')" = "$lab_nodes" ]; }

lab_up() {
  lab_needs
  lab=$1
  mkdir -p "$lab"/{log,state,tmp}
  local node
  for node in $(seq "$lab_nodes"); do
    mkdir -p "$lab/spool/node$node" "$lab/tmp/node$node"
  done
  lab_write_config
  # Recordings of ranks are named by job, and each lab counts jobs from one.
  export SLURM_CONF=$lab/slurm.conf TMPDIR=$lab/tmp
  head -c 1024 /dev/urandom >"$lab/munge.key"
  chmod 400 "$lab/munge.key"
  # Two nodes of one host share no memory under mpirun.
  export OMPI_MCA_btl=self,tcp OMPI_MCA_pml=ob1 OMPI_MCA_btl_tcp_if_include=lo
  lab_start munged munged --foreground --force --key-file="$lab/munge.key" \
    --socket="$lab/munge.socket" --pid-file="$lab/munged.pid" \
    --log-file="$lab/log/munged" --seed-file="$lab/munged.seed"
  lab_wait 10 test -S "$lab/munge.socket" || fail "munged does not start" "$lab/log/munged.out"
  lab_start slurmctld slurmctld -D
  for node in $(seq "$lab_nodes"); do lab_node_up "$node"; done
  lab_wait 30 lab_idle || fail "Slurm does not start" "$lab/log/slurmctld"
}

lab_down() {
  local name
  [ -n "${lab:-}" ] || return 0
  squeue -h -o %A 2>/dev/null | sort -u | xargs -r scancel 2>/dev/null || true
  for name in $(seq -f 'node%g' "$lab_nodes"); do lab_node_down "${name#node}"; done
  for name in slurmctld munged; do
    [ ! -f "$lab/$name.id" ] || kill -KILL "$(cat "$lab/$name.id")" 2>/dev/null || true
  done
}

fail() {
  echo "FAILED: $1"
  [ ! -f "${2:-}" ] || tail -40 "$2"
  exit 1
}

# tiny_submit RUN ...: the recipe of tests/multirank/tiny_recipe.sh.
tiny_submit() {
  "$SONO_PROGRAM" submit "$SONO_SOURCE/experiments/quickstart.ini" \
    "${TINY_OPTIONS[@]}" "${@:2}" --out "$1"
}

# The ids of what was submitted, in order.
tiny_jobs() {
  python3 -c 'import json, sys
print(*[job["id"] for job in json.load(open(sys.argv[1]))["jobs"]])' "$1/slurm/submission.json"
}

# lab_ended "ID ID": none of them waits or runs.
lab_ended() { [ -z "$(squeue -h -o %A | grep -xF "$(tr ' ' '\n' <<<"$1")")" ]; }
