#!/usr/bin/env bash
# Starts a SLURM of one node on this machine, or ends it: slurm_node.sh start|stop FOLDER. Needs root, and Debian's slurm-wlm and munge,
# which it installs where they are missing. Everything it writes but MUNGE's key lies in FOLDER.
set -euo pipefail
folder=$2

if [ "$1" = stop ]; then
  for name in slurmd slurmctld munged; do
    [ -f "$folder/$name.pid" ] && kill "$(cat "$folder/$name.pid")" 2>/dev/null || true
  done
  exit 0
fi

if ! command -v slurmctld slurmd munged >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
fi
mkdir -p "$folder"/{state,spool}
chmod 755 "$folder"
host=$(hostname -s)

# A key and a socket of its own: a MUNGE that is there already is left alone.
mkdir -p "$folder/munge"
dd if=/dev/urandom of="$folder/munge/key" bs=1024 count=1 status=none
chmod 700 "$folder/munge"; chmod 400 "$folder/munge/key"
munged --force --key-file="$folder/munge/key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
  --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"

cat > "$folder/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=5
SlurmUser=root
SlurmctldPort=$3
SlurmdPort=$4
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1
ReturnToService=2
MpiDefault=none
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 RealMemory=64000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
sed -i "s/RealMemory=64000/RealMemory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.95)}' /proc/meminfo)/" "$folder/slurm.conf"
export SLURM_CONF="$folder/slurm.conf"
slurmctld
slurmd
for _ in $(seq 60); do
  sinfo --noheader --format %t 2>/dev/null | grep -q idle && exit 0
  sleep 1
done
tail -20 "$folder"/slurm*.log >&2
exit 1
