#!/usr/bin/env bats
# berth envbox: what a pod for envbox says, with berth in its place.

load ../lib/common
load ../lib/image

setup()
{
	probe small image_tools
	common_setup
	image_setup
	make_image layout os >/dev/null
	# As in a pod, where no variable of the tests' own is.
	pod=(env -i "PATH=$PATH" "HOME=$HOME" "XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR" BERTH_NET=none
		"BERTH_STORE=$BERTH_STORE" CODER_INNER_USERNAME=root "CODER_INNER_IMAGE=oci:$PWD/layout:os")
}

teardown()
{
	[ -z "${pid:-}" ] || berth rm -f "$name"
	registry_stop
	image_teardown
	common_teardown
}

# envbox [VARIABLE=VALUE...] [-- FLAG...]: in the background, as the pod's first process.
envbox()
{
	local variables=()

	while [ $# -gt 0 ] && [ "$1" != -- ]; do variables+=("$1"); shift; done
	shift "$(($# > 0))"
	name=$(new_name)
	in_cgroup "${pod[@]}" "BERTH_NAME=$name" "${variables[@]}" "$BERTH" envbox docker "$@" >log 2>&1 &
	pid=$!
	wait_until 30 ready_or_gone
	berth health --ready "$name" 2>/dev/null || { cat log; return 1; }
}
ready_or_gone() { ! kill -0 "$pid" 2>/dev/null || berth health --ready "$name" 2>/dev/null; }

@test "a pod for envbox: the image stays up, and the script runs in it with its variables" {
	mkdir home
	envbox CODER_AGENT_TOKEN=token CODER_AGENT_URL=https://coder.example OTHER=no KEEP_A=1 \
		CODER_INNER_HOSTNAME=box CODER_INNER_ENVS='KEEP_*' CODER_MOUNTS="$PWD/home:/mnt" \
		CODER_BOOTSTRAP_SCRIPT='echo "$CODER_AGENT_TOKEN $CODER_AGENT_URL $KEEP_A $OTHER."
id -un; hostname; echo "$BINARY_DIR"; ls -d "$BINARY_DIR"; echo mounted >/mnt/file; exec sleep 1000'
	wait_until 20 test -s home/file
	run berth logs --bootstrap "$name"
	assert_output $'token https://coder.example 1 .\nroot\nbox\n/root/.coder\n/root/.coder'
	run berth exec "$name" -- sh -c 'cat /proc/1/comm; tr "\0" "\n" </proc/1/cmdline'
	assert_has berth-init
	# The script's file is nobody else's, and goes with the pod.
	script=$(grep -o '[^"]*/berth-envbox-[^"]*/script' "$XDG_RUNTIME_DIR/berth/$name/state.json" |
		sort -u)
	run stat -c %a "$script" "${script%/script}"
	assert_output $'600\n700'
	berth stop "$name"
	wait "$pid" || [ $? -eq 143 ]
	pid=
	[ ! -e "${script%/script}" ]
}

@test "an image without systemd only stays up, whatever its ENTRYPOINT, CMD and STOPSIGNAL are" {
	make_image layout ends --config '{ "Entrypoint": ["/bin/false"], "Cmd": ["now"], "StopSignal": "SIGWINCH", "Env": ["OF=image"] }'
	# As the image says: it ends.
	run run_image "oci:$PWD/layout:ends"
	assert_status 1
	envbox -- --image "oci:$PWD/layout:ends"
	run berth exec "$name" -- sh -c 'for p in /proc/[0-9]*; do tr "\0" " " <"$p/cmdline"; echo; done; echo "$OF"'
	assert_has 'sleep infinity '
	assert_has image
	[[ $output != *false* ]]
	# By SIGTERM, and at once.
	berth stop -t 60 "$name"
	wait_until 30 ended
}
ended()
{
	! kill -0 "$pid" 2>/dev/null || return 1
	pid=
}

@test "SIGTERM ends a pod that pulls, as its first process, and nothing is left" {
	port=$(free_port)
	python3 -c 'import socket, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
held = []
while True:
    held.append(s.accept()); print("asked", flush=True)' "$port" >silent.log 3>&- &
	silent=$!
	mkdir run
	# The first process of a PID namespace, whom no signal reaches without a handler; its /proc has its number here.
	in_cgroup "${pod[@]}" "XDG_RUNTIME_DIR=$PWD/run" CODER_BOOTSTRAP_SCRIPT=true \
		"$BERTH" unshare -- unshare --pid --fork --kill-child sh -c 'read -r number rest </proc/self/stat
		echo "$number" >first; exec "$@"' sh "$BERTH" envbox docker --image "127.0.0.1:$port/os:1" >log 2>&1 3>&- &
	pid=$!
	wait_until 30 grep -q asked silent.log || { cat log; return 1; }
	ls -d run/berth-envbox-*/script
	kill -TERM "$(cat first)"
	wait_until 20 ended
	kill "$silent"
	grep -F 'the supervisor was ended by signal 15' log
	run find run -name 'berth-envbox-*'
	assert_output ''
}

@test "the user is the script's and exec's, and what keeps him from his home is told" {
	envbox CODER_INNER_USERNAME=dev CODER_BOOTSTRAP_SCRIPT='id -u; pwd; exec sleep 1000' CODER_INNER_WORK_DIR=/tmp
	wait_until 20 said /tmp
	# Of two pipes nobody knows which is read first.
	wait_until 20 said "mkdir: can't create directory '/home/dev/.coder': Permission denied"
	said 1000
	run berth exec "$name" -- id -u
	assert_output 1000
}

# said LINE: whether the script did.
said() { berth logs --bootstrap "$name" | grep -qxF -- "$1"; }

@test "mounts: the directory itself is root's inside, what is in it and what is read-only stays" {
	mkdir -p work/dir ro
	berth unshare -- chown -R 1000:1000 work ro
	envbox CODER_MOUNTS="$PWD/work:/work,$PWD/ro:/ro:ro"
	run berth exec "$name" -- stat -c '%u:%g %n' /work /work/dir /ro
	assert_output $'0:0 /work\n1000:1000 /work/dir\n1000:1000 /ro'
}

@test "a volume that envbox filled is refused, with a hint" {
	# As a pod is shown whom it has not got.
	mkdir filled
	cat >inside <<-'END'
		mount -t tmpfs -o uid=65534,gid=65534,mode=777 none filled
		exec "$@"
	END
	run in_cgroup "$BERTH" unshare -- unshare -m sh inside "${pod[@]}" CODER_MOUNTS="$PWD/filled:/home/dev" "$BERTH" envbox
	assert_status 125
	assert_has "berth: volume: -v '$PWD/filled': it belongs to uid 65534, as what envbox wrote"
	assert_has 'hint: give it back its own IDs once'
	# It is envbox's affair only.
	run in_cgroup "$BERTH" unshare -- unshare -m sh inside "$BERTH" run --rm --progress none --net none \
		--image "oci:$PWD/layout:os" -v "$PWD/filled:/mnt" -- true
	assert_status 0
}

@test "called as envbox, flags above variables; what has no effect is said" {
	ln -s "$BERTH" envbox
	export CODER_INNER_IMAGE=debian:12 CODER_INNER_USERNAME=coder CODER_DISABLE_IDMAPPED_MOUNT=true
	run --separate-stderr ./envbox docker --username "it's me" --print
	assert_status 0
	assert_output "berth 'entrypoint' '--image' 'debian:12' '--user' 'it'\\''s me'"
	# shellcheck disable=SC2154 # run sets it
	[[ $stderr == *"CODER_DISABLE_IDMAPPED_MOUNT: no effect"* ]]
}

@test "what is wrong is told by the variable's name, without the secret" {
	run "${pod[@]}" CODER_INNER_IMAGE= "$BERTH" envbox docker
	assert_status 125
	assert_has 'no CODER_INNER_IMAGE'
	run "${pod[@]}" CODER_IMAGE_PULL_SECRET=hunter2 "$BERTH" envbox
	assert_status 125
	assert_has 'CODER_IMAGE_PULL_SECRET is no JSON object'
	[[ $output != *hunter2* ]]
	run "${pod[@]}" CODER_EXTRA_CERTS_PATH=/no/such "$BERTH" envbox
	assert_has "CODER_EXTRA_CERTS_PATH '/no/such': No such file or directory"
	run "${pod[@]}" CODER_ADD_GPU=true CODER_USR_LIB_DIR=/no/such "$BERTH" envbox
	assert_has "CODER_USR_LIB_DIR '/no/such': Not a directory"
	mkdir -p work/gl
	run "${pod[@]}" CODER_ADD_GPU=true CODER_USR_LIB_DIR="$PWD/work/gl" CODER_MOUNTS="$PWD/work:/work" "$BERTH" envbox
	assert_has "--gpus '$PWD/work/gl': it is in '$PWD/work', which the workspace can write to"
	run "${pod[@]}" CODER_MOUNTS=/a "$BERTH" envbox
	assert_has "-v '/a' is not SRC:DST"
	run find "$XDG_RUNTIME_DIR" -maxdepth 1 -name 'berth-envbox-*' -newer layout
	assert_output ''
}

@test "a registry with a login: the pull secret is used, and stays outside" {
	probe registry
	export HOME=$BATS_TEST_TMPDIR/home XDG_CONFIG_HOME=$BATS_TEST_TMPDIR/home/.config
	registry_start login
	insecure
	pod+=("HOME=$HOME" "CONTAINERS_REGISTRIES_CONF=$CONTAINERS_REGISTRIES_CONF")
	skopeo copy -q --dest-tls-verify=false --dest-creds dev:s3cr3t oci:layout:os "docker://$registry/os:1"
	envbox CODER_INNER_ENVS='CODER_*' CODER_IMAGE_PULL_SECRET='{"username":"dev","password":"s3cr3t"}' \
		-- --image "$registry/os:1"
	run berth exec "$name" -- sh -c 'tr "\0" "\n" </proc/1/environ; env'
	assert_has CODER_INNER_USERNAME
	[[ $output != *s3cr3t* ]]
}

# comes_up TAG VARIABLE=VALUE...: whether the image is pulled and runs.
comes_up()
{
	local status=0

	skopeo copy -q --dest-tls-verify=false --dest-creds dev:s3cr3t oci:layout:os "docker://$registry/os:$1"
	envbox "CODER_INNER_IMAGE=$registry/os:$1" "${@:2}" || return 1
	berth stop -t 0 "$name"
	wait "$pid" || status=$?
	# By the kill, or before that by the signal that asks.
	[[ $status =~ ^(137|143)$ ]] || return 1
	pid=
}
# login_file LOGIN: a config.json with it.
login_file() { printf '{ "auths": { "%s": { "auth": "%s" } } }\n' "$registry" "$(printf %s "$1" | base64)"; }

# secure_registry: one with TLS and a login, and files that have either.
secure_registry()
{
	registry_start tls login
	mkdir home config certs
	pod+=("HOME=$PWD/home")
	login_file dev:s3cr3t >config/config.json
	login_file dev:wrong >wrong.json
	cp registry/ca.crt certs/ca.pem
	ca=$PWD/registry/ca.crt right=$PWD/config/config.json wrong=$PWD/wrong.json
}

@test "a registry with a login and TLS: files and directories of logins and of certificates" {
	probe registry
	secure_registry
	comes_up 1 CODER_DOCKER_CONFIG="$right" CODER_EXTRA_CERTS_PATH="$ca"
	comes_up 2 CODER_DOCKER_CONFIG="$PWD/config" CODER_EXTRA_CERTS_PATH="$PWD/certs"
	# Without one or the other it does not.
	run comes_up 3 CODER_DOCKER_CONFIG="$right"
	assert_status 1
	assert_has x509
	run comes_up 4 CODER_EXTRA_CERTS_PATH="$ca"
	assert_status 1
	assert_has 'log in'
}

@test "a pull secret as kubectl makes it, and a file of logins, which counts before it where it is there" {
	probe registry
	secure_registry
	pod+=("CODER_EXTRA_CERTS_PATH=$ca")
	comes_up 1 CODER_IMAGE_PULL_SECRET="$(cat "$right")" CODER_DOCKER_CONFIG=/no/such
	grep -F "CODER_DOCKER_CONFIG '/no/such': No such file or directory, going on without it" log
	comes_up 2 CODER_IMAGE_PULL_SECRET="$(cat "$wrong")" CODER_DOCKER_CONFIG="$right"
	run comes_up 3 CODER_IMAGE_PULL_SECRET="$(cat "$right")" CODER_DOCKER_CONFIG="$wrong"
	assert_status 1
	assert_has 'log in'
}
