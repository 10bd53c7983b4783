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
	wait_until 30 berth health --ready "$name" 2>/dev/null || { cat log; return 1; }
}

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

@test "the user is the script's and exec's" {
	envbox CODER_INNER_USERNAME=dev CODER_BOOTSTRAP_SCRIPT='id -u; pwd; exec sleep 1000' CODER_INNER_WORK_DIR=/tmp
	wait_until 20 sh -c "'$BERTH' logs --bootstrap '$name' | grep -q tmp"
	run berth logs --bootstrap "$name"
	assert_output $'1000\n/tmp'
	run berth exec "$name" -- id -u
	assert_output 1000
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
