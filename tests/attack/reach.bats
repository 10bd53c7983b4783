#!/usr/bin/env bats
# How far root inside reaches: berth's own processes, other workspaces, the node.

load ../lib/common
load ../lib/leavings

setup()
{
	probe small subids
	common_setup
	first=$(new_name)
	second=$(new_name)
}

teardown()
{
	common_teardown
	[ -z "${door:-}" ] || rm -r "$door"
}

# inside ARG...: a small workspace; what it prints, without its errors.
inside()
{
	run --separate-stderr berth run --rm --name "$second" --rootfs "$BERTH_TEST_SMALL:O" "$@"
}

# python TEXT: the same in a Debian with python3.
python()
{
	run --separate-stderr berth run --rm --name "$second" --rootfs "$BERTH_TEST_ROOTFS:O" \
		"${volumes[@]}" -- python3 -c "$1"
}

@test "berth's init shows nothing of outside" {
	inside -- sh -c 'for f in exe root cwd fd/0 fd/1 fd/2 fd/3 ns/user ns/mnt; do
			readlink /proc/1/$f && echo "read the link $f"; done
		for f in mem environ maps smaps auxv stack syscall io map_files fd fdinfo; do
			ls /proc/1/$f/ >/dev/null || head -c 1 /proc/1/$f && echo "read $f"; done
		cat /proc/1/comm'
	assert_output berth-init
	inside -u dev -- sh -c 'ls /proc/1/fd/ >/dev/null && echo seen; ls /proc/1/root/ >/dev/null && echo seen; cat /proc/1/comm'
	assert_output berth-init
	# Positive control: of its own child all that is there.
	inside -- sh -c 'sleep 100 & readlink /proc/$!/root; head -c 4 /proc/$!/environ >/dev/null && echo environ'
	assert_output $'/\nenviron'
}

@test "berth's init cannot be traced, stopped or killed" {
	inside -- sh -c 'kill -KILL 1; kill -STOP 1; kill -TERM $$ 2>/dev/null & wait; grep State /proc/1/status'
	[[ $output != *zombie* ]]
	probe debian
	run berth run --rm --name "$second" --rootfs "$BERTH_TEST_ROOTFS:O" -- \
		sh -c 'nsenter -t 1 -m true && echo entered mnt; nsenter -t 1 -U true && echo entered user
			chroot /proc/1/root true && echo entered root; true'
	[[ $output != *entered* ]] || fail "$output"
}

@test "no process, socket or shared memory of another workspace is in sight" {
	berth run -d --name "$first" --rootfs "$BERTH_TEST_SMALL:O" -- \
		sh -c 'echo secret >/dev/shm/secret; exec nc -l -p 8888 -e cat' >/dev/null
	wait_until 10 berth exec "$first" -- sh -c 'netstat -ltn | grep -q 8888'
	# Its own sees it.
	run berth exec "$first" -- sh -c 'ps; netstat -ltn; ls /dev/shm'
	assert_has "nc -l"
	assert_has 8888
	assert_has secret

	inside -- sh -c 'ls /proc | grep -c "^[0-9]"; netstat -ltn; ls /dev/shm; ps; hostname'
	[[ $output != *"nc -l"* ]]
	[[ $output != *8888* ]]
	[[ $output != *secret* ]]
	[[ $output != *"$first"* ]]
	[ "$(sed -n 1p <<<"$output")" -lt 10 ]
	# Nor its files, whose names a neighbour may know.
	inside -- sh -c "find / -name '*$first*' 2>/dev/null"
	assert_output ""
}

@test "no process of the node is in sight, and the node's own numbers lead nowhere" {
	inside -- sh -c "kill -0 $$ && echo reached; ls -d /proc/$BATS_ROOT_PID && echo seen; true"
	[[ $output != *reached* && $output != *seen* ]] ||
		fail "a process with that number is in the workspace, or the node's is: $output"
}

@test "the control socket refuses who comes from inside, the same uid or not" {
	probe debian
	berth run -d --name "$first" --rootfs "$BERTH_TEST_SMALL:O" -- sleep 1000 >/dev/null
	# The runtime directory itself is covered in volumes; its owner may open another way.
	door=$(mktemp -d "$(dirname "$(state_dir)")/door.XXXXXX")
	ln "$(state_dir)/$first/control" "$door/control"
	volumes=(-v "$door:/door")
	python 'import socket, struct
def answer(s):
    data, beside, _, _ = s.recvmsg(4096, 4096)
    return struct.unpack_from("=i", data, 8)[0], len(beside)
def door():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(10)
    s.connect("/door/control")
    return s
print(*answer(door()))
for verb in range(9): # kill, stop, ready, exit, join, a port, none, traffic, update
    s = door()
    try:
        s.send(struct.pack("=IIiIQ128s48s", 2, verb, 9, 0, 0, b"80:80", b""))
        print(*answer(s))
    except (BrokenPipeError, ConnectionResetError): # it had been shown the door before
        print(-13, 0)'
	assert_output "$(for _ in {0..9}; do echo "-13 0"; done)"
	# Positive control: from outside the same words bring descriptors.
	run python3 -c 'import socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
s.send(struct.pack("=IIiIQ128s48s", 2, 4, 9, 0, 0, b"", b""))
data, beside, _, _ = s.recvmsg(4096, 4096)
print(struct.unpack_from("=i", data, 8)[0], len(beside))' "$door/control"
	assert_output "0 1"
	# Nothing happened to it, and who comes from outside is served.
	run berth exec "$first" -- echo alive
	assert_output alive
}

@test "the runtime directory is covered, even in a volume that holds it" {
	inside -v "$XDG_RUNTIME_DIR:/mnt" -- sh -c 'ls -A /mnt/berth; touch /mnt/berth/new && echo made'
	assert_output ""
}

@test "no raw way to the kernel: AF_ALG, AF_VSOCK, TIOCSTI" {
	probe debian
	volumes=()
	python 'import fcntl, os, socket
for family, kind in (38, socket.SOCK_SEQPACKET), (40, socket.SOCK_STREAM):
    try: socket.socket(family, kind); print("socket", family)
    except OSError: pass
master, slave = os.openpty()
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, 0x540e, 0)
    for command, argument in (0x5412, b"x"), (0x5412 | 1 << 32, b"x"), (0x541c, b"\x03"):
        try: fcntl.ioctl(slave, command, argument); print("ioctl", hex(command))
        except (OSError, OverflowError): pass
    os._exit(0)
os.wait()
socket.socket(socket.AF_INET, socket.SOCK_STREAM); print("AF_INET")'
	assert_output AF_INET # the positive control
}

@test "device nodes: none can be made, none in the image or in a volume works" {
	inside -- sh -c 'for where in / /tmp /dev /dev/shm /run; do
			mknod $where/node c 1 3 && echo $where
			mknod $where/disk b 8 0 && echo $where
		done
		mknod /tmp/pipe p && echo pipe' # the positive control
	assert_output pipe
}

@test "the kernel's own log, memory and modules are out of reach" {
	inside -- sh -c 'dmesg | grep . && echo dmesg
		for f in /proc/kcore /proc/kmsg /dev/mem /dev/kmsg /proc/kallsyms /dev/kvm; do
			[ -z "$(head -c 1 $f 2>/dev/null)" ] || [ $f = /proc/kallsyms ] || echo $f; done
		insmod /etc/passwd && echo insmod; swapoff -a && echo swapoff; date -s 00:00 2>&1 | grep -q "set date" || echo date
		hwclock -w && echo hwclock; reboot -f & sleep 0.2; echo end'
	[[ $output == *end || $output == "" ]] || fail "$output"
}

@test "the cgroup above the payload is out of reach" {
	probe cgroup
	# With -i, since a lone command is not moved to a cgroup of its own.
	inside -i -- sh -c '
		cd /sys/fs/cgroup
		for up in .. ../.. /sys/fs/cgroup/../.. /proc/1/root/sys/fs/cgroup/..; do
			echo $$ >$up/cgroup.procs && echo "left by $up"
			echo 1 >$up/cgroup.kill && echo "killed by $up"
			ls -d $up/berth-* && echo "seen by $up"
		done
		mkdir /tmp/c && mount -t cgroup2 none /tmp/c && ls -d /tmp/c/payload /tmp/c/berth-* && echo seen
		mkdir mine && echo $$ >mine/cgroup.procs && grep ^0:: /proc/self/cgroup' # the positive control
	assert_output 0::/mine
}

@test "cgroup version 1 cannot be mounted, so no release agent either" {
	inside -- sh -c 'mkdir /tmp/c; for c in memory cpu devices freezer rdma misc name=x; do
		mount -t cgroup -o $c none /tmp/c && { echo /tmp/x >/tmp/c/release_agent && echo $c; umount /tmp/c; }; done; true'
	assert_output ""
}

@test "an unprivileged user inside gets nothing from set-user-ID berth files, nor from ours" {
	inside -u dev -- sh -c 'cat /proc/1/environ /proc/1/mem && echo read; echo x >/etc/passwd && echo wrote
		mount -t tmpfs none /mnt && echo mounted; id -u'
	assert_output 1000
}

@test "namespaces inside namespaces give nothing of the node's" {
	inside -- unshare -Urmpf --mount-proc sh -c '
		for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger; do { echo x >$f; } 2>/dev/null && echo "wrote $f"; done
		mount -t sysfs none /mnt && { echo 1 >/mnt/kernel/mm/ksm/run; } 2>/dev/null && echo "wrote ksm"
		mknod /tmp/n c 1 3 && echo mknod
		ls /proc | grep -c "^[0-9]"'
	[ "${output:-99}" -lt 5 ] || fail "$output"
}

# as_pod_root ARG...: berth, as root of a pod, whose own file berth is then.
as_pod_root()
{
	in_cgroup unshare --map-auto --map-root-user -m "$BERTH" "$@"
}

@test "a command that leads the kernel back to its caller meets the airlock, not berth" {
	local trap=$BATS_TEST_TMPDIR/trap

	printf '#!/proc/self/exe\n' >"$trap"
	chmod 755 "$trap"
	# As PID 1 and as its child, by its path and by PATH.
	for init in none berth; do
		for command in /mnt/trap trap; do
			run as_pod_root run --rm --init $init --name "$second" --rootfs "$BERTH_TEST_SMALL:O" \
				-v "$trap:/mnt/trap" -e PATH=/none:/mnt -- "$command" version
			assert_status 126
			assert_output ""
		done
	done
	# Positive control: an interpreter that is none of ours runs.
	printf '#!/bin/echo\n' >"$trap"
	run as_pod_root run --rm --name "$second" --rootfs "$BERTH_TEST_SMALL:O" -v "$trap:/mnt/trap" -- /mnt/trap
	assert_output "/mnt/trap"
	run as_pod_root run --rm --name "$second" --rootfs "$BERTH_TEST_SMALL:O" -- sh -c 'readlink /proc/$$/exe; readlink /proc/$$/fd/3 || echo closed'
	assert_output $'/bin/busybox\nclosed'
}

@test "with the airlock a command that cannot be executed is told as without" {
	run as_pod_root run --rm --name "$second" --rootfs "$BERTH_TEST_SMALL:O" -- no-such-command
	assert_status 127
	assert_has "berth: exec: find 'no-such-command' in the workspace's PATH: No such file or directory"
	run as_pod_root run --rm --name "$second" --rootfs "$BERTH_TEST_SMALL:O" -- /etc/passwd/x
	assert_status 127
	assert_has "berth: exec: execute '/etc/passwd/x': Not a directory"
	run as_pod_root run --rm --name "$second" --rootfs "$BERTH_TEST_SMALL:O" -- /etc/passwd
	assert_status 126
	assert_has "berth: exec: execute '/etc/passwd': Permission denied"
	printf '#!/no/such\n' >"$BATS_TEST_TMPDIR/lost"
	chmod 755 "$BATS_TEST_TMPDIR/lost"
	for init in none berth; do
		run as_pod_root run --rm --init $init --name "$second" --rootfs "$BERTH_TEST_SMALL:O" \
			-v "$BATS_TEST_TMPDIR/lost:/bin/lost" -- lost
		assert_status 127
		assert_has "execute 'lost': No such file or directory"
		assert_has "hint: the file is there: what is missing is the interpreter"
	done
}

@test "the caller's keys stay outside" {
	probe tool:strace
	# Inside nothing shows a keyring, so the proof is the call that leaves the caller's.
	ASAN_OPTIONS=detect_leaks=0 in_cgroup unshare --map-auto --map-root-user -m strace -f -e trace=keyctl -o "$BATS_TEST_TMPDIR/trace" \
		"$BERTH" run --rm --name "$second" --rootfs "$BERTH_TEST_SMALL:O" -- true
	run grep -c 'keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL) = [1-9]' "$BATS_TEST_TMPDIR/trace"
	assert_output 1
}

# Capabilities

# In hex, as /proc shows it: those that --cap-drop left in the bounding set.
bounding() { awk '/^CapBnd/ { print $2 }'; }

@test "dropped capabilities stay away from root inside, from exec and from what is setuid" {
	probe debian
	raw='socket(my $s, 2, 3, 1) or print "no: $!\n"; print "done\n"'
	name=$(new_name)
	berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --init berth --cap-drop NET_RAW,cap_sys_ptrace \
		-- sleep 1000
	run -0 berth exec "$name" perl -e "$raw"
	assert_output $'no: Operation not permitted\ndone'
	all=$(berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_ROOTFS:O" -- cat /proc/self/status | bounding)
	want=$(printf '%016x' $((0x$all & ~(1 << 13 | 1 << 19))))
	for who in root nobody; do
		run -0 berth exec -u "$who" "$name" cat /proc/self/status
		assert_equal "$(bounding <<<"$output")" "$want"
	done
	run -0 berth exec "$name" sh -c 'grep ^CapEff /proc/self/status; grep ^CapBnd "/proc/$(pidof sleep)/status"
		useradd dev; su dev -c "grep ^CapBnd /proc/self/status"'
	assert_output "CapEff:"$'\t'"$want"$'\n'"CapBnd:"$'\t'"$want"$'\n'"CapBnd:"$'\t'"$want"
	# Positive control.
	run -0 berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_ROOTFS:O" -- perl -e "$raw"
	assert_output "done"
}

@test "--cap-add keeps what --cap-drop all takes, and a nested user namespace is told of" {
	probe debian
	run -0 berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_ROOTFS:O" \
		--cap-drop all --cap-add chown,dac_override -- sh -c 'grep ^Cap /proc/self/status; touch /f; chown 5 /f && echo owned
		chmod 600 /f; hostname no 2>&1; true'
	assert_equal "$(bounding <<<"$output")" 0000000000000003
	assert_has owned
	assert_has "you must be root"
	again='unshare -U grep ^CapBnd /proc/self/status'
	run -0 --separate-stderr berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_ROOTFS:O" --cap-drop all -- sh -c "$again"
	assert_has ffff
	run berth plan --rootfs "$BERTH_TEST_ROOTFS:O" --cap-drop all -- true
	assert_has "--user-namespaces 0 forbids that"
	run berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_ROOTFS:O" --cap-drop all --user-namespaces 0 -- sh -c "$again"
	assert_has "No space left on device"
	run berth run --rm --rootfs "$BERTH_TEST_ROOTFS:O" --cap-drop net_rav -- true
	assert_status 125
	assert_has "'net_rav' is no capability"
	assert_has "did you mean 'net_raw'?"
}

@test "a system boots without the capabilities that it does not need, also after a restart" {
	probe debian
	name=$(new_name)
	berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --state "$PWD/state" --cap-drop sys_time,net_raw
	in_cgroup timeout 100 "$BERTH" wait --ready "$name"
	run -0 berth exec "$name" sh -c 'grep ^CapBnd /proc/1/status /proc/self/status | sort -u -k2'
	assert_equal "$(bounding <<<"${output#*:}")" "$(printf '%016x' $((0x1ffffffffff & ~(1 << 13 | 1 << 25))))"
	berth stop "$name"
	berth start "$name"
	in_cgroup timeout 100 "$BERTH" wait --ready "$name"
	run -0 berth exec "$name" grep ^CapBnd /proc/1/status
	assert_equal "$(bounding <<<"$output")" "$(printf '%016x' $((0x1ffffffffff & ~(1 << 13 | 1 << 25))))"
}

# Who waits for the command of an exec

@test "root inside can hold neither the end of the workspace nor the client: freezing, stopping" {
	probe cgroup
	for what in 'echo 1 >/sys/fs/cgroup/cgroup.freeze' \
		'for p in /proc/[0-9]*; do grep -q ^berth-exec $p/comm && kill -STOP ${p#/proc/}; done'; do
		name=$(new_name)
		berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" -- sleep 1000
		in_cgroup sh -c 'echo $$ >client; exec "$@"' sh "$BERTH" exec "$name" sleep 500 3>&- &
		wait_until 10 berth exec "$name" sh -c 'grep -qs 500 /proc/[0-9]*/cmdline'
		berth exec -d "$name" sh -c "$what"
		in_cgroup timeout 10 "$BERTH" rm -f "$name"
		status=0
		wait $! || status=$?
		assert_status 137
	done
	# A client ends also where only its command did.
	name=$(new_name)
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" -- sleep 1000
	in_cgroup "$BERTH" exec "$name" sleep 501 3>&- &
	wait_until 10 berth exec "$name" sh -c 'grep -qs 501 /proc/[0-9]*/cmdline'
	berth exec "$name" sh -c 'for p in /proc/[0-9]*; do grep -q ^berth-exec $p/comm && kill -STOP ${p#/proc/}; done
		kill -KILL $(pidof sleep | tr " " "\n" | while read p; do grep -qs 501 /proc/$p/cmdline && echo $p; done)' || true
	status=0
	wait $! || status=$?
	assert_status 137
}

@test "who waits for the command of an exec shows neither words nor descriptors of outside" {
	name=$(new_name)
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" -- sleep 1000
	in_cgroup "$BERTH" exec -e TOKEN=from-outside "$name" sleep 502 3>&- &
	wait_until 10 berth exec "$name" sh -c 'grep -qs 502 /proc/[0-9]*/cmdline'
	run berth exec "$name" sh -c 'for p in /proc/[0-9]*; do
		grep -q ^berth-exec $p/comm || continue
		[ $p = /proc/$PPID ] && continue
		tr "\\0" " " <$p/cmdline; echo; ls $p/fd $p/root/ 2>&1 | grep -vE "denied|:$"; cat $p/environ 2>/dev/null; done'
	assert_equal "$(tr -d ' \n' <<<"$output")" berth-exec
	berth rm -f "$name"
	wait $! || true
}
