#!/usr/bin/env bats
# bats file_tags=debian
# An unmodified Debian boots, and an unmodified dockerd works in it. One workspace for the
# whole file, booted in setup_file; the tests at the end stop it and start it again.

load ../lib/common

# Booting and dockerd's builds take their time where a machine is slow.
export BATS_TEST_TIMEOUT=300

setup_file()
{
	export test_prefix=t-systemd-$$ ws=t-systemd-$$-ws tree

	probe_debian && probe_cgroup || return
	# A copy of its own: the first boot of what mmdebstrap made is what is tested.
	tree=$(mktemp -d /var/tmp/berth-systemd.XXXXXX)
	"$BERTH" unshare -- cp -a "$BERTH_TEST_ROOTFS/." "$tree"
	berth run --name "$ws" --rootfs "$tree" --ulimit nofile=1024:15000 --ulimit core=0 -d
	timeout 240 "$BERTH" wait --ready "$ws"
	inside docker import - small <"$BERTH_TEST_SMALL_TAR"
}

teardown_file()
{
	local status=0

	common_teardown || status=1
	[ -z "${tree:-}" ] || "$BERTH" unshare -- rm -rf "$tree"
	return "$status"
}

setup()    { cd "$BATS_TEST_TMPDIR" || exit; }
teardown() { :; } # nothing is one test's own

# inside COMMAND...: in the workspace, with our standard input.
inside() { in_cgroup "$BERTH" exec -i "$ws" -- "$@"; }

# docker_leaves_nothing: between the tests.
docker_leaves_nothing()
{
	# shellcheck disable=SC2016 # for the shell inside
	inside sh -c 'docker ps -aq | xargs -r docker rm -f >/dev/null
		docker network prune -f >/dev/null; docker volume prune -f >/dev/null'
}

started_at() { inside systemctl show -p UserspaceTimestampMonotonic --value; }

# booted_after TIME: whether the init of another boot has finished its start.
booted_after()
{
	local now

	now=$(started_at 2>/dev/null) && [ "$now" != "$1" ] &&
		[ "$(inside systemctl is-system-running 2>/dev/null)" = running ]
}

@test "the system is running and no unit failed" {
	run inside systemctl is-system-running
	assert_output running
	assert_status 0

	run inside systemctl --failed --no-legend
	assert_output ""
}

@test "systemd is PID 1 and knows that it is contained" {
	run inside cat /proc/1/comm
	assert_output systemd
	run inside systemd-detect-virt --container
	assert_status 0
	run inside cat /run/host/container-manager
	assert_output berth
}

@test "--ulimit holds for services, whatever their units and systemd itself ask for" {
	local unit pid

	for unit in docker containerd; do
		pid=$(inside systemctl show -P MainPID $unit)
		[ "$pid" -gt 1 ]
		inside cat "/proc/$pid/limits" >limits
		grep -q '^Max open files  *15000  *15000 ' limits # LimitNOFILE=infinity, or more
		grep -q '^Max core file size  *0  *0 ' limits
	done
	# systemd takes all that there is for itself, and gives services its own default.
	grep -q '^Max open files  *15000  *15000 ' <(inside cat /proc/1/limits)
	assert_equal "$(inside docker run --rm small sh -c 'ulimit -Hn')" 15000
}

@test "the host name is the workspace's" {
	run inside hostname
	assert_output "$ws"
}

@test "ps says that it is ready" {
	run berth ps
	assert_status 0
	[[ $output =~ $ws\ .*Up\ .*\(ready\) ]]
}

@test "the log holds what the console said" {
	run berth logs "$ws"
	assert_status 0
	assert_has "Welcome to"
	assert_has "Debian GNU/Linux"
	assert_has "docker.service"
}

@test "dockerd is on overlay2 and cgroup v2 with systemd" {
	run inside docker info --format '{{.Driver}} {{.CgroupVersion}} {{.CgroupDriver}}'
	assert_output "overlay2 2 systemd"
}

@test "docker run: output, exit code, standard input" {
	run inside docker run --rm small echo hello
	assert_output hello
	assert_status 0

	run inside docker run --rm small sh -c 'exit 42'
	assert_status 42

	run inside docker run -i --rm small cat <<<"through two levels"
	assert_output "through two levels"
}

@test "docker build with RUN" {
	run inside docker build -t built - <<-'EOF'
		FROM small
		RUN echo made while building >/made && chown 1000:1000 /made
	EOF
	assert_status 0

	run inside docker run --rm built sh -c 'cat /made; stat -c %u:%g /made'
	assert_output $'made while building\n1000:1000'
}

@test "docker run --privileged may mount, and is privileged only inside" {
	run inside docker run --rm --privileged small \
		sh -c 'mount -t tmpfs none /mnt && grep -c " /mnt tmpfs" /proc/mounts'
	assert_output 1

	# What belongs to the node stays out of reach: nothing here has its IDs.
	run inside docker run --rm --privileged small sh -c 'echo x >/proc/sys/kernel/core_pattern'
	[ "$status" -ne 0 ]
	run inside docker run --rm --privileged small mknod /mnt/null c 1 3
	[ "$status" -ne 0 ]
}

@test "docker run -m reaches its cgroup" {
	probe controller:memory
	run inside docker run --rm -m 64m small cat /sys/fs/cgroup/memory.max
	assert_output 67108864
}

@test "containers on a network of their own know each other by name" {
	inside docker network create net1
	inside docker run -d --name server --network net1 small \
		sh -c 'while :; do echo served | nc -l -p 80; done'

	run inside docker run --rm --network net1 small sh -c \
		'for _ in 1 2 3 4 5 6 7 8 9 10; do nc -w 5 server 80 && exit; sleep 0.2; done; exit 1'
	assert_output served

	# Not known outside of that network.
	run inside docker run --rm small ping -c 1 -W 1 server
	[ "$status" -ne 0 ]
	assert_has "bad address"
	docker_leaves_nothing
}

@test "a published port is reached from the workspace" {
	inside docker run -d --name published -p 8080:80 small \
		sh -c 'while :; do echo published | nc -l -p 80; done'
	wait_until 10 port_answers
	docker_leaves_nothing
}

# The workspace's own python: it has no other client.
port_answers()
{
	[ "$(inside python3 -c 'import socket
print(socket.create_connection(("127.0.0.1", 8080), 5).recv(100).decode(), end="")')" = published ]
}

@test "volumes outlive their containers" {
	inside docker volume create data
	inside docker run --rm -v data:/data small sh -c 'echo kept >/data/file'
	run inside docker run --rm -v data:/data:ro small cat /data/file
	assert_output kept
	run inside docker run --rm -v data:/data:ro small touch /data/other
	[ "$status" -ne 0 ]
	assert_has "Read-only file system"
	docker_leaves_nothing
}

@test "the restart policy holds over a restart of dockerd" {
	inside docker run -d --restart always --name again small sleep 1000
	inside docker run -d --name once small sleep 1000
	before=$(inside docker inspect --format '{{.State.StartedAt}}' again)

	inside systemctl restart docker
	wait_until 30 again_runs
	run inside docker inspect --format '{{.State.StartedAt}}' again
	[ "$output" != "$before" ]
	run inside docker inspect --format '{{.State.Running}}' once
	assert_output false
	docker_leaves_nothing
}

again_runs() { [ "$(inside docker inspect --format '{{.State.Running}}' again)" = true ]; }

@test "docker compose, where the image has it" {
	probe compose
	inside mkdir -p /root/project
	inside tee /root/project/compose.yaml >/dev/null <<-'EOF'
		services:
		  server:
		    image: small
		    command: sh -c 'while :; do echo composed | nc -l -p 80; done'
		  client:
		    image: small
		    depends_on: [server]
		    command: sh -c 'until nc -w 5 server 80; do sleep 0.2; done'
	EOF
	run compose run --rm client
	assert_has composed
	run compose down
	assert_status 0
	inside rm -rf /root/project
}

compose()
{
	inside sh -c 'cd /root/project && if docker compose version >/dev/null 2>&1
		then exec docker compose "$@"; else exec docker-compose "$@"; fi' compose "$@"
}

probe_compose()
{
	inside sh -c 'docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null' ||
		fail "the image has no docker compose"
}


# Whether the group of the tests hands it down.
probe_controller()
{
	inside grep -qw "$1" /sys/fs/cgroup/cgroup.controllers || fail "not delegated to us"
}

@test "reboot inside is a workspace that starts again" {
	inside touch /run/gone /root/stays
	before=$(started_at)

	run inside systemctl reboot
	wait_until 120 booted_after "$before"
	run inside ls /run/gone
	[ "$status" -ne 0 ]
	run inside ls /root/stays
	assert_status 0
	run inside systemctl --failed --no-legend
	assert_output ""
}

@test "stop is a clean power-off with exit code 0, and start boots it again" {
	inside touch /root/before-stop
	run berth stop "$ws"
	assert_status 0
	run berth wait "$ws"
	assert_output 0
	run berth inspect "$ws"
	assert_has '"reason": "powered off"'
	assert_has '"exit_code": 0'
	run berth logs "$ws"
	assert_has "Reached target" # its last words are in the log, too
	assert_has "Reached target"
	run inside true
	assert_status 125
	assert_has "'$ws'"

	run berth start "$ws"
	assert_status 0
	assert_output "$ws"
	run timeout 240 "$BERTH" wait --ready "$ws"
	assert_status 0
	run inside systemctl is-system-running
	assert_output running
	run inside ls /root/before-stop
	assert_status 0
}

@test "poweroff inside ends it with exit code 0" {
	berth wait --ready "$ws"
	inside systemctl poweroff || true # its end may come before the answer
	run timeout 120 "$BERTH" wait --exit "$ws"
	assert_output 0
	run berth inspect "$ws"
	assert_has '"reason": "powered off"'
}

@test "a second start finds it as it was left" {
	berth start "$ws"
	timeout 240 "$BERTH" wait --ready "$ws"
	run inside docker run --rm small echo still here
	assert_output "still here"
	berth stop "$ws"
}
