#!/usr/bin/env bats
#
# docs/recipes.md: names, time zone, locale, a script from standard input, sockets.

load ../lib/common
load ../lib/network

setup()
{
	common_setup
	probe small subids
	ws=$(new_name)
}

teardown()
{
	[ -z "${pod_pid:-}" ] || pod_down
	common_teardown
}

small() { berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" "$@"; }

@test "--add-host: lines more in /etc/hosts, whatever the network, and the image's own file stays" {
	run small --net none --hostname box --add-host db:10.0.0.5 --add-host 'v6=[fd00::5]' -- cat /etc/hosts
	assert_output $'127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.1.1 box\n10.0.0.5 db\nfd00::5 v6'
	run small --net host --add-host pod:host-gateway -- cat /etc/hosts
	assert_output "$(cat /etc/hosts)"$'\n127.0.0.1 pod'
	run --separate-stderr berth run --rm --name "$ws" --rootfs host --net none --add-host db:10.0.0.5 -- cat /etc/hosts
	assert_has $'\n10.0.0.5 db'
	[ ! -e "$BERTH_TEST_SMALL/etc/hosts" ] || ! grep -q db "$BERTH_TEST_SMALL/etc/hosts"
	# And again, as the record has it.
	berth run -d --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --net none --add-host db:10.0.0.5 -- sleep 1000
	berth stop -t 0 "$ws"
	berth start "$ws"
	run berth exec "$ws" tail -n1 /etc/hosts
	assert_output "10.0.0.5 db"
}

@test "host.docker.internal is the pod: what listens there is reached, but for its loopback" {
	probe tool:python3 tool:ip tool:nsenter
	pod_up
	serve all.log in_pod python3 -c 'import socket
s = socket.create_server(("0.0.0.0", 7000)); print("ready", flush=True)
while True: s.accept()[0].sendall(b"the pod")'
	serve own.log in_pod python3 -c 'import socket
s = socket.create_server(("127.0.0.1", 7001)); print("ready", flush=True); s.accept()'
	cat >ask.py <<-'EOF'
		import socket, sys
		def ask(name, port):
		    try:
		        return socket.create_connection((name, port), 10).recv(99).decode()
		    except ConnectionRefusedError:
		        return "refused"
		print(ask("host.docker.internal", 7000), ask("me", 7000), ask("host.docker.internal", 7001))
	EOF
	run berth_in_pod run --rm --name "$ws" --net relay --add-host me:host-gateway -v "$PWD:/tests:ro" \
		-- python3 /tests/ask.py
	assert_output "the pod the pod refused"
	run berth_in_pod run --rm --name "$ws" --net relay --add-host host.docker.internal:192.0.2.7 -- \
		grep internal /etc/hosts
	assert_output "192.0.2.7 host.docker.internal"
}

@test "--add-host: what is refused" {
	local word text

	while IFS='|' read -r word text; do
		run small --net none --add-host "$word" -- true
		assert_status 125
		assert_has "$text"
	done <<-'EOF'
		db|'db' is not NAME:ADDRESS
		:10.0.0.5|'' is no host name
		a b:10.0.0.5|'a b' is no host name
		db:10.0.0|'10.0.0' is no address
		db:10.0.0.0/8|'10.0.0.0/8' is no address
		db:[10.0.0.5]|'[10.0.0.5]' is no address
		db:[fd00::5|'[fd00::5' is no address
		pod:host-gateway|without a network there is no way to the pod
	EOF
	run small --net none --add-host $'db:10.0.0.5\n10.0.0.6 other' -- true
	assert_status 125
}

@test "--tz: a link where the root has the zone, else a copy of the pod's" {
	probe file:/usr/share/zoneinfo/Asia/Kolkata
	run small --net none --tz Asia/Kolkata -- date +%z
	assert_output +0530
	run small --net none --tz Mars/Olympus -- true
	assert_status 125
	assert_has "--tz 'Mars/Olympus': neither the root nor the pod has such a zone"
	run small --net none --tz ../../etc/passwd -- true
	assert_status 125
	assert_has "'../../etc/passwd' is no time zone"
	run berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL" --tz UTC -- true
	assert_status 125
	assert_has "is used in place"
	run --separate-stderr berth run --rm --name "$ws" --rootfs host --net none --tz local -- date +%z
	assert_output "$(date +%z)"
}

# bats test_tags=debian
@test "--tz: systemd has it, and the directory below stays" {
	probe debian cgroup
	run readlink "$BERTH_TEST_ROOTFS/etc/localtime"
	before=$output
	berth run -d --name "$ws" --rootfs "$BERTH_TEST_ROOTFS:O" --tz Asia/Kolkata
	timeout 100 "$BERTH" wait --ready "$ws"
	run berth exec "$ws" -- sh -c 'readlink /etc/localtime; cat /etc/timezone; date +%z'
	assert_output $'../usr/share/zoneinfo/Asia/Kolkata\nAsia/Kolkata\n+0530'
	# systemd itself, and so its timers.
	run berth exec "$ws" -- timedatectl show -p Timezone --value
	assert_output Asia/Kolkata
	berth stop "$ws"
	assert_equal "$(readlink "$BERTH_TEST_ROOTFS/etc/localtime")" "$before"
}

@test "a locale is a variable of all that is run in it" {
	# shellcheck disable=SC2016 # the shell inside
	echo 'echo "$LANG $LC_TIME"' >script
	# shellcheck disable=SC2016 # the shell inside
	LC_TIME=de_DE.UTF-8 berth run -d --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --net none -e LANG=C.UTF-8 \
		-e 'LC_*' --bootstrap script -- sh -c 'echo "$LANG $LC_TIME"; sleep 1000'
	wait_until 10 logged "C.UTF-8 de_DE.UTF-8"
	wait_until 10 logged "C.UTF-8 de_DE.UTF-8" --bootstrap
	# shellcheck disable=SC2016 # the shell inside
	run berth exec "$ws" sh -c 'echo "$LANG $LC_TIME"'
	assert_output "C.UTF-8 de_DE.UTF-8"
}
logged() { berth logs "${@:2}" "$ws" | grep -qxF -- "$1"; }

@test "--bootstrap -: a script from standard input, for each start" {
	# shellcheck disable=SC2016 # the shell inside
	echo 'echo "run $0"; : a-secret' |
		berth run -d --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --net none --bootstrap - -- sleep 1000
	wait_until 10 logged "run /bin/sh" --bootstrap
	run berth inspect "$ws"
	[[ $output != *a-secret* ]]
	assert_equal "$(stat -c %a "$XDG_RUNTIME_DIR/berth/$ws/bootstrap.sh")" 600
	berth stop -t 0 "$ws"
	berth start "$ws" </dev/null
	wait_until 10 logged_twice
	berth rm -f "$ws"

	run small --net none -i --bootstrap - -- true </dev/null
	assert_status 125
	assert_has "--bootstrap - with -i"
	run small --net none --bootstrap - -- true < <(head -c 1048577 /dev/zero)
	assert_status 125
	assert_has "standard input has more than 1048576 bytes"
	# Nothing is read where nothing is run.
	mkfifo silent
	exec 9<>silent
	run in_cgroup timeout 10 "$BERTH" plan --rootfs "$BERTH_TEST_SMALL:O" --bootstrap - -- true <&9 9>&-
	exec 9>&-
	assert_has "standard input, again: no"
}
logged_twice() { [ "$(berth logs --bootstrap "$ws" | grep -c run)" = 2 ]; }

@test "an SSH agent's socket by -v: root inside is served, and its keys sign" {
	probe tool:ssh-agent tool:ssh-keygen tool:ssh-add
	eval "$(ssh-agent -a "$PWD/agent" 3>&-)" >/dev/null
	ssh-keygen -q -t ed25519 -N '' -C a-key -f key
	ssh-add -q key
	run --separate-stderr berth run --rm --name "$ws" --rootfs host --net none -v "$SSH_AUTH_SOCK:/run/ssh-agent" \
		-v "$PWD/key.pub:/run/key.pub:ro" -e SSH_AUTH_SOCK=/run/ssh-agent -- \
		sh -c 'ssh-add -l | grep -o a-key; ssh-add -T /run/key.pub && echo signs'
	kill "$SSH_AGENT_PID"
	assert_output $'a-key\nsigns'
}

@test "any socket by -v: X11 and Wayland are others" {
	local server

	probe tool:python3
	mkdir X11-unix
	python3 -c 'import socket
for name in "wayland-0", "X11-unix/X7":
    s = socket.socket(socket.AF_UNIX); s.bind(name); s.listen(); globals()[name] = s
print("ready", flush=True)
for name in "wayland-0", "X11-unix/X7":
    globals()[name].accept()[0].sendall(name.encode())' >log 3>&- &
	server=$!
	wait_until 5 grep -q ready log
	run --separate-stderr berth run --rm --name "$ws" --rootfs host --net none -v "$PWD/wayland-0:/run/wayland-0" \
		-v "$PWD/X11-unix:/tmp/.X11-unix" -e WAYLAND_DISPLAY=/run/wayland-0 -e DISPLAY=:7 -- python3 -c '
import os, socket
for path in os.environ["WAYLAND_DISPLAY"], "/tmp/.X11-unix/X" + os.environ["DISPLAY"][1:]:
    s = socket.socket(socket.AF_UNIX); s.connect(path); print(s.recv(99).decode())'
	assert_output $'wayland-0\nX11-unix/X7'
	wait "$server"
}
