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
	python "$(<"$BATS_TEST_DIRNAME/../lib/control.py")"'
import socket, struct
def answer(s):
    data, beside, _, _ = s.recvmsg(4096, 4096)
    return struct.unpack_from("=i", data, 8)[0], len(beside)
def door():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(10)
    s.connect("/door/control")
    return s
print(*answer(door()))
for verb in range(12): # kill, stop, ready, exit, join, ports, traffic, update, ping, plan, none
    s = door()
    try:
        s.send(request(verb, 9, b"80:80"))
        print(*answer(s))
    except (BrokenPipeError, ConnectionResetError): # it had been shown the door before
        print(-13, 0)'
	assert_output "$(for _ in {0..12}; do echo "-13 0"; done)"
	# Positive control: from outside the same words bring descriptors.
	run python3 -c "$(<"$BATS_TEST_DIRNAME/../lib/control.py")"'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
s.send(request(JOIN))
data, beside, _, _ = s.recvmsg(4096, 4096)
print(struct.unpack_from("=i", data, 8)[0], len(beside))' "$door/control"
	assert_output "0 1"
	# Nothing happened to it, and who comes from outside is served.
	run berth exec "$first" -- echo alive
	assert_output alive
}

# What root inside can do about any mount over a part of a volume that he can write: in a mount
# namespace of his own he takes all of them away at once, and renames what was below. $1 lies in /v,
# whose directory z takes it up; prints what is in it then.
uncovered='
	mkdir -p /v/z /tmp/n && mount -t tmpfs n /tmp/n && mkdir /tmp/n/old /tmp/n/m
	cp /bin/busybox /tmp/n && mount --bind /v/z /tmp/n/m && cd /v
	/tmp/n/busybox pivot_root /tmp/n /tmp/n/old && /busybox umount -l /old
	/busybox mv "$1" z/moved && /busybox cat /m/moved/"$2"'

@test "a volume that can be written and holds what start, exec and --image go by is refused" {
	mkdir -p v/a/b/store/images v/state v/run w
	chmod 700 v/run
	run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/v:/v" --store "$PWD/v/a/b/store" -- true
	assert_status 125
	assert_has "'$PWD/v' holds berth's store of images"
	run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/v:/v" --store "$PWD/v/not/yet" -- true
	assert_status 125 # the workspace could make it
	run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/v:/v" --state "$PWD/v/state" -- true
	assert_status 125
	assert_has "'$PWD/v' holds berth's directory of upper layers"
	XDG_RUNTIME_DIR=$PWD/v/run run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/v:/v" -- true
	assert_status 125
	assert_has "'$PWD/v' holds berth's runtime directory"
	ln -s ../w v/link
	run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/v:/v" --store "$PWD/v/link/store" -- true
	assert_status 125
	assert_has "'$PWD/v' has a link on the way to berth's store of images"

	# Who says that it may be changed has it covered against accidents, no more: the attack works.
	echo mine >v/a/b/store/images/index
	inside -v "$PWD/v:/v" --store "$PWD/v/a/b/store" --best-effort stores -- sh -c 'ls -A /v/a/b/store/images'
	assert_output ""
	inside -v "$PWD/v:/v" --store "$PWD/v/a/b/store" --best-effort stores -- \
		unshare -m sh -c "$uncovered" - a b/store/images/index
	assert_output mine
}

@test "a volume that can only be read has an empty place where berth's own lies" {
	mkdir -p v/a/store/images v/z
	echo mine >v/a/store/images/index
	inside -v "$PWD/v:/v:ro" --store "$PWD/v/a/store" -- sh -c 'ls -A /v/a/store/images; touch /v/a/store/images/x; ls /v/a'
	assert_output store
	inside -v "$PWD/v:/v:ro" --store "$PWD/v/a/store" -- unshare -m sh -c "$uncovered" - a store/images/index
	assert_output ""
	inside -v "$XDG_RUNTIME_DIR:/mnt:ro" -- sh -c 'ls -A /mnt/berth; touch /mnt/berth/new && echo made'
	assert_output ""
	# The same files at another place, which a namespace of the test's own has.
	mkdir w
	run berth unshare -- unshare -m sh -c 'mount --bind "$1/v/a" "$1/w" && shift 1 && exec "$@"' - "$PWD" \
		"$BERTH" run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/v:/v:ro" --store "$PWD/w/store" -- true
	assert_status 125
	assert_has "shows, by another mount, berth's store of images"
	mkdir v/a/store/images/x
	run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/v:/v:ro" -v "$PWD/v/a/store/images/x:/x:ro" \
		--store "$PWD/v/a/store" -- true
	assert_status 125
	assert_has "lies in what another one holds, berth's store of images"
}

@test "a read-only volume within one that can be written is refused: it would not be kept" {
	mkdir -p v/ro w
	run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/v:/v" -v "$PWD/v/ro:/v/ro:ro" -- true
	assert_status 125
	assert_has "volume '$PWD/v/ro' is to be read-only, and lies in '$PWD/v'"
	# From beside it only the place can be moved away, not the files.
	mkdir v/place
	echo ours >w/f
	inside -v "$PWD/v:/v" -v "$PWD/w:/v/place:ro" -- unshare -m sh -c "$uncovered; echo theirs >/m/moved/f" - place f
	assert_equal "$(cat w/f)" ours
}

# with_bind FROM TO ARG...: berth, where the same files are at a second place, too.
with_bind()
{
	# shellcheck disable=SC2016 # the shell inside
	berth unshare -- unshare -m sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' - "$1" "$2" "$BERTH" "${@:3}"
}

@test "what another mount of a volume shows is not kept read-only either, and is refused" {
	mkdir -p v/ro w z
	echo ours >v/ro/f
	run with_bind "$PWD/v" "$PWD/w" run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/v:/v" -v "$PWD/w/ro:/ro:ro" -- \
		sh -c 'echo theirs >/v/ro/f'
	assert_status 125
	assert_has "volume '$PWD/w/ro' is to be read-only, and lies, by another mount, in '$PWD/v'"
	assert_equal "$(cat v/ro/f)" ours
	# The files of the whole volume, too.
	run with_bind "$PWD/v" "$PWD/w" run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/v:/v" -v "$PWD/w:/ro:ro" -- true
	assert_status 125
	# Positive controls: beside it, and what can only be read twice.
	run with_bind "$PWD/v" "$PWD/w" run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/z:/z" -v "$PWD/w/ro:/ro:ro" -- cat /ro/f
	assert_output ours
	run with_bind "$PWD/v" "$PWD/w" run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/v:/v:ro" -v "$PWD/w/ro:/ro:ro" -- \
		sh -c 'echo theirs >/v/ro/f; cat /ro/f'
	assert_has ours
}

@test "what lies in a root that is used in place cannot be a read-only volume" {
	mkdir -p root/bin root/dev root/proc root/sys root/tmp root/run root/etc/kept
	cp "$BERTH_TEST_SMALL/bin/busybox" root/bin
	ln -s busybox root/bin/sh
	run berth run --rm --rootfs "$PWD/root" --net none -v "$PWD/root/etc/kept:/kept:ro" -- sh -c 'echo theirs >/etc/kept/f'
	assert_status 125
	assert_has "volume '$PWD/root/etc/kept' is to be read-only, and lies in '$PWD/root'"
	[ ! -e root/etc/kept/f ]
	# Positive control: root inside writes there.
	run berth run --rm --rootfs "$PWD/root" --net none -- sh -c 'echo theirs >/etc/kept/f'
	assert_status 0
	assert_equal "$(cat root/etc/kept/f)" theirs
}

@test "a volume that can be written and is a part of what start, exec and --image go by is refused" {
	berth run -d --name "$first" --rootfs "$BERTH_TEST_SMALL:O" -- sleep 1000 >/dev/null
	records=$(state_dir)
	# By it root inside would write the words that "berth start" takes.
	run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$records/$first:/e" -- sh -c 'echo {} >/e/state.json'
	assert_status 125
	assert_has "'$records/$first' lies in berth's runtime directory"
	[ "$(cat "$records/$first/state.json")" != "{}" ]
	mkdir -p store/images/x state/other w
	run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/store/images/x:/x" --store "$PWD/store" -- true
	assert_status 125
	assert_has "'$PWD/store/images/x' lies in berth's store of images"
	run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/state/other:/x" --state "$PWD/state" -- true
	assert_status 125
	assert_has "'$PWD/state/other' lies in berth's directory of upper layers"
	run with_bind "$PWD/store" "$PWD/w" run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/w/images/x:/x" --store "$PWD/store" -- true
	assert_status 125
	assert_has "'$PWD/w/images/x' lies, by another mount, in berth's store of images"
	# Positive control: the attack works where it is let.
	run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/store/images/x:/x" --store "$PWD/store" --best-effort stores -- touch /x/f
	assert_status 0
	assert_has "which root inside can change"
	[ -e store/images/x/f ]
	# What can only be read changes nothing.
	run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/store/images/x:/x:ro" --store "$PWD/store" -- ls /x
	assert_output f
}

@test "a script, the audit log and the socket for metrics are not to be where the workspace can write" {
	mkdir -p v/d w
	echo 'echo run' >v/d/f
	ln -s ../w v/away
	for option in "--bootstrap " "--idle-stop 60 --idle-warn " "--audit-log " "--metrics-listen unix:"; do
		# By the volume's path, by a link that he can change, and by another mount of its files.
		for place in "v/d/f|it is in" "v/away/f|a link on the way to it is in" "w/f|it is, by another mount, in"; do
			read -ra words <<<"$option$PWD/${place%|*}"
			run with_bind "$PWD/v/d" "$PWD/w" run --rm --name "$second" --rootfs "$BERTH_TEST_SMALL:O" --net none \
				-v "$PWD/v:/v" "${words[@]}" -- sh -c 'ln -sf /proc/self/environ /v/d/f'
			assert_status 125
			assert_has "${words[0]#--idle-stop}"
			assert_has "${place#*|} '$PWD/v', which the workspace can write to"
		done
	done
	[ ! -L v/d/f ]
	# What he could make is his, too; a single file; what he has of his own layers.
	for place in "v/not/yet|v" "v/d/f|v/d/f" "state/$second/upper/f|state/$second"; do
		mkdir -p "state/$second/upper"
		words=()
		[[ $place == state* ]] || words=(-v "$PWD/${place#*|}:/v/f")
		run berth run --rm --name "$second" --rootfs "$BERTH_TEST_SMALL:O" --net none --state "$PWD/state" \
			"${words[@]}" --audit-log "$PWD/${place%|*}" -- true
		assert_status 125
		assert_has "it is in '$PWD/${place#*|}', which the workspace can write to"
	done
	# So it is at the first launch, which makes that directory, and the one it lies in.
	ln -s . here
	for place in "first/$second/f|first/$second" "first/$second/not/yet|first/$second" "first/$second/f|here/first/$second"; do
		run berth run --rm --name "$second" --rootfs "$BERTH_TEST_SMALL:O" --net none --state "$PWD/$(dirname "${place#*|}")" \
			--audit-log "$PWD/${place%|*}" -- true
		assert_status 125
		assert_has "it is in '$PWD/${place#*|}', which the workspace can write to"
		[ ! -e first ]
	done
	# What only begins with the same letters is another one.
	mkdir "first$second"
	berth run --rm --name "$second" --rootfs "$BERTH_TEST_SMALL:O" --net none --state "$PWD/first" --audit-log "$PWD/first$second/f" -- true
	# Positive control: root inside changes what the volume holds, and beside it berth takes a script.
	cp v/d/f .
	run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/v:/v" --bootstrap f -- \
		sh -c 'ln -sf /proc/self/environ /v/d/f; sleep 1'
	assert_status 0
	[ -L v/d/f ]
}

@test "links of a directory of --gpus, which each start follows, are not to be his either" {
	mkdir -p v/gl w/real
	echo token >w/token
	run berth run --name "$second" --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/v:/work" --best-effort device \
		--gpus "$PWD/v/gl:/usr/lib/gl" -- ln -s "$PWD/w/token" /work/gl/libcuda.so.1
	assert_status 125
	assert_has "--gpus '$PWD/v/gl': it is in '$PWD/v', which the workspace can write to"
	[ ! -L v/gl/libcuda.so.1 ]
	ln -s ../w/real v/away
	run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/v:/work" --best-effort device --gpus "$PWD/v/away" -- true
	assert_status 125
	assert_has "--gpus '$PWD/v/away': a link on the way to it is in"
	# Positive control: beside it.
	run berth run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/v:/work" --best-effort device --gpus "$PWD/w/real" -- true
	assert_status 0
}

@test "a script that another workspace can replace is the one that was read at the launch" {
	echo 'echo run; sleep 1; exit 1' >v
	mkdir w
	mv v w/script
	berth run -d --name "$first" --rootfs "$BERTH_TEST_SMALL:O" --net none --bootstrap w/script --bootstrap-restart on-failure -- \
		sleep 1000 >/dev/null
	# What the launcher may read would go to this workspace's shell.
	berth run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/w:/w" -- ln -sf /proc/self/environ /w/script
	grep -qa PATH= w/script # positive control
	again() { [ "$(berth logs --bootstrap "$first" | grep -c run)" -ge 3 ]; }
	wait_until 15 again
	run berth logs --bootstrap "$first"
	assert_equal "$(sort -u <<<"$output")" run
}

@test "who stops what exec brings in, as soon as it is there, holds no pipe of the caller's" {
	berth run -d --name "$first" --rootfs "$BERTH_TEST_SMALL:O" --net none --init berth -- sh -c '
		until [ -e /tmp/go ]; do sleep 0.1; done
		sleep 2
		while :; do kill -STOP -1; done' >/dev/null
	berth exec "$first" touch /tmp/go # positive control: nobody stops it yet
	sleep 2.5
	for _ in {1..5}; do
		rm -f ended
		in_cgroup timeout -s KILL 1 "$BERTH" exec "$first" true > >(cat >/dev/null; touch ended) 2>&1 </dev/null &
		# The client is killed, and nobody else has the other end.
		wait_until 5 test -e ended
	done
}

# bats test_tags=long
@test "who stops what exec brings in, before it is the command, keeps no client from ending" {
	# Its look for the user takes a while, between two messages that the client waits for.
	# shellcheck disable=SC2016 # the shell inside
	berth run -d --name "$first" --rootfs "$BERTH_TEST_SMALL:O" --net none --init berth --audit-log "$PWD/log" --audit-syscalls -- sh -c '
		for f in passwd group; do cp /etc/$f /tmp; { head -c 1000000 /dev/zero | tr "\0" "\n"; cat /tmp/$f; } >/etc/$f; done
		until [ -e /tmp/go ]; do sleep 0.1; done
		sleep 1
		echo begins
		# The leader of a session is the one to be the command, and the client sees it through.
		while :; do for p in /proc/[0-9]*; do
			read -r pid comm state parent group session rest <$p/stat && [ "$comm" = "(berth)" ] &&
				[ "$session" = "$pid" ] && kill -STOP $pid
		done; done 2>/dev/null' >/dev/null
	berth exec -u 1000 "$first" touch /tmp/go # positive control: nobody stops it yet
	begins() { berth logs "$first" | grep -qx begins; }
	wait_until 20 begins
	# To a file: who is stopped early holds our standard output until the workspace ends.
	until=$((SECONDS + 60))
	while [ "$SECONDS" -lt "$until" ]; do # the first that is hit is enough
		status=0
		in_cgroup timeout -s INT -k 10 2 "$BERTH" exec -u 1000 "$first" true </dev/null >out 2>&1 || status=$?
		[ "$status" -ne 137 ] || fail "deaf to SIGINT" || return
		! grep -q "signal 2 before the command began" out || return 0
	done
	fail "no client was stopped while it waited"
}

# What two families of sockets say, one a line.
families='import os, socket
for family, kind in (38, socket.SOCK_SEQPACKET), (40, socket.SOCK_STREAM):
    try: socket.socket(family, kind); print(family, "open")
    except OSError as error: print(family, os.strerror(error.errno))'

@test "no raw way to the kernel: AF_ALG, AF_VSOCK, TIOCSTI" {
	local outside

	probe debian tool:python3
	volumes=()
	python "$families"
	assert_output "38 Address family not supported by protocol
40 Address family not supported by protocol"
	# The positive control: what the filter lets go is as the machine has it.
	outside=$(python3 -c "$families")
	volumes=(--seccomp-allow socket:AF_ALG --seccomp-allow socket:AF_VSOCK)
	python "$families"
	assert_output "$outside"
	volumes=()
	python 'import fcntl, os, socket
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

# A program for i386 that ends with 0 where socketcall(2), as of glibc, gives it a socket of FAMILY and
# KIND: call 102 with SYS_SOCKET and three words, then exit(eax < 0).
i386_program()
{
	python3 - "$@" <<-'END'
		import os, struct, sys
		base = 0x08048000
		code = (b"\xb8\x66\0\0\0\xbb\x01\0\0\0\xb9" + struct.pack("<I", base + 84 + 31) +
		        b"\xcd\x80\xc1\xe8\x1f\x89\xc3\xb8\x01\0\0\0\xcd\x80\0\0")
		code += struct.pack("<III", int(sys.argv[1]), int(sys.argv[2]), 0)
		size = 84 + len(code)
		with open("i386", "wb") as f:
		    f.write(b"\x7fELF\x01\x01\x01" + bytes(9))
		    f.write(struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + 84, 52, 0, 0, 52, 32, 1, 0, 0, 0))
		    f.write(struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 4096))
		    f.write(code)
		os.chmod("i386", 0o755)
	END
}

probe_i386()
{
	[ "$(uname -m)" = x86_64 ] || fail "another machine" || return
	i386_program 2 1
	./i386 2>/dev/null || fail "the kernel runs no 32-bit programs"
}

@test "a 32-bit program has sockets of glibc's making under workspace-i386 alone" {
	probe tool:python3 i386
	run berth run --rm --name "$second" --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD:/here:ro" -- /here/i386
	assert_status 1
	run berth run --rm --name "$second" --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD:/here:ro" \
		--seccomp workspace-i386 -- /here/i386
	assert_status 0
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
	in_cgroup unshare --map-auto --map-root-user -m "$(own_berth)" "$@"
}

@test "where root inside can write to berth's own file there is an airlock, else there is none" {
	local first

	first=$(awk -F: -v user="$(id -un)" '$1 == user { print $2; exit }' /etc/subuid)
	# by COMMAND...: a plan of it says so. lent COMMAND...: as root of IDs that are lent to us, alone.
	by() { run "$@" plan --net none --rootfs "$BERTH_TEST_SMALL" -- true; [[ $output == *" init       airlock"* ]]; }
	lent() { unshare --map-users="$first,0,65536" --map-groups="$first,0,65536" --setuid 0 --setgid 0 "$@"; }
	one_id() { setpriv --no-new-privs "$@"; }

	install -m 0755 "$BERTH" file
	by ./file
	by as_pod_root
	unshare --map-auto --map-root-user chown 1:1 file
	by ./file
	! by one_id ./file || fail "it belongs to nobody inside"
	unshare --map-auto --map-root-user chmod 757 file
	by one_id ./file
	unshare --map-auto --map-root-user rm file

	# Whoever has no ID shows as 65534, and there is one of that number.
	install -m 0755 "$BERTH" file
	! by lent ./file || fail "it belongs to nobody there: $output"
	run lent sh -c 'stat -c %u file; [ -w file ] || echo refused'
	assert_output $'65534\nrefused'
	unshare --map-auto --map-root-user chown 65535:65535 file # one less, since ours is 0
	by lent ./file
	run lent sh -c 'stat -c %u file; [ -w file ] && echo written'
	assert_output $'65534\nwritten'
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

# System calls of a policy

# number CALL: on this machine, as the exported filter says.
number() { "$BERTH" policy seccomp | sed -n "s/.*syscall \"$1\" (\([0-9]*\))/\1/p" | head -n 1; }

@test "no descriptor of berth's init is to be had, nor its memory" {
	probe debian
	local try

	# By pidfd_getfd(2) and PTRACE_SEIZE; what its own child gives is the control.
	try='my $pid = shift; my ($n, $seized) = (0, 0);
		my $pidfd = syscall('"$(number pidfd_open)"', $pid + 0, 0);
		for my $fd (0 .. 63) { $n++ if syscall('"$(number pidfd_getfd)"', $pidfd, $fd, 0) >= 0 }
		$seized++ if syscall('"$(number ptrace)"', 0x4206, $pid + 0, 0, 0) == 0;
		print "$pid: $n, $seized\n"'

	run -0 berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_ROOTFS:O" --net none -- \
		sh -c 'perl -e "$1" 1; sleep 100 & perl -e "$1" $! | sed "s/^[0-9]*:/child:/"' sh "$try"
	assert_output $'1: 0, 0\nchild: 3, 1'
}

@test "a policy denies and allows system calls: to the command, to exec, after a restart" {
	probe debian
	# ptrace(-1) and keyctl(-1) fail in the kernel, too, each with an errno of its own; socket(AF_PACKET) works.
	try='syscall('"$(number ptrace)"', -1, 0, 0, 0); print "ptrace: $!\n";
		syscall('"$(number keyctl)"', -1, 0, 0, 0); print "keyctl: $!\n";
		print "packet: ", socket(my $s, 17, 3, 0) ? "made" : $!, "\n"'
	refused=$'ptrace: Operation not permitted\nkeyctl: Operation not supported\npacket: Address family not supported by protocol'
	name=$(new_name)
	berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --init berth --state "$PWD/state" --net none \
		--seccomp-deny ptrace,socket:AF_PACKET --seccomp-allow keyctl -- perl -e "$try"'; $| = 1; sleep 1000'
	for user in root nobody; do
		run -0 berth exec -u "$user" "$name" perl -e "$try"
		assert_output "$refused"
	done
	run -0 berth logs "$name"
	assert_has "ptrace: Operation not permitted"
	# Neither a filter of its own nor another namespace gives it back.
	run -0 berth exec "$name" unshare -Urn perl -e "$try"
	assert_output "$refused"
	berth stop "$name"
	berth start "$name"
	run -0 berth exec "$name" perl -e "$try"
	assert_output "$refused"
	# Positive control.
	run -0 berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_ROOTFS:O" --net none -- perl -e "$try"
	assert_output $'ptrace: No such process\nkeyctl: Function not implemented\npacket: made'
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
		wait_until 10 berth exec "$name" sh -c 'grep -qs "^sleep.500" /proc/[0-9]*/cmdline'
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
	wait_until 10 berth exec "$name" sh -c 'grep -qs "^sleep.501" /proc/[0-9]*/cmdline'
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
	wait_until 10 berth exec "$name" sh -c 'grep -qs "^sleep.502" /proc/[0-9]*/cmdline'
	run berth exec "$name" sh -c 'for p in /proc/[0-9]*; do
		grep -q ^berth-exec $p/comm || continue
		[ $p = /proc/$PPID ] && continue
		tr "\\0" " " <$p/cmdline; echo; ls $p/fd $p/root/ 2>&1 | grep -vE "denied|:$"; cat $p/environ 2>/dev/null; done'
	assert_equal "$(tr -d ' \n' <<<"$output")" berth-exec
	berth rm -f "$name"
	wait $! || true
}
