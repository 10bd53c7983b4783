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
	[ -z "${launch_pid:-}" ] || kill "$launch_pid" 2>/dev/null || true
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

# bats test_tags=long
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

# flaky CUTS [HOLD]: what pulls goes by a port that cuts the first connections, and holds requests with HOLD in
# them back until there is a file "go"; its words are in flaky.log.
flaky()
{
	local port

	port=$(free_port)
	: >flaky.log
	python3 "$BATS_TEST_DIRNAME/../lib/flaky.py" "$port" "${registry##*:}" "$1" ${2:+"$2" go} >flaky.log 3>&- &
	flaky_pid=$!
	wait_until 10 grep -q ready flaky.log
	registry=127.0.0.1:$port
	insecure
}

# bats test_tags=long
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

# on_terminal COMMAND...: in the background, on a terminal of its own; "typescript" has what came there. The
# shell that runs it is named, since there may be none in SHELL.
on_terminal()
{
	{
		echo 'stty cols 100 rows 30'
		printf '%q ' "$@"
		printf '\necho "status $?"\n'
	} >on_terminal
	: >typescript
	SHELL=/bin/sh in_cgroup script -qefc "bash on_terminal" typescript < <(exec sleep 60 2>/dev/null 3>&-) >/dev/null &
	launch_pid=$!
}
screen() { run python3 "$BATS_TEST_DIRNAME/../lib/screen.py" < <(sed '1d; $d' typescript); }
drawn() { grep -qF "$1" typescript; }

@test "on a terminal a pull draws bars, and leaves whole lines: also where it fails" {
	probe small image_tools registry tool:script
	registry_start
	insecure
	make_image layout one --odd
	push layout one os:1
	origin=$registry
	manifest=layout/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' layout/index.json)
	layer=$(jq -r '.layers[0].digest[7:]' "$manifest")

	flaky 0 "blobs/sha256:$layer"
	on_terminal "$BERTH" image pull "$registry/os:1"
	# Up to where the registry holds one layer back: its bar is there, and has come to nothing.
	wait_until 20 drawn "Copying blob ${layer:0:12} ["
	touch go
	wait_until 30 drawn 'status 0'
	wait_until 10 over
	screen
	assert_status 0
	assert_equal "${lines[0]}" "Pulling $registry/os:1"
	assert_has "Copying blob ${layer:0:12} done"
	assert_has $'\n'"Unpacking $registry/os:1"$'\n'
	assert_equal "${lines[-1]}" "status 0"
	# Neither bars nor what is for programs is left.
	[[ $output != *'['* && $output != *'{"'* && $output != *'---'* ]] || fail "$output"
	kill "$flaky_pid"

	# The message of what broke begins a line of its own.
	berth image prune --all >/dev/null
	registry=$origin
	flaky 1000
	on_terminal "$BERTH" image pull "$registry/os:1"
	wait_until 60 drawn 'status 125'
	wait_until 10 over
	screen
	assert_status 0
	grep -q '^berth: image: skopeo: ' <<<"$output" || fail "$output"
	grep -q '^hint: each try broke off' <<<"$output" || fail "$output"
	# What is said to be one thing is one.
	run in_cgroup "$BERTH" image pull --progress bar "$origin/nothing:1"
	assert_status 125
	assert_has "Pulling $origin/nothing:1"
	[[ $output != *'{"'* ]]
}

# entrypoint ARG...: without the tests' own variables, which a pod does not have.
entrypoint()
{
	local variable unset=()

	for variable in "${!BERTH_TEST_@}"; do unset+=(-u "$variable"); done
	in_cgroup env "${unset[@]}" "$BERTH" entrypoint "$@"
}

# held_launch COMMAND...: in the background, up to where the registry does not answer.
held_launch()
{
	: >flaky.log
	"$@" >out 2>&1 </dev/null &
	launch_pid=$!
	wait_until 20 grep -q held flaky.log
}
status_of() { berth ps -a --format json | jq -r --arg name "$1" '.[] | select(.name == $name).status'; }
over() { ! kill -0 "$launch_pid" 2>/dev/null; }

@test "a pull that is killed goes on where it was" {
	probe small image_tools registry
	registry_start
	insecure
	make_image layout one --odd
	push layout one os:1
	# What is fetched as the log of the registry itself has it.
	fetched() { grep -c "GET /v2/os/blobs/sha256:$1" registry/log; }
	manifest=layout/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' layout/index.json)
	first=$(jq -r '.layers[0].digest[7:]' "$manifest")
	second=$(jq -r '.layers[1].digest[7:]' "$manifest")

	flaky 0 "blobs/sha256:$second"
	held_launch berth image pull --progress none "$registry/os:1"
	wait_until 20 test -e "$images/blobs/sha256/$first"
	pkill -KILL -P "$launch_pid" -x berth || kill -KILL "$launch_pid"
	wait_until 10 over
	assert_equal "$(fetched "$first") $(fetched "$second")" '1 0'
	[ -n "$(ls -A "$images/tmp")" ]

	touch go
	run --separate-stderr run_image "$registry/os:1" -- cat /odd/link
	assert_output 'one inode'
	assert_equal "$(fetched "$first")" 1
	[ "$(fetched "$second")" -ge 1 ]
	run find "$images/tmp" -mindepth 1
	assert_output ''
	berth image prune --all
	run find "$images/blobs/sha256" "$images/trees" -mindepth 2
	assert_output ''
	run --separate-stderr run_image "$registry/os:1" -- true
	assert_equal "$(fetched "$first")" 2
}

# bats test_tags=long
@test "a registry that hangs: tried again, and rm and prune say whom they wait for" {
	probe small image_tools registry
	registry_start
	insecure
	make_image layout one
	push layout one os:1
	flaky 0 /blobs/

	held_launch berth image pull --progress json --pull-patience 2 "$registry/os:1"
	in_cgroup "$BERTH" image prune >prune.log 2>&1 &
	prune=$!
	wait_until 10 grep -q 'waiting for process [0-9]*, which works in the store' prune.log
	held=$(sed -n 's/.*waiting for process \([0-9]*\),.*/\1/p' prune.log)
	assert_equal "$(cat "/proc/$held/comm")" berth
	wait_until 20 grep -q '"step":"again"' out
	touch go
	wait "$launch_pid" || fail "$(cat out)"
	wait "$prune"
	assert_equal "$(berth image ls -q)" "$registry/os:1"

	rm go
	berth image prune --all
	run berth image pull --progress json --pull-patience 1 "$registry/os:1"
	assert_status 125
	assert_has 'nothing came for 1 s, 4 times'
	assert_has 'hint: is the registry up?'
	assert_equal "$(grep -c '"step":"again"' <<<"$output")" 3
	run find "$images/tmp" -mindepth 1
	assert_output ''
}

@test "while its image is pulled a workspace lives, is not ready, and can be stopped and removed" {
	probe small image_tools registry
	registry_start
	insecure
	make_image layout one --config '{ "Cmd": ["sleep", "1000"] }'
	push layout one os:1
	flaky 0 /blobs/
	name=$(new_name)
	export XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/run # its probes name no workspace
	mkdir run

	# As a pod does, in which the kubelet asks.
	held_launch entrypoint --name "$name" --net none --image "$registry/os:1"
	run berth health
	assert_status 0
	assert_output starting
	run berth health --ready
	assert_status 1
	assert_has "it is not ready"
	assert_equal "$(status_of "$name")" pulling
	run berth ps
	assert_has Pulling
	assert_equal "$(berth inspect "$name" | jq -r '.[0] | .status + " " + .image')" "pulling $registry/os:1"
	run berth run --name "$name" --image "$registry/os:1" -- true
	assert_status 125
	assert_has "the name '$name' is taken"
	run berth rm "$name"
	assert_status 125

	# Nobody signalled by a number alone: the record's is another process for once.
	entry=$XDG_RUNTIME_DIR/berth/$name
	cp -p "$entry/state.json" kept.json
	sleep 1000 3>&- &
	other=$!
	sed "s/\"supervisor\": [0-9]*/\"supervisor\": $other/" kept.json >"$entry/state.json"
	run berth stop "$name"
	assert_status 125
	assert_has "find the process that pulls for '$name'"
	kill "$other"
	cp -p kept.json "$entry/state.json"

	run berth stop "$name"
	assert_status 0
	assert_output "$name"
	wait_until 10 over
	code=0
	wait "$launch_pid" || code=$?
	assert_equal "$code" 143
	assert_equal "$(status_of "$name")" ""
	run pgrep -f "skopeo.*$registry"
	assert_output ''

	held_launch berth run --name "$name" --net none --image "$registry/os:1"
	run berth rm -f "$name"
	assert_status 0
	wait_until 10 over
	assert_equal "$(status_of "$name")" ""

	# Nor is anything left of a launch whose pull fails.
	run berth run --name "$name" --net none --image "$registry/nothing:1"
	assert_status 125
	assert_has 'check the name and the tag'
	[ ! -e "$entry" ]

	held_launch berth run -d --name "$name" --net none --image "$registry/os:1"
	touch go
	wait "$launch_pid"
	assert_equal "$(status_of "$name")" running
	run berth health "$name"
	assert_output ready
	berth rm -f "$name"
	unset XDG_RUNTIME_DIR
}

@test "a container that is started again, and has to pull, keeps its workspace's past" {
	probe small image_tools registry
	registry_start
	insecure
	make_image layout one
	push layout one os:1
	name=$(new_name)
	again() { entrypoint --name "$name" --image "$registry/os:1" --pull always --net none -- sh -c 'exit 3'; }
	run again
	assert_status 3
	created=$(berth inspect "$name" | jq '.[0].created_ms')

	flaky 0 /manifests/
	held_launch again
	assert_equal "$(status_of "$name")" pulling
	berth stop "$name"
	wait_until 10 over
	assert_equal "$(status_of "$name")" exited
	# A pull that fails leaves the end of the life before.
	registry=127.0.0.1:9
	insecure
	run again
	assert_status 125
	assert_equal "$(berth inspect "$name" | jq '.[0].created_ms')" "$created"
}

# bats test_tags=long
@test "a proxy of the environment is used" {
	probe small image_tools registry
	HTTPS_PROXY=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9 run pull registry.invalid/os:1
	assert_status 125
	assert_has 'proxyconnect'

	# It knows the way to a host that has no address here.
	registry_start
	insecure
	make_image layout one --config '{ "Env": ["BY=proxy"] }'
	push layout one os:1
	port=$(free_port)
	python3 "$BATS_TEST_DIRNAME/../lib/proxy.py" "$port" "${registry##*:}" >proxy.log 3>&- &
	flaky_pid=$!
	wait_until 10 grep -q ready proxy.log
	registry=registry.invalid
	insecure
	export HTTP_PROXY=http://127.0.0.1:$port HTTPS_PROXY=http://127.0.0.1:$port
	run --separate-stderr run_image registry.invalid/os:1 -- sh -c 'echo $BY'
	assert_output proxy
	grep -q 'GET http://registry.invalid/v2/os/blobs/sha256:' proxy.log
	NO_PROXY=registry.invalid run pull registry.invalid/os:1
	assert_status 125
	assert_has 'no such host'
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
		# Room for one, and something: what nobody uses gives way, and what is used does not.
		mkdir disk
		"$1" image prune --all --store large >/dev/null
		"$1" image pull --progress none --store large "$3" >/dev/null
		mount -t tmpfs -o "size=$(($(du -sk large | cut -f 1) + 600))k" tmpfs disk
		"$1" image pull -q --progress none --store disk "$3"
		"$1" image pull -q --progress none --store disk "$4" && "$1" image ls -q --store disk
		"$1" run --name kept --net none --store disk --image "$4" -- true
		"$1" image pull --progress none --store disk "$3" || "$1" image ls -q --store disk
		"$1" rm kept
	END
	for tag in 2 3; do
		make_image layout "$tag" --config "{ \"Env\": [\"T=$tag\"] }"
		push layout "$tag" "os:$tag"
	done
	run in_cgroup "$BERTH" unshare -- unshare -m sh "$PWD/script" "$BERTH" "$registry/os:"{1,2,3}
	assert_status 0
	assert_has "what nobody uses was removed (1), and it is tried again"
	[[ $output =~ "again"$'\n'"$registry/os:3"$'\n'.*"No space left on device"$'\n'.*$'\n'"$registry/os:3"$'\n'"kept" ]]
	assert_has $'12345:54321 644\n0:0 4755\n0-0x'
	assert_has 'No space left on device'
	assert_has "hint: make room: 'berth image prune --all'"
	assert_has $'small/images/tmp:\n\nsmall/images/trees:\nIMAGE'
}
