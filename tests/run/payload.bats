#!/usr/bin/env bats
# What a payload gets, listed in full and compared with the whole of what is expected: what
# is in the list and not expected is as wrong as the reverse.

load ../lib/common

setup()
{
	probe small subids
	common_setup
}

small_run() { berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_SMALL:O" "$@"; }

# assert_lines EXPECTED: of the output, both sorted, with a difference that can be read.
assert_lines()
{
	diff -u <(sort <<<"$1") <(sort <<<"$output")
}

status_of() { sed -n "s/^$1:\t//p" <<<"$output"; }

# By the shell itself. What it opened to list the directory is closed by the time it looks.
list_fds='for fd in /proc/$$/fd/*; do [ ! -L $fd ] || echo ${fd##*/}; done'

@test "descriptors: 0, 1, 2" {
	for init in berth none; do
		run small_run --init "$init" -- sh -c "$list_fds"
		assert_lines $'0\n1\n2'
	done
}

@test "descriptors: none of ours, however many we have open" {
	mkdir dir
	run small_run -- sh -c "$list_fds" 5</etc/passwd 6>file 7<dir 99</etc/group
	assert_lines $'0\n1\n2'
}

@test "descriptors: those of berth's init lead nowhere" {
	# It hides itself from root inside, and all the more from others.
	run small_run -- ls /proc/1/fd
	[ "$status" -ne 0 ]
	assert_has "Permission denied"
}

@test "standard streams are pipes of berth's, never the caller's own" {
	run small_run -- sh -c 'for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done' </etc/passwd
	assert_equal "$(grep -c '^pipe:' <<<"$output")" 3
	assert_equal "$(sort -u <<<"$output" | wc -l)" 3
}

@test "with -t: a terminal of the workspace's own" {
	run script -qec "$BERTH run --rm -it --name $(new_name) --rootfs $BERTH_TEST_SMALL:O -- tty" /dev/null
	assert_has /dev/pts/0
	assert_status 0
}

@test "capabilities: all of them, and none inheritable or ambient" {
	last=$(</proc/sys/kernel/cap_last_cap)
	full=$(printf '%016x' $((2 ** (last + 1) - 1)))
	run small_run -- grep ^Cap /proc/self/status
	assert_lines "CapInh:	0000000000000000
CapPrm:	$full
CapEff:	$full
CapBnd:	$full
CapAmb:	0000000000000000"
}

@test "the process: user, groups, signals, seccomp, no_new_privs, umask" {
	for init in berth none; do
		run small_run --init "$init" -- cat /proc/self/status
		assert_equal "$(status_of Uid)" $'0\t0\t0\t0'
		assert_equal "$(status_of Gid)" $'0\t0\t0\t0'
		assert_equal "$(status_of Groups | tr -d ' ')" ""
		assert_equal "$(status_of Umask)" 0022
		assert_equal "$(status_of NoNewPrivs)" 0
		assert_equal "$(status_of Seccomp)" 2
		assert_equal "$(status_of SigBlk)" 0000000000000000
		assert_equal "$(status_of SigIgn)" 0000000000000000
		assert_equal "$(status_of TracerPid)" 0
	done
}

@test "one seccomp filter, besides those around us" {
	outer=$(sed -n 's/^Seccomp_filters:\t//p' /proc/self/status)
	run small_run -- sed -n 's/^Seccomp_filters:\t//p' /proc/self/status
	assert_output $((${outer:-0} + 1))
}

@test "signals that we ignore are not ignored inside" {
	# shellcheck disable=SC2016 # for the inner shell
	run in_cgroup sh -c 'trap "" HUP INT USR1 PIPE; exec "$@"' sh "$BERTH" run --rm \
		--name "$(new_name)" --rootfs "$BERTH_TEST_SMALL:O" -- grep ^SigIgn /proc/self/status
	assert_output $'SigIgn:\t0000000000000000'
}

@test "a session of its own, no controlling terminal" {
	run small_run -- sh -c 'cut -d " " -f 5-7 /proc/$$/stat; echo $$'
	# Group and session are the command's, terminal 0.
	assert_output $'2 2 0\n2'
}

@test "the environment" {
	name=$(new_name)
	run berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --init none -- env
	assert_lines "HOME=/root
HOSTNAME=$name
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
container=berth"
}

@test "PID 1 tells nothing of our command line" {
	run small_run -e SECRET=in-our-words -- sh -c 'cat /proc/1/cmdline /proc/1/comm; cat /proc/1/environ'
	[[ $output != *SECRET* ]]
	[[ $output != *"$BERTH_TEST_SMALL"* ]]
}

@test "namespaces: all but time are new, also the user namespace" {
	run small_run -- sh -c 'for ns in user mnt pid net ipc uts cgroup time; do readlink /proc/self/ns/$ns; done'
	for ns in user mnt pid net ipc uts cgroup; do
		[[ $output != *"$(readlink /proc/self/ns/$ns)"* ]]
	done
	assert_has "$(readlink /proc/self/ns/time)"
	assert_equal "$(wc -l <<<"$output")" 8
}

@test "the ID map is the level's above, one to one" {
	run small_run -- cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
	[ "$(sed -n '$p' <<<"$output")" = allow ]
	while read -r inside outside _; do
		[ "$inside" = "$outside" ] || [ "$inside" = allow ]
	done <<<"$output"
}

@test "oom_score_adj is 100 above ours, as far as there is room" {
	ours=$(</proc/self/oom_score_adj)
	run small_run -- cat /proc/self/oom_score_adj
	assert_output $((ours + 100 > 1000 ? 1000 : ours + 100))

	# An ordinary user may raise it.
	run in_cgroup sh -c 'echo 950 >/proc/$$/oom_score_adj; exec "$@"' sh "$BERTH" run --rm \
		--name "$(new_name)" --rootfs "$BERTH_TEST_SMALL:O" -- cat /proc/self/oom_score_adj
	assert_output 1000
}

@test "the supervisor's own oom_score_adj stays" {
	name=$(new_name)
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" -- sleep 1000
	pid=$("$BERTH" inspect "$name" | sed -n 's/^ *"supervisor": \([0-9]*\),\?$/\1/p')
	run cat "/proc/$pid/oom_score_adj"
	assert_output "$(</proc/self/oom_score_adj)"
}

@test "the cgroup is the root of what is seen" {
	probe cgroup
	run small_run -i -- sh -c 'grep ^0:: /proc/self/cgroup; ls -d /sys/fs/cgroup/cgroup.procs; cat /sys/fs/cgroup/cgroup.type'
	assert_has "0::/"
	assert_equal "$(sed -n 1p <<<"$output")" "0::/"
	assert_has /sys/fs/cgroup/cgroup.procs
	assert_has domain
}

@test "its group is root's to divide; the group above is out of sight" {
	probe cgroup
	run small_run -i -- sh -c 'mkdir /sys/fs/cgroup/mine && echo $$ >/sys/fs/cgroup/mine/cgroup.procs &&
		cat /proc/self/cgroup; ls -d /sys/fs/cgroup/../limits 2>/dev/null'
	assert_has "0::/mine"
}

# covered PATH LINE: LINE where this kernel has the file.
covered() { [ ! -e "$1" ] || echo "$2"; }

# The mounts of a small workspace, each as "target type options root".
expected_mounts()
{
	local node file

	echo "/ overlay $1,nodev /"
	echo "/dev tmpfs rw,nosuid,noexec /"
	for node in null zero full random urandom tty; do
		echo "/dev/$node DEV rw /$node"
	done
	echo "/dev/.berth/proc proc rw,nosuid,nodev,noexec /"
	echo "/dev/.berth/sys sysfs rw,nosuid,nodev,noexec /"
	echo "/proc proc rw,nosuid,nodev,noexec /"
	echo "/sys sysfs ro,nosuid,nodev,noexec /"
	for file in kcore keys latency_stats timer_list sched_debug interrupts; do
		covered "/proc/$file" "/proc/$file DEV rw /null"
	done
	for file in acpi asound scsi; do
		covered "/proc/$file" "/proc/$file tmpfs ro,nosuid,nodev,noexec /empty"
	done
	for file in bus fs irq sysrq-trigger; do
		covered "/proc/$file" "/proc/$file proc ro,nosuid,nodev,noexec /$file"
	done
	for file in firmware devices/virtual/powercap kernel/debug kernel/tracing kernel/config; do
		covered "/sys/$file" "/sys/$file tmpfs ro,nosuid,nodev,noexec /empty"
	done
	# A command that nobody works in shares our own group and sees none.
	[ -z "${BERTH_TEST_CGROUP:-}" ] || [ -z "${2:-}" ] || echo "/sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec /"
	echo "/dev/pts devpts rw,nosuid,noexec /"
	echo "/dev/shm tmpfs rw,nosuid,nodev,noexec /"
	echo "/dev/mqueue mqueue rw,nosuid,nodev,noexec /"
}

# seen_mounts: mountinfo as "target type options root"; where the node's devices come from
# differs, and so does its kernel's relatime.
seen_mounts()
{
	awk '{ for (i = 7; $i != "-"; i++); options = $6; gsub(/,(rel|no)?(dir)?atime/, "", options)
		type = $(i + 1); root = $4; sub(/^.*\//, "/", root)
		if ($5 ~ /^\/dev\/(null|zero|full|random|urandom|tty)$/ || root == "/null" && $5 ~ /^\/proc/) type = "DEV"
		print $5, type, options, root }'
}

@test "mounts: exactly these" {
	run small_run --net none -- cat /proc/self/mountinfo
	assert_status 0
	output=$(seen_mounts <<<"$output")
	assert_lines "$(expected_mounts rw)"
	run small_run -i --net none -- cat /proc/self/mountinfo
	output=$(seen_mounts <<<"$output")
	assert_lines "$(expected_mounts rw group)"
}

@test "mounts: volumes are the only difference" {
	mkdir dir
	run small_run --net none -v "$PWD/dir:/mnt:ro" -v "$PWD/dir:/home/dev" -- cat /proc/self/mountinfo
	output=$(seen_mounts <<<"$output")
	assert_lines "$(expected_mounts rw)
/home/dev $(stat -f -c %T . | sed 's#ext2/ext3#ext4#') rw,nosuid,nodev /dir
/mnt $(stat -f -c %T . | sed 's#ext2/ext3#ext4#') ro,nosuid,nodev /dir"
}

@test "/dev: exactly these" {
	run small_run --net none -- sh -c 'cd /dev && find . -path "./.berth/*" -prune -print -o -path ./pts -prune -print -o -print'
	assert_lines ".
./.berth
./.berth/empty
./.berth/proc
./.berth/sys
./fd
./full
./mqueue
./null
./ptmx
./pts
./random
./shm
./stderr
./stdin
./stdout
./tty
./urandom
./zero"
}

@test "the kernel files are covered" {
	run small_run -- sh -c '
		for f in kcore keys latency_stats timer_list sched_debug interrupts; do
			[ ! -e /proc/$f ] || [ -z "$(head -c 1 /proc/$f 2>&1)" ] || echo $f
		done
		for d in /proc/acpi /proc/asound /proc/scsi /sys/firmware /sys/kernel/debug /sys/kernel/tracing; do
			[ ! -d $d ] || [ -z "$(ls -A $d)" ] || echo $d
		done'
	assert_output ""
}

@test "--unmask leaves them as the kernel shows them, those alone, and start keeps it" {
	run small_run --unmask /proc/interrupts --unmask /proc/timer_list -- sh -c '
		grep -c : /proc/interrupts; cut -d" " -f2 /proc/mounts | grep -xE "/proc/(keys|interrupts|timer_list)"'
	[ "${lines[0]}" -gt 3 ]
	assert_equal "${lines[*]:1}" /proc/keys
	run small_run --unmask all -- sh -c 'cut -d" " -f2 /proc/mounts | grep -E "^/(proc|sys)/" | grep -v /sys/fs/cgroup'
	assert_output ""
	name=$(new_name)
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --unmask /proc/keys -- sleep 1000
	berth stop -t 0 "$name"
	berth start "$name"
	run ! berth exec "$name" grep -q ' /proc/keys ' /proc/mounts
	berth exec "$name" grep -q ' /proc/interrupts ' /proc/mounts
}

@test "limits are those of the caller" {
	run small_run -- cat /proc/self/limits
	inside=$output
	run cat /proc/self/limits
	assert_equal "$inside" "$output"
}

@test "--pids is the limit of processes inside, and the caller's stays" {
	run small_run --pids 100 -- sh -c 'ulimit -u'
	before=$(ulimit -u)
	assert_equal "$(ulimit -u)" "$before"
	assert_status 0
}

# bats test_tags=debian
@test "systemd: the same capabilities, filter and environment" {
	probe debian cgroup
	name=$(new_name)
	berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O"
	timeout 100 "$BERTH" wait --ready "$name"

	run berth exec "$name" -- cat /proc/1/status
	last=$(</proc/sys/kernel/cap_last_cap)
	assert_equal "$(status_of CapEff)" "$(printf '%016x' $((2 ** (last + 1) - 1)))"
	assert_equal "$(status_of CapBnd)" "$(printf '%016x' $((2 ** (last + 1) - 1)))"
	assert_equal "$(status_of Seccomp)" 2
	assert_equal "$(status_of NoNewPrivs)" 0

	run berth exec "$name" -- sh -c 'tr "\0" "\n" </proc/1/environ'
	assert_lines "HOME=/root
HOSTNAME=$name
NOTIFY_SOCKET=/run/host/notify
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
TERM=xterm
container=berth"
}
