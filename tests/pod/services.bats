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
	docker_works ws
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
	docker_works ws
	run pod_exec berth exec ws -- systemctl is-system-running
	assert_output running
	pod_exec berth stop ws
}

@test "with a cgroup: berth's init runs dockerd too, where it is asked to" {
	pod_start own .
	pod_exec berth run --name ws --rootfs /srv/ws --init berth -d
	pod_exec berth wait --ready --timeout 100 ws
	docker_works ws
	pod_exec berth stop ws
}

@test "a seed on the pod's volume: filled under berth's init, and what dockerd under systemd begins with" {
	local at=/var/lib/workspace

	pod_start seeds .
	pod_exec mkdir "$at/seed" "$at/docker"
	pod_exec berth run --name maker --rootfs /srv/ws --init berth -d -v "$at/seed:/var/lib/docker"
	pod_exec berth wait --ready --timeout 100 maker
	pod_exec berth exec -i maker -- docker import - small <"$BERTH_TEST_SMALL_TAR"
	pod_exec berth stop maker
	pod_exec berth run --name ws --rootfs /srv/ws -d -v "$at/seed:/var/lib/docker-seed:seed" -v "$at/docker:/var/lib/docker"
	pod_exec berth wait --ready --timeout 100 ws
	run pod_exec berth exec ws -- docker run --rm small /bin/busybox echo from the seed
	assert_output "from the seed"
	run pod_exec berth exec ws -- sh -c 'docker info -f {{.Driver}}; du -sm /var/lib/docker | cut -f 1'
	[[ $output =~ ^overlay2$'\n'[01]$ ]] || fail "$output"
	pod_exec berth stop ws
}
