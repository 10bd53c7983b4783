# shellcheck shell=bash
# berth's own init in the place of systemd: it runs containerd and dockerd, of an unmodified
# Debian. With a cgroup of ours or without, which is what most pods are: tests/pod has that for
# certain.
# bats file_tags=debian

load ../lib/common

# One workspace for what leaves it as it is; the overlay keeps Debian as it is.
setup_file()
{
	probe debian small subids
	export test_prefix=services-$$
	export shared=$test_prefix-shared
	cd "$BATS_FILE_TMPDIR" || return
	berth run --name "$shared" --rootfs "$BERTH_TEST_ROOTFS:O" --init berth -d
	berth wait --ready --timeout 60 "$shared"
	berth exec -i "$shared" -- docker import - small <"$BERTH_TEST_SMALL_TAR"
}

teardown_file() { berth rm -f "$shared"; }

inside() { berth exec "$shared" -- "$@"; }

ready_count() { [ "$(berth logs "$1" | grep -c "berth-init: $2 is ready")" -ge "$3" ]; }

@test "PID 1 is berth's init, which tells nothing of the caller, and the daemons are its children" {
	run inside sh -c "tr '\\0' '|' </proc/1/cmdline; echo; ps --no-headers --ppid 1 -o comm | sort -u"
	[[ ${lines[0]} == berth-init\|* && ${lines[0]} != *"$BERTH_TEST_ROOTFS"* ]] || fail "$output"
	assert_has "containerd"
	assert_has "dockerd"
}

@test "docker run" {
	run inside docker run --rm small /bin/busybox echo from inside
	assert_output "from inside"
	run inside docker run --rm small /bin/sh -c 'exit 7'
	assert_status 7
}

@test "docker exec and stop" {
	inside docker run -d --name sleeper small /bin/sleep 1000
	run inside docker exec sleeper /bin/sh -c 'echo $((6 * 7))'
	assert_output 42
	inside docker stop -t 1 sleeper
	run inside docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' sleeper
	assert_output "exited 137"
	inside docker rm sleeper
}

@test "docker build with RUN" {
	# shellcheck disable=SC2016 # for the shell inside
	inside sh -c 'mkdir -p /tmp/build && printf "%s\n" "FROM small" "RUN echo built >/result" \
		"CMD [\"/bin/cat\", \"/result\"]" >/tmp/build/Dockerfile &&
		docker build -q -t built /tmp/build'
	run inside docker run --rm built
	assert_output built
}

@test "docker run --privileged" {
	run inside docker run --rm --privileged small /bin/sh -c \
		'mkdir /m && mount -t tmpfs tmpfs /m && mount | grep -c " /m "; ls -d /sys/class'
	assert_status 0
	assert_output "1
/sys/class"
}

@test "the wrapper stands before the runtimes, and root inside cannot change it" {
	# shellcheck disable=SC2016 # for the shell inside
	run inside sh -c 'd=/dev/.berth/oci
		tr "\\0" "\\n" </proc/$(pidof containerd)/environ | grep ^PATH=
		ls $d
		for try in "touch $d/berth" "rm $d/runc" "mount -o remount,rw $d" \
			"mount -o remount,bind,rw $d" "umount $d" "cp /bin/true $d/crun"; do
			$try 2>/dev/null && echo "done: $try"
		done
		mkdir /tmp/d && mount --bind $d /tmp/d && mount -o remount,bind,rw /tmp/d 2>/dev/null &&
			echo "done by a copy"
		true'
	[[ ${lines[0]} == PATH=/dev/.berth/oci:* ]] || fail "$output"
	assert_equal "${lines[*]:1}" "berth crun runc"
	cmp "$BERTH" <(inside cat /dev/.berth/oci/berth)
}

@test "the wrapper's complaints are those of a runtime: standard error, and --log" {
	run inside env PATH=/dev/.berth/oci:/usr/sbin:/usr/bin runc --version
	assert_status 0
	assert_has "spec: "
	run inside env PATH=/dev/.berth/oci /dev/.berth/oci/runc --log /tmp/log --log-format json \
		state nothing
	assert_status 1
	assert_has "berth: oci-runtime: find '"
	assert_has "hint: install "
	run inside cat /tmp/log
	assert_has '"level":"error","msg":"berth: find '
}

@test "ps shows the services; stop ends dockerd, then containerd, within the timeout" {
	local name
	name=$(new_name)
	berth run --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --init berth -d
	berth wait --ready --timeout 60 "$name"
	run berth ps
	assert_has "containerd dockerd"
	berth exec -i "$name" -- docker import - small <"$BERTH_TEST_SMALL_TAR"
	berth exec "$name" -- docker run -d --restart always small /bin/sleep 1000
	SECONDS=0
	berth stop -t 40 "$name"
	[ "$SECONDS" -lt 40 ] || fail "killed after $SECONDS s"
	run berth wait --exit "$name"
	assert_output 0
	run sh -c "$(printf '%q' "$BERTH") logs $name | sed -n '/stopping/,\$s/^berth-init: //p'"
	assert_output "stopping dockerd
dockerd ended with status 0
stopping containerd
containerd ended with status 0"
	# And a second life: nothing of the first one is in its way.
	berth start "$name"
	berth wait --ready --timeout 60 "$name"
	berth kill "$name"
	run berth wait --exit "$name"
	assert_output 137
}

@test "a daemon that is killed is started again, and docker works again" {
	inside sh -c 'kill -9 $(pidof dockerd)'
	wait_until 60 ready_count "$shared" dockerd 2
	run inside docker run --rm small /bin/echo again
	assert_output again
	inside sh -c 'kill -9 $(pidof containerd)'
	wait_until 60 ready_count "$shared" containerd 2
	wait_until 60 inside docker run --rm small /bin/true
	run berth logs "$shared"
	assert_has "berth-init: dockerd was killed by signal 9, starting it again in 100 ms"
	assert_has "berth-init: containerd was killed by signal 9, starting it again in 100 ms"
}

@test "one that ends at once is started ever later, and the workspace is never ready" {
	local name
	name=$(new_name)
	echo '{ "no-such-key": 1 }' >daemon.json
	berth run --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --init berth -d \
		-v "$PWD/daemon.json:/etc/docker/daemon.json:ro"
	tries() { berth logs "$name" | grep -q 'dockerd ended with status 1, starting it again in 800 ms'; }
	wait_until 60 tries
	run berth wait --ready --timeout 1 "$name"
	assert_status 1
	run berth logs "$name"
	assert_has "no-such-key"
	assert_has "starting it again in 100 ms"
	SECONDS=0
	berth stop "$name"
	[ "$SECONDS" -lt 10 ]
}

@test "the image's own daemon.json counts" {
	local name
	name=$(new_name)
	echo '{ "labels": ["berth=here"], "exec-opts": ["native.cgroupdriver=cgroupfs"] }' >daemon.json
	berth run --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --init berth -d \
		-v "$PWD/daemon.json:/etc/docker/daemon.json:ro"
	berth wait --ready --timeout 60 "$name"
	run berth exec "$name" -- docker info --format '{{.Labels}} {{.CgroupDriver}}'
	assert_output "[berth=here] cgroupfs"
	berth rm -f "$name"
}

@test "with a command, and with -i, no daemon is started" {
	run berth run --rm --rootfs "$BERTH_TEST_ROOTFS:O" --init berth -- sh -c 'ls /dev/.berth; ps ax'
	assert_status 0
	[[ $output != *oci* && $output != *dockerd* ]] || fail "$output"
	run berth run --rm --rootfs "$BERTH_TEST_ROOTFS:O" --init berth -i <<<'echo shell; ps ax'
	assert_has shell
	[[ $output != *dockerd* ]] || fail "$output"
}

has_containerd_of_root() { berth exec -u root "$name" -- ps --no-headers --ppid 1 -o user,comm | grep -qx "root  *containerd"; }

@test "with a user the daemons are root's, and exec is his" {
	name=$(new_name)
	berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --init berth -u nobody
	run berth exec "$name" -- id -un
	assert_output nobody
	wait_until 20 has_containerd_of_root
	berth rm -f "$name"
}

# What "ls -l" has of a seed: nobody has written to it.
census() { berth unshare -- find "$PWD/seed" -printf '%p %i %s %T@ %C@\n' | sort | sha256sum; }

@test "dockerd begins with the images of a seed: none of it is copied, and nobody writes to it" {
	local before

	name=$(new_name)
	mkdir seed docker
	berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --init berth -v "$PWD/seed:/var/lib/docker"
	berth wait --ready --timeout 60 "$name"
	berth exec -i "$name" -- docker import - small <"$BERTH_TEST_SMALL_TAR"
	# A file and a directory that a later layer takes away, one of them in favour of another.
	# shellcheck disable=SC2016 # for the shell inside
	berth exec "$name" -- sh -c 'mkdir /tmp/b && cd /tmp/b && printf "%s\n" "FROM small" \
		"RUN dd if=/dev/urandom of=/big bs=1M count=64; mkdir /dir; echo old >/dir/old; echo old >/gone" \
		"RUN rm -r /dir /gone; mkdir /dir; echo new >/dir/new" >Dockerfile && docker build -q -t team/tools:1 . &&
		docker run --name left team/tools:1 /bin/true'
	berth stop -t 40 "$name"
	berth rm "$name"
	before=$(census)

	berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --init berth \
		-v "$PWD/seed:/var/lib/docker-seed:seed" -v "$PWD/docker:/var/lib/docker"
	berth wait --ready --timeout 60 "$name"
	run berth exec "$name" -- sh -c 'docker info -f "{{.Driver}} {{.Images}} {{.Containers}}"; docker images -q team/tools:1 | wc -l
		du -sm /var/lib/docker | cut -f 1'
	[[ $output =~ ^"overlay2 "[0-9]+" 0"$'\n'"1"$'\n'[0-9]$ ]] || fail "$output"
	run berth exec "$name" -- docker run --rm team/tools:1 /bin/sh -c \
		'ls /dir; [ -e /gone ] || echo none; stat -c %s /big; echo mine >/dir/new; cat /dir/new'
	assert_output $'new\nnone\n67108864\nmine'
	# Built on, saved whole, and removed.
	run berth exec "$name" -- sh -c 'cd /tmp && printf "%s\n" "FROM team/tools:1" "RUN rm /big; cat /dir/new >/built" >Dockerfile &&
		docker build -q -t mine . >/dev/null && docker run --rm mine /bin/cat /built && ! docker run --rm mine /bin/ls /big &&
		docker save team/tools:1 | wc -c'
	assert_has $'new\n'
	[ "${lines[-1]}" -gt 67108864 ] || fail "$output"
	# The next start finds both.
	berth stop -t 40 "$name"
	berth start "$name"
	berth wait --ready --timeout 60 "$name"
	run berth exec "$name" -- sh -c 'docker run --rm mine /bin/cat /built; docker run --rm team/tools:1 /bin/cat /dir/new
		docker rmi -f mine team/tools:1 small >/dev/null; docker images -aq | wc -l'
	assert_output $'new\nnew\n0'
	berth rm -f "$name"
	assert_equal "$(census)" "$before"
	berth unshare -- rm -rf "$PWD/seed" "$PWD/docker"
}
