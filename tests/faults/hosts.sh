# Sourced: make-believe hosts on one machine, for mpirun. Each has a network
# and a host name of its own; a bridge in another namespace joins them, so the
# machine's own network is never touched.
#   hosts_up N        hosts 10.91.7.1 .. N; the bridge is 10.91.7.254
#   hosts_run CMD..   runs CMD beside the bridge, as from a login node
#   hosts_cut I       pulls the cable of host I
#   hosts_down        ends all of it
# Needs `work`; hosts_up returns 1 where namespaces are not allowed.

hosts_net=10.91.7
hosts_pids=()

# Starts a sleeper in new namespaces; its process id is in $started.
hosts_sleeper() {
  local before
  before=$(readlink /proc/self/ns/net)
  unshare "$@" -- sleep 1000000 </dev/null >/dev/null 2>&1 &
  started=$!
  hosts_pids+=("$started")
  local i
  for i in $(seq 100); do
    [ "$(readlink "/proc/$started/ns/net" 2>/dev/null)" != "$before" ] &&
      [ "$(cat "/proc/$started/comm" 2>/dev/null)" = sleep ] && return 0
    kill -0 "$started" 2>/dev/null || return 1
    sleep 0.05
  done
  return 1
}

hosts_up() {
  local i host
  hosts_sleeper -n || return 1
  hosts_bridge=$started
  nsenter -t "$hosts_bridge" -n sh -c "ip link set lo up && ip link add br0 type bridge &&
    ip addr add $hosts_net.254/24 dev br0 && ip link set br0 up" 2>/dev/null || return 1
  mkdir -p "$work/hosts"
  for i in $(seq "$1"); do
    hosts_sleeper -n -u || return 1
    host=$started
    echo "$host" >"$work/hosts/$hosts_net.$i"
    mkdir -p "$work/hosts/tmp$i"
    nsenter -t "$hosts_bridge" -n ip link add "port$i" type veth peer name eth0 netns "$host" || return 1
    nsenter -t "$hosts_bridge" -n ip link set "port$i" master br0 up
    nsenter -t "$host" -n -u sh -c "hostname node$i && ip link set lo up &&
      ip addr add $hosts_net.$i/24 dev eth0 && ip link set eth0 up" || return 1
  done
  # So that TCP gives up on a cut connection in seconds, not in 15 minutes:
  # mpirun waits for its own daemon on the host that is gone.
  local pid
  for pid in "${hosts_pids[@]}"; do
    nsenter -t "$pid" -n sysctl -qw net.ipv4.tcp_retries2=3 || return 1
  done
  # What mpirun uses in place of ssh: AGENT HOST COMMAND...
  cat >"$work/hosts/agent" <<EOF
#!/bin/sh
host=\$1
shift
export TMPDIR=$work/hosts/tmp\${host##*.}
exec nsenter -t "\$(cat "$work/hosts/\$host")" -n -u sh -c "\$*"
EOF
  chmod +x "$work/hosts/agent"
}

hosts_run() {
  nsenter -t "$hosts_bridge" -n "$@"
}

hosts_cut() {
  nsenter -t "$hosts_bridge" -n ip link set "port$1" down
}

hosts_down() {
  local pid
  for pid in "${hosts_pids[@]}"; do
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = sleep ] && kill -KILL "$pid"
  done
  hosts_pids=()
}
