# shellcheck shell=bash
# What docker publishes in a workspace, on the pod: by -p auto, and by -p to a port of a container.
# Everything listens on 127.0.0.1, because here the pod is the machine.
# bats file_tags=debian

load ../lib/common

setup_file()
{
	probe debian small subids tool:curl
	export test_prefix=ports-docker-$$
	export shared=$test_prefix-shared
	cd "$BATS_FILE_TMPDIR" || return
	berth run --name "$shared" --rootfs "$BERTH_TEST_ROOTFS:O" --init berth -d --net relay \
		-p 127.0.0.1:28080:8080 -p 127.0.0.1:auto --publish-allow 28100-28199,28100-28199/udp
	berth wait --ready --timeout 60 "$shared"
	berth exec -i "$shared" -- docker import - small <"$BERTH_TEST_SMALL_TAR"
}

teardown_file() { berth rm -f "$shared"; }

inside() { berth exec "$shared" -- "$@"; }

answers() { curl -sf --max-time 3 "http://127.0.0.1:$1/" | grep -qx "$2"; }
refuses() { run curl -s --max-time 3 "http://127.0.0.1:$1/"; [ "$status" = 7 ]; }
lists() { berth port "$shared" | grep -qxF -- "$1"; }

unlisted() { [[ $(berth port "$shared") != *":$1"* ]]; }

# web NAME TEXT OPTION...: a container with a web server that says TEXT
web()
{
	inside docker run -d --name "$1" "${@:3}" small /bin/sh -c \
		"mkdir /www; echo $2 >/www/index.html; exec httpd -f -v -p 80 -h /www"
}

@test "a container's port appears when it is published inside, and goes with it" {
	refuses 28101
	web one hello -p 28101:80
	wait_until 10 answers 28101 hello
	lists "28101/tcp -> 127.0.0.1:28101"
	inside docker rm -f one
	wait_until 10 refuses 28101
	wait_until 10 unlisted 28101
}

@test "docker's ports are UDP ports too, where they are allowed" {
	inside docker run -d --name udp -p 28102:53/udp small /bin/sleep 100
	wait_until 10 lists "28102/udp -> 127.0.0.1:28102"
	inside docker rm -f udp
}

@test "a container sees who asks: the gateway, for the pod's loopback" {
	web two hi -p 8080:80
	wait_until 10 answers 28080 hi
	gateway=$(inside ip -4 route show default | sed -n 's/.* via \([^ ]*\).*/\1/p')
	[ -n "$gateway" ]
	run inside docker logs two
	assert_has "$gateway"
	inside docker rm -f two
}
