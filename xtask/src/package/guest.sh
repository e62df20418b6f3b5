#!/bin/sh
# guest.sh FIRST.deb LATER.deb: what an operator does, with real packets, and what is there then.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
cd /root
first=$1 later=$2

said() { echo "package: $*"; }
fail() {
    echo "package: FAILED: $*" >&2
    journalctl --no-pager --unit alias | tail -n 20 >&2 || true
    exit 1
}
answers() { ip netns exec far ping -q -c 2 -i 0.2 -W 2 "$1" >/dev/null || fail "$1 does not answer"; }
# becomes WHAT COMMAND...: within ten seconds.
becomes() {
    what=$1
    shift
    for _ in $(seq 100); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    fail "$what"
}
has_alias() { alias-ctl show "$1"; }
install() { apt-get -qq -o APT::Sandbox::User=root install -y "./$1" >/dev/null 2>/tmp/apt || {
    cat /tmp/apt >&2
    fail "apt-get install ./$1"
}; }
rx() { alias-ctl stats -j "$1" | tr , '\n' | sed -n 's/.*"rx_packets":\([0-9]*\).*/\1/p' | head -n 1; }
# What must be as before when the package is gone.
world() {
    ip -d link show | sed 's/ promiscuity .*//; s/ qlen [0-9]*//'
    ip addr show | sed '/valid_lft/d'
    ip route show table all
    ip -6 route show table all
    ip rule show
    tc qdisc show
    find /sys/fs/bpf
    for netns in home; do ip -n "$netns" link show; done
}

ip link set lo up
ip netns add far
ip netns add home
ip link add eth0 type veth peer name eth0 netns far
ip addr add 192.0.2.9/24 dev eth0
ip link set eth0 up
ip -n far addr add 192.0.2.1/24 dev eth0
ip -n far link set eth0 up
ip -n far route add 198.51.100.0/24 dev eth0
becomes "eth0 comes up" sh -c 'ip link show eth0 | grep -q "state UP"'
# Once sent and heard, neighbours are known and IPv6 has settled.
answers 192.0.2.9
becomes "IPv6 settles" sh -c '! ip -6 addr show tentative | grep -q inet6'
world >/tmp/before

said "install"
install "$first"
systemctl is-active --quiet alias || fail "the service does not run after the installation"
systemctl is-enabled --quiet alias || fail "the service is not enabled"
test ! -e /usr/local/sbin/ifconfig || fail "ifconfig is replaced unasked"
! command -v ifconfig >/dev/null || fail "ifconfig is there unasked"
systemctl show --property Type --value alias | grep -qx notify || fail "it is no notify service"

said "aliases of each kind, saved"
alias-ctl add eth0:0 192.0.2.10/24
alias-ctl add eth0:1 192.0.2.11/24 --netns home
alias-ctl add eth0:2 198.51.100.8/24 --local
alias-ctl add eth0:3 192.0.2.13 --drop
alias-ctl set eth0:2 --tcp-nodelay 1
for address in 192.0.2.10 192.0.2.11 198.51.100.8; do answers "$address"; done
alias-ctl save
becomes "the status names the device" sh -c 'systemctl status alias | grep -q "Watching 1 attached"'

said "the daemon follows, and restores into a namespace that came after it"
device=$(alias-ctl show -j eth0:0 | sed -n 's/.*"device":"\([^"]*\)".*/\1/p')
ip addr flush dev "$device"
becomes "the address is put back" sh -c "ip addr show dev $device | grep -q 192.0.2.10"
alias-ctl detach eth0 --cascade
ip netns del home
systemctl restart alias
becomes "the others are restored" has_alias eth0:2
! has_alias eth0:1 >/dev/null 2>&1 || fail "eth0:1 is there without its namespace"
ip netns add home
becomes "eth0:1 is restored into the new namespace" has_alias eth0:1
for address in 192.0.2.10 192.0.2.11 198.51.100.8; do answers "$address"; done
alias-ctl show -j eth0:2 | grep -q '"tcp_nodelay":1' || fail "the TCP option is not restored"
alias-ctl doctor >/tmp/doctor || { cat /tmp/doctor; fail "doctor has a problem"; }

said "a daemon that hangs is started anew"
old=$(systemctl show --property MainPID --value alias)
systemctl kill --signal SIGKILL alias
becomes "the daemon is started anew" sh -c \
    "pid=\$(systemctl show --property MainPID --value alias); test \$pid != 0 && test \$pid != $old"
becomes "it is ready" systemctl is-active alias
answers 192.0.2.11

said "stopped, packets flow"
systemctl stop alias
answers 192.0.2.10
systemctl start alias

said "upgrade under traffic"
counted=$(rx eth0:1)
ip netns exec far ping -q -i 0.01 -c 600 192.0.2.11 >/tmp/ping &
ping=$!
install "$later"
wait $ping || fail "no answer during the upgrade: $(cat /tmp/ping)"
grep -q ' 0% packet loss' /tmp/ping || fail "packets were lost: $(cat /tmp/ping)"
test "$(rx eth0:1)" -ge $((counted + 600)) || fail "counters were lost"
systemctl is-active --quiet alias || fail "the service does not run after the upgrade"

said "ifconfig, when it is asked for"
update-alternatives --quiet --install /usr/local/sbin/ifconfig ifconfig /usr/libexec/alias-ctl/ifconfig 10
/usr/local/sbin/ifconfig eth0:0 | grep -q 192.0.2.10 || fail "ifconfig does not know eth0:0"

said "removed with KEEP_FORWARDING=yes, packets flow"
sed -i 's/^KEEP_FORWARDING=.*/KEEP_FORWARDING=yes/' /etc/default/alias
apt-get -qq remove -y alias-ctl >/dev/null
for address in 192.0.2.10 192.0.2.11 198.51.100.8; do answers "$address"; done
test ! -e /usr/local/sbin/ifconfig || fail "ifconfig leads nowhere"
install "$later"
grep -qx KEEP_FORWARDING=yes /etc/default/alias || fail "the configuration was lost"
sed -i 's/^KEEP_FORWARDING=.*/KEEP_FORWARDING=no/' /etc/default/alias

said "removed"
apt-get -qq remove -y alias-ctl >/dev/null </dev/null
test -e /etc/alias/aliases.toml || fail "what was saved went without a purge"
gone() { world >/tmp/after && cmp -s /tmp/before /tmp/after; }
for _ in $(seq 50); do if gone; then break; fi; sleep 0.1; done
gone || { diff /tmp/before /tmp/after >&2 || true; fail "something is left"; }
answers 192.0.2.9

said "purged"
apt-get -qq purge -y alias-ctl >/dev/null
for file in /etc/alias /etc/default/alias /etc/systemd/system/multi-user.target.wants/alias.service; do
    test ! -e $file -a ! -L $file || fail "$file is left"
done
! dpkg-query --list alias-ctl >/dev/null 2>&1 || fail "dpkg still knows it"
if command -v lintian >/dev/null; then
    lintian --fail-on error --allow-root "./$first" || fail "lintian has errors"
else
    said "SKIPPED lintian: it is not in this root"
fi
said "PASSED"
