#!/usr/bin/env bats
# Images from a registry of our own on loopback: logins, certificates, what fails and what it says.

load ../lib/common
load ../lib/image

setup()
{
	common_setup
	image_setup
	export HOME=$BATS_TEST_TMPDIR/home XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/home/.config
	mkdir -p "$XDG_CONFIG_HOME"
	unset REGISTRY_AUTH_FILE DOCKER_CONFIG
}

teardown()
{
	[ -z "${flaky_pid:-}" ] || kill "$flaky_pid" 2>/dev/null || true
	registry_stop
	image_teardown
	common_teardown
}

# push LAYOUT TAG NAME [ARG...]: by skopeo itself.
push() { skopeo copy -q --dest-tls-verify=false "${@:4}" "oci:$1:$2" "docker://$registry/$3"; }

# login_file [AUTH]: a config.json as docker writes it.
login_file()
{
	printf '{ "auths": { "%s": { "auth": "%s" } } }\n' "$registry" "$(printf %s "${1-dev:s3cr3t}" | base64)"
}

@test "pull, run, and a tag that moved: only what is new is fetched" {
	probe small image_tools registry
	registry_start
	insecure
	make_image layout one --odd
	push layout one team/os:1

	run --separate-stderr run_image "$registry/team/os:1" -- cat /odd/link
	assert_status 0
	assert_output 'one inode'
	[ "$(berth image ls -q)" = "$registry/team/os:1" ]
	fetched() { grep -c 'GET /v2/team/os/blobs/sha256:' registry/log; }
	before=$(fetched)

	make_image layout one --odd --config '{ "Env": ["NEW=1"] }'
	push layout one team/os:1
	# What is in the store is enough, until somebody asks.
	run --separate-stderr run_image "$registry/team/os:1" -- sh -c 'echo "<$NEW>"'
	assert_output '<>'
	count=$(fetched)
	run --separate-stderr run_image "$registry/team/os:1" --pull always -- sh -c 'echo "<$NEW>"'
	assert_output '<1>'
	# The configuration is new, the layers are not.
	[ "$(($(fetched) - count))" -le 1 ]
	[ "$before" -ge 4 ]
	run berth image prune
	assert_status 0
	[ "$(find "$images/trees" -mindepth 2 -maxdepth 2 | wc -l)" -eq 1 ]
}

@test "a digest in the name is the one that runs" {
	probe small image_tools registry
	registry_start
	insecure
	make_image layout one --config '{ "Env": ["N=1"] }'
	digest=$(make_image layout one --config '{ "Env": ["N=1"] }')
	push layout one os:1
	make_image layout one --config '{ "Env": ["N=2"] }'
	push layout one os:1

	run --separate-stderr run_image "$registry/os@$digest" -- sh -c 'echo $N'
	assert_output 1
	run --separate-stderr run_image "docker://$registry/os:1" -- sh -c 'echo $N'
	assert_output 2
}

@test "401 without a login; each of the usual files has one" {
	probe small image_tools registry
	registry_start login
	insecure
	make_image layout one
	push layout one os:1 --dest-creds dev:s3cr3t

	run pull "$registry/os:1"
	assert_status 125
	assert_has 'hint: log in with'
	login_file dev:wrong >wrong.json
	run pull --authfile wrong.json "$registry/os:1"
	assert_status 125
	assert_has 'hint: log in with'
	[[ $output != *wrong:* && $output != *s3cr3t* ]]

	# A pull secret as Kubernetes mounts it.
	mkdir secret
	login_file >secret/.dockerconfigjson
	REGISTRY_AUTH_FILE=$PWD/secret/.dockerconfigjson run pull "$registry/os:1"
	assert_status 0
	mkdir docker
	login_file >docker/config.json
	DOCKER_CONFIG=$PWD/docker run pull "$registry/os:1"
	assert_status 0
	mkdir -p "$HOME/.docker"
	login_file >"$HOME/.docker/config.json"
	run pull "$registry/os:1"
	assert_status 0
}

@test "a credential helper is asked" {
	probe small image_tools registry
	registry_start login
	insecure
	make_image layout one
	push layout one os:1 --dest-creds dev:s3cr3t
	mkdir bin "$HOME/.docker"
	cat >bin/docker-credential-test <<-END
		#!/bin/sh
		cat >/dev/null
		echo '{ "ServerURL": "$registry", "Username": "dev", "Secret": "s3cr3t" }'
	END
	chmod +x bin/docker-credential-test
	echo "{ \"credHelpers\": { \"$registry\": \"test\" } }" >"$HOME/.docker/config.json"

	PATH=$PWD/bin:$PATH run pull "$registry/os:1"
	assert_status 0
}

@test "TLS: a CA of one's own, by --cert-dir and by SSL_CERT_FILE" {
	probe small image_tools registry
	registry_start tls
	make_image layout one
	push layout one os:1

	run pull "$registry/os:1"
	assert_status 125
	assert_has x509
	assert_has "hint: give the registry's CA"
	mkdir certs
	cp registry/ca.crt certs
	run pull --cert-dir certs "$registry/os:1"
	assert_status 0
	SSL_CERT_FILE=$PWD/registry/ca.crt run pull "$registry/os:1"
	assert_status 0
	run pull --tls-verify false "$registry/os:1"
	assert_status 0
	run run_image "$registry/os:1" --pull always -- true
	assert_status 125
}

@test "a registry without TLS has to be named in registries.conf" {
	probe small image_tools registry
	registry_start
	make_image layout one
	push layout one os:1

	run pull "$registry/os:1"
	assert_status 125
	assert_has 'insecure = true'
	insecure
	run pull "$registry/os:1"
	assert_status 0
}

@test "a mirror of registries.conf is asked" {
	probe small image_tools registry
	registry_start
	insecure
	make_image layout one --config '{ "Env": ["FROM=mirror"] }'
	push layout one library/debian:12
	cat >>"$CONTAINERS_REGISTRIES_CONF" <<-END
		[[registry]]
		prefix = "docker.io"
		location = "$registry"
		insecure = true
	END

	run --separate-stderr run_image debian:12 -- sh -c 'echo $FROM'
	assert_output mirror
	[ "$(berth image ls -q)" = docker.io/library/debian:12 ]
}

@test "names that the registry does not know, and a machine that it has nothing for" {
	probe small image_tools registry
	registry_start
	insecure
	make_image layout one
	push layout one os:1

	run pull "$registry/os:2"
	assert_status 125
	assert_has 'hint: check the name and the tag'
	run pull "$registry/other:1"
	assert_status 125
	assert_has 'hint: check the name and the tag'

	# A list of manifests for another architecture only.
	digest=$(skopeo inspect --tls-verify=false --format '{{ .Digest }}' "docker://$registry/os:1")
	size=$(skopeo inspect --raw --tls-verify=false "docker://$registry/os:1" | wc -c)
	cat >list.json <<-END
		{ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
		{ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "$digest", "size": $size,
		  "platform": { "architecture": "s390x", "os": "linux" } } ] }
	END
	python3 - "$registry" <<-'END'
		import sys, urllib.request
		request = urllib.request.Request(f"http://{sys.argv[1]}/v2/os/manifests/list", method="PUT",
		    data=open("list.json", "rb").read(),
		    headers={"Content-Type": "application/vnd.oci.image.index.v1+json"})
		urllib.request.urlopen(request)
	END
	run pull "$registry/os:list"
	assert_status 125
	assert_has 'hint: the image has no variant for this machine'
}

@test "a blob that is not what its digest says is refused, and nothing of it is kept" {
	probe small image_tools registry
	registry_start
	insecure
	make_image layout one
	push layout one os:1
	layer=$(find registry/data -name data -size +100k)
	printf x | dd of="$layer" bs=1 seek=5000 conv=notrunc status=none

	run pull "$registry/os:1"
	assert_status 125
	assert_has 'Digest did not match'
	assert_has 'hint: what came is not what was asked for'
	[ -z "$(berth image ls -q)" ]
	run find "$images/trees" "$images/tmp" -mindepth 1
	assert_output ''
	run find "$images/blobs/sha256" -type f -size +100k
	assert_output ''
}

@test "no registry, no such host" {
	probe small image_tools registry
	registry_start
	insecure
	registry_stop

	run pull "$registry/os:1"
	assert_status 125
	assert_has 'hint: is the registry up?'
	run pull nowhere.invalid/os:1
	assert_status 125
	assert_has 'hint: '
	assert_has 'HTTPS_PROXY'
}

@test "a pull that is killed goes on where it was" {
	probe small image_tools registry
	registry_start
	insecure
	make_image layout one --odd
	push layout one os:1

	for delay in 0.05 0.1 0.2 0.3; do
		in_cgroup timeout -s KILL "$delay" "$BERTH" image pull --progress none "$registry/os:1" >/dev/null 2>&1 || true
	done
	run --separate-stderr run_image "$registry/os:1" -- cat /odd/link
	assert_output 'one inode'
	run find "$images/tmp" -mindepth 1
	assert_output ''
	berth image prune --all
	run find "$images/blobs/sha256" "$images/trees" -mindepth 2
	assert_output ''
}

# flaky CUTS: what pulls goes by a port that cuts the first connections; its words are in flaky.log.
flaky()
{
	local port

	port=$(free_port)
	python3 "$BATS_TEST_DIRNAME/../lib/flaky.py" "$port" "${registry##*:}" "$1" >flaky.log 3>&- &
	flaky_pid=$!
	wait_until 10 grep -q ready flaky.log
	registry=127.0.0.1:$port
	insecure
}

@test "a connection that breaks is tried again, three times" {
	probe small image_tools registry
	registry_start
	insecure
	make_image layout one
	push layout one os:1
	origin=$registry

	flaky 2
	run pull "$registry/os:1"
	kill "$flaky_pid"
	assert_status 0
	assert_equal "$(grep -c cut flaky.log)" 2

	registry=$origin
	flaky 1000
	run pull "$registry/os:1"
	kill "$flaky_pid"
	assert_status 125
	assert_has 'hint: each try broke off'
	# A try may ask for more than one thing.
	[ "$(grep -c cut flaky.log)" -ge 4 ]
	run find "$images/tmp" -mindepth 1
	assert_output ''
}

@test "a proxy of the environment is used" {
	probe small image_tools registry
	HTTPS_PROXY=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9 run pull registry.invalid/os:1
	assert_status 125
	assert_has 'proxyconnect'
}

@test "in a pod, as its root: the store is root's, and a full disk is told" {
	probe small image_tools registry subids
	registry_start
	insecure
	make_image layout one --odd
	push layout one os:1
	cat >script <<-'END'
		set -e
		# The root of a user namespace, as of a pod with hostUsers: false.
		mkdir disk
		mount -t tmpfs -o size=64m,mode=755 tmpfs disk
		mkdir disk/small disk/run
		mount -t tmpfs -o size=6m tmpfs disk/small
		export XDG_RUNTIME_DIR=$PWD/disk/run
		# The machine's root has signatures there, and the pod's root would have its own.
		[ ! -d /var/lib/containers ] || mount -t tmpfs tmpfs /var/lib/containers
		cd disk
		"$1" image pull --progress none --store large "$2" >/dev/null
		"$1" run --rm --net none --store large --image "$2" -- stat -c '%u:%g %a' /odd/owned /odd/setuid
		ls large/images/trees
		"$1" image pull --progress none --store small "$2" && exit 1
		ls -A small/images/tmp small/images/trees
		"$1" image ls --store small
	END
	run in_cgroup "$BERTH" unshare -- unshare -m sh "$PWD/script" "$BERTH" "$registry/os:1"
	assert_status 0
	assert_has $'12345:54321 644\n0:0 4755\n0-0x'
	assert_has 'No space left on device'
	assert_has "hint: make room: 'berth image prune --all'"
	assert_has $'small/images/tmp:\n\nsmall/images/trees:\nIMAGE'
}
