#!/usr/bin/env bats
# The templates that are for Docker, with the dockerd of a workspace of an ordinary user: the base image
# is built, the dev container comes up.
# bats file_tags=debian

load ../lib/common
load ../lib/image

export BATS_TEST_TIMEOUT=1500

top=${BATS_TEST_DIRNAME%/tests/*}

# What was built belongs to subordinate IDs: bats itself cannot remove it.
teardown()
{
	[ ! -e "$BATS_TEST_TMPDIR/built" ] || "$BERTH" unshare -- rm -rf "$BATS_TEST_TMPDIR/built"
	common_teardown
}

in_it() { berth exec "$ws" -- "$@"; }

# Where packages come from, seen from in there.
probe_mirror()
{
	# shellcheck disable=SC2154
	timeout 60 "$BERTH" exec "$ws" -- apt-get -o Acquire::Retries=0 update -qq --error-on=any ||
		fail "Debian's mirror is not reached from a workspace"
}

# What the images debian:bookworm and debian:trixie are: Debian's minbase.
probe_bases()
{
	[ -r "${BERTH_TEST_BASES:-/nonexistent}/trixie.tar" ] || fail "BERTH_TEST_BASES is not set"
}

probe_source() { [ -r "${BERTH_TEST_SOURCE:-/nonexistent}" ] || fail "BERTH_TEST_SOURCE is not set"; }

# workspace SUITE [OPTION...]: one with systemd, which has Debian's image without its registry.
workspace()
{
	ws=$(new_name)
	berth run -d --name "$ws" --rootfs "$BERTH_TEST_ROOTFS:O" --state "$BATS_TEST_TMPDIR/state" "${@:2}"
	berth wait --ready --timeout 90 "$ws"
	berth exec -i "$ws" -- docker import - "debian:$1" <"$BERTH_TEST_BASES/$1.tar"
}

# The CLI of the specification's makers is one package of npm's registry.
probe_devcontainers()
{
	command -v node npm >/dev/null || fail "node and npm are not installed"
	# node has certificates of its own; those of the machine count, too.
	NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt HOME=$BATS_TEST_TMPDIR \
		timeout 60 npm install --fetch-retries 0 --no-audit --no-fund --prefix "$BATS_TEST_TMPDIR" \
		@devcontainers/cli@0 >&2 || fail "npm's registry is not reached"
}

# image TARGET SUITE [USER]: builds it, and looks what it is started with.
image()
{
	run in_it env DOCKER_BUILDKIT=1 docker build --progress=plain --build-arg "DEBIAN=$2" \
		--target "$1" -t "$1" -f /src/templates/docker/Dockerfile /src
	[ "$status" -eq 0 ] || fail "$(tail -n 40 <<<"$output")"
	run in_it docker image inspect -f '{{json .Config.Entrypoint}}' "$1"
	assert_output '["berth","entrypoint"]'
	# shellcheck disable=SC2016 # the container's shell
	run in_it docker run --rm --entrypoint /bin/sh "$1" -c 'berth version >/dev/null && readlink -f "$(command -v bash)"
		ldd /usr/libexec/berth/berth-metrics | grep "not found"; echo $BERTH_USER'
	assert_output "/usr/bin/berth${3:+$'\n'$3}"
}

# boots SUITE ROOTFS: what was built, unpacked, is a developer's machine.
boots()
{
	ws=$(new_name)
	berth run -d --name "$ws" --rootfs "$2" --user dev
	berth wait --ready --timeout 90 "$ws"
	run in_it systemctl is-system-running
	assert_output running
	run in_it sh -c '. /etc/os-release; echo "$VERSION_CODENAME"; id -nG; git --version; cd; pwd; sudo id -un
		docker compose version --short || docker-compose version --short'
	assert_status 0
	assert_has "$1"$'\ndev sudo docker\ngit version'
	assert_has $'\n/home/dev\nroot\n'
	berth exec -i "$ws" -- docker import - small <"$BERTH_TEST_SMALL_TAR"
	run in_it docker run --rm small /bin/busybox echo from the image
	assert_output "from the image"
	berth rm -f "$ws"
}

# launcher SUITE: the image pulls, unpacks and starts another one, and is envbox's by that name.
launcher()
{
	image launcher "$1"
	make_image layout small
	tar -c layout | berth exec -i "$ws" -- tar --no-same-owner -C /srv -x
	run in_it docker run --rm --privileged -v /srv/layout:/layout:ro -v store:/var/lib/berth \
		-e BERTH_IMAGE=oci:/layout:small launcher -- /bin/busybox echo from the image
	assert_status 0
	assert_has '"step":"done"'
	assert_has $'\nfrom the image'
	# The login of templates/kubernetes/launcher may be missing.
	run in_it docker run --rm -e REGISTRY_AUTH_FILE=/etc/pull/.dockerconfigjson --entrypoint skopeo launcher \
		inspect --tls-verify=false docker://127.0.0.1:1/os
	assert_has "connection refused"
	run in_it docker run --rm -e CODER_INNER_IMAGE=debian:13 -e CODER_INNER_USERNAME=dev --entrypoint envbox \
		launcher docker --print
	assert_output "berth 'entrypoint' '--image' 'debian:13' '--user' 'dev'"
}

# dockerfile SUITE [COMMAND]: its images, of one that has nothing of what they need; both workspaces boot.
dockerfile()
{
	probe debian subids cgroup bases source
	workspace "$1"
	probe mirror
	# What was made of it elsewhere is not taken for its own.
	berth exec -i "$ws" -- sh -c 'mkdir /src && cd /src && tar --no-same-owner -x && mkdir -p runtime/.deps &&
		touch runtime/.dirstamp runtime/.deps/.dirstamp && echo foreign >runtime/berth-main.o' <"$BERTH_TEST_SOURCE"
	image directory "$1" dev
	run in_it docker run --rm --entrypoint /bin/sh directory -c 'ls /srv/workspace/usr/sbin/dockerd
		test -e /usr/bin/git || echo none beside it'
	assert_output $'/srv/workspace/usr/sbin/dockerd\nnone beside it'
	image workspace "$1" dev
	[ $# -eq 1 ] || "$2" "$1"

	built=$BATS_TEST_TMPDIR/built
	mkdir -p "$built"/{directory,workspace}
	in_it sh -c 'docker export "$(docker create directory)"' |
		"$BERTH" unshare -- tar -C "$built/directory" -x --exclude=dev/* srv/workspace
	in_it sh -c 'docker export "$(docker create workspace)"' |
		"$BERTH" unshare -- tar -C "$built/workspace" -x --exclude=dev/*
	berth rm -f "$ws"
	boots "$1" "$built/directory/srv/workspace:O"
	boots "$1" "$built/workspace"
}

@test "docker: the images of the Dockerfile for Debian 12 are built in a workspace, and boot" { dockerfile bookworm; }

@test "docker: the images of the Dockerfile for Debian 13 are built in a workspace, and boot" {
	dockerfile trixie launcher
}

@test "devcontainer: up, exec and a second up find the inner Docker" {
	probe debian subids cgroup bases devcontainers
	project=$BATS_TEST_TMPDIR/project
	mkdir -p "$project/.devcontainer"
	cp "$top/templates/devcontainer/devcontainer.json" "$project/.devcontainer"
	workspace bookworm -v "$project:$project"
	# The CLI is outside, as an IDE's; Docker, and what it mounts, is inside.
	printf '#!/bin/sh\nexec %q exec -i %q -- docker "$@"\n' "$BERTH" "$ws" >docker
	chmod 755 docker
	devcontainer()
	{
		HOME=$BATS_TEST_TMPDIR timeout 100 node "$BATS_TEST_TMPDIR/node_modules/.bin/devcontainer" "$1" \
			--workspace-folder "$project" --docker-path "$PWD/docker" "${@:2}" </dev/null 3>&-
	}
	run devcontainer up
	assert_status 0
	assert_has '"outcome":"success"'
	run in_it docker ps --format '{{.Image}}'
	assert_output debian:bookworm
	# shellcheck disable=SC2016 # the container's shell
	run devcontainer exec sh -c 'cat /var/cache/devcontainer/created; pwd; echo made >made'
	assert_has $'created\n/workspaces/project'
	assert_equal "$(cat "$project/made")" made
	run devcontainer up
	assert_has '"outcome":"success"'
	run in_it docker ps -q
	assert_equal "${#lines[@]}" 1
}

# step JOB NAME: what a runner of GitHub's hands to bash -e for it.
step()
{
	python3 -c 'import sys, yaml
for step in yaml.safe_load(open(sys.argv[1]))["jobs"][sys.argv[2]]["steps"]:
    if step.get("name") == sys.argv[3]: print(step["run"])' "$top/templates/github/workflow.yaml" "$@"
}

@test "github: the hosted job's tests run in a sandbox, and their failure is the step's" {
	mkdir bin project
	ln -s "$BERTH" bin/berth
	cd project
	printf 'check:\n\tid -u >who\n' >Makefile
	step hosted "What this machine permits" >permits
	grep -q 'berth check' permits
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run bash -e permits
	assert_status 0
	step hosted "Tests, in a sandbox" >tests
	grep -q 'berth run' tests
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run bash -e tests
	assert_status 0
	assert_equal "$(cat who)" 0
	printf 'check:\n\tfalse\n' >Makefile
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run bash -e tests
	assert_status 2
}
