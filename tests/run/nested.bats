# shellcheck shell=bash
# bats file_tags=debian
# "nested: false": no sandbox with a user namespace inside, whoever asks; and each attempt works without.

load ../lib/common

setup()
{
	common_setup
	name=$(new_name)
	probe debian subids tool:jq
}

number() { "$BERTH" policy seccomp | sed -n "s/.*syscall \"$1\" (\([0-9]*\))/\1/p" | head -n 1; }
inside() { run berth run --rm --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --net none "$@"; }

@test "a user namespace is refused, also after root inside raised its own number" {
	inside --nested false -- sh -c 'echo 100 >/proc/sys/user/max_user_namespaces; unshare -U true 2>&1'
	[ "$status" -ne 0 ]
	assert_has "Operation not permitted"
	# Behind the filter is the number, which was the only line.
	inside --user-namespaces 0 -- sh -c 'unshare -U true 2>&1'
	[ "$status" -ne 0 ]
	assert_has "No space left on device"
	inside -- sh -c 'unshare -U echo made'
	assert_output made
	inside --nested true -- sh -c 'unshare -U echo made'
	assert_output made
}

@test "each way to a user namespace is refused, and processes, threads and other namespaces are made" {
	# By each call, and what is to work beside it.
	cat >ways.pl <<-'END'
		use threads;
		$| = 1;
		my ($user, $mount) = (0x10000000, 0x20000);
		sub told { printf "%s: %s\n", $_[0], $_[1] == -1 ? $! : "done" }
		my $pid = syscall(CLONE, $user | 17, 0, 0, 0, 0);
		if ($pid == 0) { exit 0 }
		told("clone", $pid);
		my @args = pack("Q11", $user, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0);
		$pid = syscall(435, $args[0], 88);
		if ($pid == 0) { exit 0 }
		told("clone3", $pid);
		$pid = fork();
		if ($pid == 0) { told("unshare", syscall(UNSHARE, $user)); exit 0 }
		waitpid($pid, 0);
		$pid = fork();
		if ($pid == 0) { told("mount", syscall(UNSHARE, $mount)); exit 0 }
		waitpid($pid, 0);
		print "thread: ", threads->create(sub { "done" })->join(), "\n";
	END
	sed -i "s/CLONE,/$(number clone),/; s/UNSHARE,/$(number unshare),/" ways.pl
	inside -v "$PWD/ways.pl:/ways.pl:ro" --nested false -- sh -c 'perl /ways.pl 2>&1'
	assert_output $'clone: Operation not permitted\nclone3: Function not implemented\nunshare: Operation not permitted\nmount: done\nthread: done'
	inside -v "$PWD/ways.pl:/ways.pl:ro" -- sh -c 'perl /ways.pl 2>&1'
	assert_output $'clone: done\nclone3: done\nunshare: done\nmount: done\nthread: done'
	# Of another kind, by a policy's item.
	inside --seccomp-deny namespace:CLONE_NEWNET -- sh -c 'unshare -n true 2>&1; unshare -U echo made'
	assert_output $'unshare: unshare failed: Operation not permitted\nmade'
}

@test "the uncovered /proc and /sys are not there" {
	inside --nested false -- sh -c 'ls -A /dev/.berth/proc /dev/.berth/sys; grep -c " /dev/.berth/" /proc/mounts'
	assert_output $'/dev/.berth/proc:\n\n/dev/.berth/sys:\n0'
	inside -- sh -c 'ls /dev/.berth/proc/self/status /dev/.berth/sys/kernel/uevent_seqnum; grep -c " /dev/.berth/" /proc/mounts'
	assert_output $'/dev/.berth/proc/self/status\n/dev/.berth/sys/kernel/uevent_seqnum\n2'
}

@test "a policy says it, and a contradiction is refused" {
	echo '{ "rootfs": "'"$BERTH_TEST_ROOTFS"':O", "nested": false, "network": { "uplink": "none" } }' >policy.json
	run berth run --rm --name "$name" --policy ./policy.json -- sh -c 'unshare -U true 2>&1'
	assert_has "Operation not permitted"
	run berth run --rm --name "$name" --policy ./policy.json --nested true -- sh -c 'unshare -U echo made'
	assert_output made
	inside --nested false --user-namespaces 5 -- true
	assert_status 125
	assert_has "--nested false with --user-namespaces 5"
	inside --nested no -- true
	assert_status 125
	assert_has "'no' is not true or false"
	# start goes by it, and what was planned is what is.
	berth run -d --name "$name" --policy ./policy.json -- sleep 100
	"$BERTH" stop -t 0 "$name"
	"$BERTH" start "$name"
	run "$BERTH" exec "$name" sh -c 'unshare -U true 2>&1'
	assert_has "Operation not permitted"
	"$BERTH" inspect "$name" | jq -e '.[0].args | index("--nested")'
	run -0 "$BERTH" policy verify "$name"
}

@test "systemd boots, and dockerd runs containers all the same" {
	probe cgroup
	berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --net none --nested false \
		-v "$BERTH_TEST_SMALL_TAR:/image.tar:ro" >/dev/null
	"$BERTH" wait --ready "$name"
	"$BERTH" exec "$name" -- docker import /image.tar small >/dev/null
	run "$BERTH" exec "$name" -- docker run --rm --network none small /bin/sh -c 'echo $$'
	assert_output 1
}
