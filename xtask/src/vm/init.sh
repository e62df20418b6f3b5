#!/bin/sh
# The guest's first process: makes what a machine has, runs the jobs, and ends.
# What it prints goes to the second serial line, which xtask reads; the kernel's
# own messages go to the first. Lines that begin with @@ are for xtask alone.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C.UTF-8
export ALIAS_CTL=/alias/alias-ctl ALIAS_EBPF_OBJECTS=/alias/bpf RUST_BACKTRACE=0
# The processor is emulated: what is said in seconds means minutes here.
export ALIAS_TEST_SLOW=2

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing

exec >/dev/ttyS1 2>&1
stty -opost 2>/dev/null

# What a configuration has built in is no module, and what it has not, the tests
# that want it tell.
for module in veth tun dummy macvlan ipvlan 8021q bonding bridge vrf \
    sch_ingress cls_bpf act_gact act_mirred virtio_pci virtio_net
do
    modprobe -q "$module"
done

# Only the tests attach anything to the root's devices.
ip link set lo up

echo "@@kernel $(uname -r)"
while read -r name command
do
    echo "@@begin $name"
    sh -c "$command" </dev/null
    code=$?
    echo "@@end $name $code"
    # What cannot be loaded cannot be tested, and every test would take minutes to
    # say so.
    [ "$name $code" = "verify 1" ] && break
done </alias/jobs
echo "@@done"

# Off by a reboot that the emulator is told not to do: no firmware is asked.
sync
echo b >/proc/sysrq-trigger
