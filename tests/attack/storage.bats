#!/usr/bin/env bats
#
# Volumes that root inside can write, against the next start that gives them away or locks them.

load ../lib/common

setup()
{
	common_setup
	probe small subids
	ws=$(new_name)
	other=$(new_name)
	mkdir vol
}

teardown()
{
	common_teardown
	chmod 700 vol
	berth unshare -- rm -rf "$PWD/vol" "$PWD/docker"
}

@test ":U follows no link of the volume, leaves it nowhere, and ends" {
	berth run --rm --name "$other" --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/vol:/data" -- sh -c '
		cd /data; ln -s / root; ln -s /etc etc; ln -s ../../../../etc/passwd up; mkfifo fifo
		mkdir a; ln -s .. a/loop; chmod 4755 . 2>/dev/null; cp /bin/busybox suid; chmod 4755 suid'
	run berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/vol:/data:U" -u 1000 -- \
		stat -c '%u %a %n' / /etc/passwd /etc /data/root /data/fifo /data/suid
	assert_status 0
	[[ $output =~ ^"0 "[0-7]+" /"$'\n'"0 "[0-7]+" /etc/passwd"$'\n'"0 "[0-7]+" /etc"$'\n'"1000 777 /data/root"$'\n'"1000 "[0-7]+" /data/fifo"$'\n'"1000 755 /data/suid"$ ]] ||
		fail "$output"
}

@test ":U of directories without end is refused, not followed" {
	berth run --rm --name "$other" --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/vol:/data" -- sh -c '
		cd /data; for i in $(seq 200); do mkdir d; cd d; done'
	run berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/vol:/data:U" -u 1000 -- true
	assert_status 125
	assert_has "more than 128 directories deep"
	# Nothing is said to be done that was not: the volume itself is still root's.
	[ "$(stat -c %u vol)" = "$(id -u)" ]
}

@test "root inside cannot take or break the lock of his own Docker directory" {
	berth run -d --name "$other" --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/vol:/var/lib/docker" -- sleep 1000
	run berth exec "$other" sh -c 'flock -n /var/lib/docker true || echo taken; flock -u /var/lib/docker true
		rm -rf /var/lib/docker/*; chmod 0 /var/lib/docker; mv /var/lib/docker /var/lib/d 2>/dev/null || echo kept'
	assert_has taken
	assert_has kept
	run berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/vol:/var/lib/docker" -- true
	assert_status 125
	assert_has "open '$PWD/vol', Docker's directory, to lock it: Permission denied"
	chmod 755 vol
	run berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/vol:/var/lib/docker" -- true
	assert_status 125
	assert_has "Docker's directory, is in use by the workspace '$other'"
}

# A seed of one layer; the shell code of "spoil" is run in it, or in the Docker directory.
id=$(printf %064d 7)
seeded()
{
	local at=$1 spoil=$2

	berth unshare -- rm -rf "$PWD/vol" "$PWD/docker"
	mkdir -p "vol/image/overlay2/layerdb/sha256/$id" "vol/overlay2/$id/diff" docker
	printf %s "$id" >"vol/image/overlay2/layerdb/sha256/$id/cache-id"
	printf %026d 7 >"vol/overlay2/$id/link"
	(cd "$at" && eval "$spoil")
	run timeout 20 "$BERTH" run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		-v "$PWD/vol:/seed:seed" -v "$PWD/docker:/var/lib/docker" -- \
		sh -c 'ls /; find /var/lib/docker /etc -newer /seed ! -type d; echo ran'
}

@test "a seed that is a trap leads nowhere, hangs nobody, and fills nothing" {
	seeded vol true
	assert_has ran
	while read -r spoil; do
		echo "# $spoil"
		seeded vol "$spoil"
		assert_status 125
		assert_has "berth: seed: "
		[ ! -e docker/image ] || fail "$spoil"
		[ ! -e docker/image.berth ] || fail "$spoil"
		[ "$(du -sm docker | cut -f 1)" -lt 2 ] || fail "$spoil: $(du -a docker)"
	done <<-'EOF'
		printf ../../../../etc >image/overlay2/layerdb/sha256/$id/cache-id
		printf '%s/../../x' $id >image/overlay2/layerdb/sha256/$id/cache-id
		rm image/overlay2/layerdb/sha256/$id/cache-id; mkfifo image/overlay2/layerdb/sha256/$id/cache-id
		rm image/overlay2/layerdb/sha256/$id/cache-id; ln -s /etc/passwd image/overlay2/layerdb/sha256/$id/cache-id
		printf ../../../../../etc/passwd >overlay2/$id/link
		: >overlay2/$id/link
		rm overlay2/$id/link; ln -s /proc/self/environ overlay2/$id/link
		rmdir overlay2/$id/diff; ln -s / overlay2/$id/diff
		rmdir overlay2/$id/diff; touch overlay2/$id/diff
		mv overlay2 layers; ln -s layers overlay2
		mv image other; ln -s other image
		rm -r image/overlay2/layerdb/sha256; ln -s /proc image/overlay2/layerdb/sha256
		mkdir -p image/overlay2/imagedb/$(printf 'd/%.0s' {1..80})
		truncate -s 15T image/overlay2/repositories.json
		truncate -s 129M overlay2/$id/lower
	EOF
}

@test "a Docker directory that is a trap is filled within, or not at all" {
	while read -r spoil; do
		echo "# $spoil"
		seeded docker "$spoil"
		assert_status 125
		assert_has "berth: seed: "
	done <<-'EOF'
		ln -s /etc overlay2
		mkdir overlay2; ln -s /etc overlay2/l
		mkdir overlay2; ln -s /etc overlay2/$id
		mkdir -p overlay2/$id/link
		mkdir -p overlay2/$id/diff/x
		mkdir -p overlay2; ln -s /proc/self/fd overlay2/x; mkdir overlay2/y image; ln -s /proc/self/root overlay2/y/diff
	EOF
	# What an earlier run left there is removed, and neither followed, waited for, nor written to.
	while read -r spoil; do
		echo "# $spoil"
		seeded docker "mkdir -p image.berth overlay2/$id; $spoil"
		assert_status 0
		assert_has ran
		[[ $output != */etc/* ]] || fail "$output"
		[ -d docker/image/overlay2 ]
	done <<-'EOF'
		ln -s /etc image.berth/overlay2
		ln -s /etc/passwd overlay2/$id/link
		ln -s /etc/passwd overlay2/$id/committed
		mkfifo overlay2/$id/link
		mkfifo overlay2/$id/committed
		mkfifo overlay2/$id/diff
	EOF
}
