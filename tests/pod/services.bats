# shellcheck shell=bash
# The pod that most have: containerd and runc as shipped. Its /sys is read-only, and so is its
# cgroup, which nobody handed over. Beside it one whose cgroup is the pod's own.
# bats file_tags=debian

load ../lib/common
load pod

setup_file() { probe root tool:crun tool:jq debian; }

teardown()
{
	[ -n "${pod:-}" ] || return 0
	pod_exec sh -c 'berth ps -aq | xargs -r berth rm -f' >/dev/null
	pod_stop
}

# As runc leaves it: the group is the node's root's.
take_cgroup_away()
{
	local group

	group=$(find /sys/fs/cgroup -maxdepth 2 -name "$pod" -path "*$pod" | head -n 1)
	chown -R 0:0 "$group"
}

in_ws() { pod_exec berth exec "$@"; }

docker_works()
{
	pod_exec berth exec -i ws -- docker import - small <"$BERTH_TEST_SMALL_TAR"
	run in_ws ws -- docker run --rm small /bin/busybox echo from inside
	assert_output "from inside"
	run in_ws ws -- docker run --rm --privileged small /bin/sh -c \
		'mkdir /m && mount -t tmpfs tmpfs /m && grep -c " /m " /proc/mounts; grep " /sys " /proc/mounts'
	assert_status 0
	assert_equal "${lines[0]}" 1
	assert_has "sysfs /sys sysfs ro,"
	in_ws ws -- docker run -d --name sleeper small /bin/sleep 1000
	run in_ws ws -- docker exec sleeper /bin/echo in it
	assert_output "in it"
	in_ws ws -- docker stop -t 1 sleeper
	in_ws ws -- sh -c 'mkdir -p /tmp/build && printf "%s\n" "FROM small" "RUN echo built >/result" \
		>/tmp/build/Dockerfile && docker build -q -t built /tmp/build'
	run in_ws ws -- docker run --rm built /bin/cat /result
	assert_output built
	in_ws ws -- docker system prune -af
}

@test "without a cgroup: berth's init runs dockerd where systemd cannot be, and says so" {
	pod_start tier-b .
	take_cgroup_away
	run pod_exec berth plan --rootfs /srv/ws
	assert_has "service        dockerd: dockerd, after containerd"
	assert_has "note: systemd needs a cgroup it can write, and there is none"
	run pod_exec berth run --rootfs /srv/ws --init systemd
	assert_status 125
	assert_has "systemd needs a cgroup it can write"
	run pod_exec berth run --name ws --rootfs /srv/ws -d
	assert_status 0
	assert_has "berth's own init runs containerd and dockerd instead"
	pod_exec berth wait --ready --timeout 100 ws
	docker_works
	pod_exec berth stop ws
	run pod_exec berth wait --exit ws
	assert_output 0
	run pod_exec sh -c 'ps ax -o comm | grep -cE "dockerd|containerd"'
	assert_output 0
}

@test "with a cgroup: docker run --privileged under systemd, by the wrapper" {
	pod_start tier-a .
	run pod_exec berth plan --rootfs /srv/ws
	assert_has "wrapper        /dev/.berth/oci"
	assert_has "/run/systemd/system/docker.service.d/berth.conf"
	pod_exec berth run --name ws --rootfs /srv/ws -d
	pod_exec berth wait --ready --timeout 100 ws
	docker_works
	run in_ws ws -- systemctl is-system-running
	assert_output running
	pod_exec berth stop ws
}

@test "with a cgroup: berth's init runs dockerd too, where it is asked to" {
	pod_start own .
	pod_exec berth run --name ws --rootfs /srv/ws --init berth -d
	pod_exec berth wait --ready --timeout 100 ws
	docker_works
	pod_exec berth stop ws
}
