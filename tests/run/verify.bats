# shellcheck shell=bash
# "berth policy verify": what the kernel says of a workspace beside what was planned. For each
# kind of thing somebody outside changes one, and that one is told, and no other.

load ../lib/common

setup()
{
	common_setup
	name=$(new_name)
	probe small subids tool:jq
}

# workspace OPTION...: one that lives until the test ends it.
workspace()
{
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --init none "$@" -- \
		/bin/sleep 1000 >/dev/null
}

# verified: everything holds.
verified()
{
	run "$BERTH" policy verify "$name"
	assert_status 0
	assert_has ", 0 differ,"
}

# differs KIND WHAT: this row differs, and no other; the rows are left in $rows.
differs()
{
	rows=$("$BERTH" policy verify --format json "$name" || [ $? -eq 1 ])
	assert_equal "$(jq -r '.rows[] | select(.state == "differs") | "\(.kind) \(.what)"' <<<"$rows" |
		sort -u)" "$1 $2"
	assert_equal "$(jq .holds <<<"$rows")" false
	run -1 "$BERTH" policy verify "$name"
	assert_has "differs"
}

# above outer|gateway COMMAND...: one level above the workspace, as whoever started it.
above() { python3 "$BATS_TEST_DIRNAME/../lib/level.py" "$XDG_RUNTIME_DIR/berth/$name" "$@"; }

init() { "$BERTH" inspect "$name" | jq '.[0].init'; }

@test "a workspace with everything is what it was planned to be" {
	mkdir volume
	workspace -v "$PWD/volume:/data:ro" --watches 100 --inotify-instances 20 --pids 100 \
		--best-effort pids --rate-down 20mbit --rate-up 10mbit -p 127.0.0.1:18231:80 \
		--cap-drop net_raw --user-namespaces 0 --egress deny:10.0.0.0/8 --ulimit nofile=100:200
	verified
	rows=$("$BERTH" policy verify --format json "$name")
	assert_equal "$(jq .holds <<<"$rows")" true
	# Nothing of it is empty: each of these kinds was looked at.
	for kind in spawn map ucount overlay bind device mount relay gateway veth shape uplink \
		publish capabilities seccomp oom unshare detach ulimit; do
		[ "$(jq --arg k "$kind" '[.rows[] | select(.kind == $k and .state == "holds")] | length' \
			<<<"$rows")" -gt 0 ] || fail "no row of '$kind'"
	done
	# A step is looked at or listed as one that cannot be.
	steps=$(jq '[.rows[].step, .not_verified[].step] | unique | length' <<<"$rows")
	[ "$steps" -gt 60 ]
}

@test "hooks are listed as what no kernel shows, and change nothing of the rest" {
	printf '#!/bin/sh\n: >%s/ran\n' "$PWD" >hook
	chmod 755 hook
	chmod 755 .
	workspace --net none --hook-prestart "$PWD/hook" --hook-poststop "$PWD/hook late"
	[ -e ran ]
	verified
	rows=$("$BERTH" policy verify --format json "$name")
	assert_equal "$(jq '[.not_verified[] | select(.kind == "hook")] | length' <<<"$rows")" 2
	assert_equal "$(jq '[.rows[] | select(.kind == "hook")] | length' <<<"$rows")" 0
	# Another program at its path is no difference of the workspace: the one that was opened runs.
	rm hook
	verified
}

@test "root inside changes what is its own, and nothing that has to hold" {
	mkdir volume
	workspace -v "$PWD/volume:/data:ro" --watches 100 --net none
	"$BERTH" exec "$name" -- /bin/sh -c '
		umount /proc/keys; umount /dev/shm; mount -t tmpfs none /data
		echo 5000 >/proc/sys/user/max_inotify_watches
		mount -o remount,bind,rw /sys; hostname other'
	verified
	assert_has "changed-inside"
	assert_has "/proc/keys"
	assert_has "/dev/shm"
}

@test "a name from inside does not speak to the terminal" {
	workspace --net none
	"$BERTH" exec "$name" -- /bin/sh -c 'umount /dev/shm; d=$(printf "/tmp/\033[31mred\302\233\177"); mkdir "$d"
		mount --bind "$d" /dev/shm'
	run "$BERTH" policy verify "$name"
	assert_status 0
	assert_has '\x1b[31mred'
	[[ $output != *[$'\033\177']* && $output != *$'\302\233'* ]]
	run "$BERTH" policy verify --format json "$name"
	assert_status 0
	assert_has '\u001B[31mred\u009b\u007f'
	[[ $output != *[$'\033\177']* && $output != *$'\302\233'* ]]
	[[ $(jq -r '.. | strings' <<<"$output") == *$'red\302\233\177'* ]]
}

@test "what a volume would show is covered; an init may have groups without end" {
	probe debian
	mkdir -p deep/down/store/images ready
	chmod 777 ready
	berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --init none --net none \
		-v "$PWD/deep:/deep:ro" -v "$PWD/ready:/ready" --store "$PWD/deep/down/store" -- python3 -c '
import os, time
os.setgroups(range(65536))
open("/ready/ready", "w").close()
time.sleep(1000)' >/dev/null
	wait_until 10 test -e "$PWD/ready/ready"
	verified
	run -0 "$BERTH" policy verify --format json "$name"
	assert_equal "$(jq -r '.rows[] | select(.kind == "hide" and (.what | startswith("/deep"))) | .what' <<<"$output")" \
		/deep/down/store/images
}

@test "a limit of the group that somebody changed is told" {
	workspace --net none
	group=$("$BERTH" inspect "$name" | jq -r '.[0] | .cgroup_mount + .cgroup')
	[ -e "$group/cgroup.max.depth" ]
	verified
	echo 7 >"$group/cgroup.max.depth"
	differs cgroup-limit "berth-$name/cgroup.max.depth"
	assert_equal "$(jq -r '.rows[] | select(.state == "differs") | "\(.wanted) \(.real)"' <<<"$rows")" "32 7"
}

@test "a budget that somebody changed above the workspace is told" {
	probe tool:python3
	workspace --net none --watches 100
	above outer sh -c 'echo 101 >/proc/sys/user/max_inotify_watches'
	differs ucount max_inotify_watches
	above outer sh -c 'echo 100 >/proc/sys/user/max_inotify_watches'
	verified
}

@test "a rate that somebody changed in the gateway is told" {
	probe tool:python3 tool:tc
	workspace --rate-down 20mbit --rate-up 10mbit
	verified
	above gateway tc qdisc change dev berth0 root handle 1: tbf rate 30mbit burst 10k limit 100k
	differs shape download
	"$BERTH" update --rate-down 20mbit "$name"
	verified
	above gateway tc filter del dev berth0 ingress
	differs shape upload
}

@test "what a queue counts is no difference" {
	probe tool:python3 tool:tc
	workspace --rate-down 20mbit --rate-up 10mbit
	verified
	# By this priority (SO_PRIORITY) a packet is of no class: an htb counts those among its options.
	above gateway python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 12, 0x20000)
s.sendto(b"", ("198.18.240.2", 9))'
	queues=$(above gateway tc qdisc show dev berth0)
	[[ $queues != *htb* || $queues != *"direct_packets_stat 0"* ]] || fail "$queues"
	verified
}

@test "a rate that update gave is the one that holds" {
	workspace
	verified
	"$BERTH" update --rate-down 5mbit --rate-up 6mbit "$name"
	verified
}

@test "what somebody added to the gateway, or took away, is told" {
	probe tool:python3 tool:nft tool:ip
	workspace --egress deny:192.0.2.0/24
	verified
	above gateway nft insert rule inet berth_relay egress ip daddr 192.0.2.1 accept
	differs uplink "routes and rules"
	"$BERTH" stop -t 0 "$name"
	"$BERTH" start "$name"
	verified
	above gateway ip rule del pref 100
	differs uplink "routes and rules"
	"$BERTH" stop -t 0 "$name"
	"$BERTH" start "$name"
	above gateway tc qdisc add dev berth0 root pfifo
	differs veth "download, without a rate"
}

@test "a port that is not open any more is told" {
	workspace -p 127.0.0.1:18232:80
	verified
	"$BERTH" port --remove 127.0.0.1:18232:80 "$name"
	differs publish "127.0.0.1:18232:80/tcp"
}

@test "a workspace with systemd and dockerd is what it was planned to be" {
	probe debian cgroup
	berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --cap-drop sys_time >/dev/null
	"$BERTH" wait --ready "$name"
	verified
	assert_equal "$("$BERTH" policy verify --format json "$name" |
		jq -r '[.rows[] | select(.kind == "capabilities" and .state == "holds").what] | sort | join(" ")')" \
		"CapAmb CapBnd CapEff CapInh CapPrm"
}

@test "whoever is not running has nothing to verify" {
	workspace --net none
	"$BERTH" kill "$name"
	"$BERTH" wait --exit "$name" || true
	run -125 "$BERTH" policy verify "$name"
	assert_has "is not running"
	run -125 "$BERTH" policy verify "$name-none"
	assert_has "no workspace"
	run -125 "$BERTH" policy verify
	assert_has "the name of a workspace is missing"
}
