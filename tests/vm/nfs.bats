#!/usr/bin/env bats
# What docs/storage.md says of directories on NFS, on an NFS that is one: a server of the guest's kernel with two
# clients, one of them in a network of its own and with another host's name, as another machine would be. Run as
# the guest's root.

load ../lib/common

setup_file()
{
	export dir=/mnt/nfs/dev
	modprobe nfsd
	mount -t nfsd nfsd /proc/fs/nfsd
	ip link set lo up
	unshare --net --uts sleep infinity >/dev/null 2>&1 3>&- &
	export other=$!
	wait_until 10 is_apart
	nsenter -t "$other" -u hostname other
	ip link add to-other type veth peer name eth0 netns "$other"
	ip addr add 10.77.0.1/24 dev to-other
	ip link set to-other up
	nsenter -t "$other" -n ip addr add 10.77.0.2/24 dev eth0
	nsenter -t "$other" -n ip link set eth0 up
	mkdir -p /srv/nfs/dev /mnt/nfs /mnt/other
	chown dev:dev /srv/nfs/dev
	for client in 127.0.0.1 10.77.0.2; do
		exportfs -o rw,no_root_squash,no_subtree_check,fsid=0,insecure "$client:/srv/nfs"
	done
	rpc.mountd -N 3 >/dev/null 2>&1 3>&-
	rpc.nfsd -N 3 -G 10 -L 10 2
	timeout 60 mount -t nfs4 127.0.0.1:/ /mnt/nfs
	nsenter -t "$other" -n -u timeout 60 mount -t nfs4 10.77.0.1:/ /mnt/other
}

is_apart() { ! [ "/proc/$other/ns/uts" -ef /proc/self/ns/uts ] && [ "$(cat "/proc/$other/comm")" = sleep ]; }

teardown_file()
{
	local failed=0

	timeout 30 umount /mnt/nfs /mnt/other || failed=1
	# What is busy would hold up the guest's end.
	umount -l /mnt/nfs /mnt/other 2>/dev/null || true
	kill "$other"
	exportfs -ua
	rpc.nfsd 0 || failed=1
	pkill -x rpc.mountd || failed=1
	return "$failed"
}

setup()
{
	common_setup
	as_user mkdir "$dir/$test_prefix"
	vol=$test_prefix
}

# A supervisor that is killed with its workspace would keep the mounts busy.
teardown()
{
	as_user "$BERTH" rm -f "$test_prefix-one" >/dev/null 2>&1 || true
	rm -rf "${dir:?}/$test_prefix"
}

workspace() { as_user "$BERTH" run --rootfs "$BERTH_TEST_SMALL:O" --net none "$@"; }

@test "upper layers: check says no and why, plan and run refuse, and nothing is made" {
	run stat -f -c %T "$dir"
	assert_output nfs
	run as_user "$BERTH" check --state "$dir/$vol" --format json
	assert_equal "$(jq -r '.checks[] | select(.name == "state-layers") | "\(.result): \(.detail)"' <<<"$output")" \
		"no: '$dir/$vol' lies on nfs"
	run as_user "$BERTH" plan --rootfs "$BERTH_TEST_SMALL:O" --net none --state "$dir/$vol/state" -- true
	assert_status 125
	assert_has "--state '$dir/$vol/state': nfs cannot carry the layers of overlay"
	run workspace --rm --state "$dir/$vol/state" -- echo launched
	assert_status 125
	assert_has "--state '$dir/$vol/state': nfs cannot carry the layers of overlay"
	assert_has "hint: give a directory on ext4 or xfs"
	[ -z "$(ls -A "/srv/nfs/dev/$vol")" ]
}

@test "a file is locked for both machines, and a directory for each alone" {
	as_user touch "$dir/$vol/file"
	as_user mkdir "$dir/$vol/directory"
	exec {held}<>"$dir/$vol/file"
	flock -n "$held"
	run flock -n "/mnt/other/dev/$vol/file" true
	assert_status 1
	exec {held}>&- {held}<"$dir/$vol/directory"
	flock -n "$held"
	run flock -n "$dir/$vol/directory" true
	assert_status 1
	run flock -n "/mnt/other/dev/$vol/directory" true
	assert_status 0
	exec {held}>&-
}

@test "a Docker directory is refused, or one machine's" {
	run workspace --rm -v "$dir/$vol:/var/lib/docker" -- echo launched
	assert_status 125
	assert_has "-v '$dir/$vol' on '/var/lib/docker': nfs cannot carry the layers of overlay"
	run workspace -d --name "$test_prefix-one" --best-effort storage -v "$dir/$vol:/var/lib/docker" -- sleep 1000
	assert_status 0
	assert_has "Docker may do with another storage driver; it is locked on this machine only"
	run workspace --rm --best-effort storage -v "$dir/$vol:/var/lib/docker" -- echo launched
	assert_status 125
	assert_has "is in use by the workspace '$test_prefix-one'"
	# What another machine does, and why it is said.
	run workspace --rm --best-effort storage -v "/mnt/other/dev/$vol:/var/lib/docker" -- echo launched
	assert_status 0
	assert_has launched
}

@test "a volume for files is the caller's, and nobody else's by :U" {
	run workspace --rm -v "$dir/$vol:/home" -- sh -c 'touch /home/file; stat -c %u /home/file'
	assert_output 0
	run stat -c %u "/srv/nfs/dev/$vol/file"
	assert_output "$BERTH_TEST_UID"
	# The server knows nothing of a user namespace.
	run workspace --rm -v "$dir/$vol:/home:U" -u 1000:1000 -- echo launched
	assert_status 125
	assert_has "give the volume '/home' to '1000:1000'"
	assert_has "Operation not permitted"
}

@test "an image store that is written to is refused, with what to do" {
	python3 "$BATS_TEST_DIRNAME/../lib/image_layout.py" layout os --layer "$BERTH_TEST_SMALL_TAR" >/dev/null
	chmod -R a+rX .
	run as_user env BERTH_STORE="$dir/$vol" "$BERTH" image pull --progress none "oci:$PWD/layout:os"
	assert_status 125
	assert_has "lock the store: Bad file descriptor"
	assert_has "hint: NFS carries no store that is written to"
}
