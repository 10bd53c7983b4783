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

inside() { run berth run --rm --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --net none "$@"; }

@test "a user namespace is refused, also after root inside raised its own number" {
	inside --nested false -- sh -c 'echo 100 >/proc/sys/user/max_user_namespaces; unshare -U true 2>&1'
	[ "$status" -ne 0 ]
	assert_has "No space left on device"
	inside -- sh -c 'unshare -U echo made'
	assert_output made
	inside --nested true -- sh -c 'unshare -U echo made'
	assert_output made
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
	assert_has "No space left on device"
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
