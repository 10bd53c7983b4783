#!/usr/bin/env bats
#
# docs/storage.md: owners of volumes, locks of directories, what they lie on.

load ../lib/common

setup()
{
	common_setup
	probe small subids tool:jq
	ws=$(new_name)
	other=$(new_name)
	mkdir vol
}

# What is on volumes belongs to IDs of workspaces.
teardown()
{
	[ -z "${holder:-}" ] || kill "$holder"
	common_teardown
	berth unshare -- rm -rf "$PWD/vol" "$PWD/below" "$PWD/docker" "$PWD/second"
}

small() { berth run --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --net none "$@"; }
lives() { berth run -d --name "$1" --rootfs "$BERTH_TEST_SMALL:O" --net none "${@:2}" -- sleep 1000; }

@test "a Docker directory has one workspace: the message names it, and its end sets it free" {
	mkdir vol/docker
	lives "$other" -v "$PWD/vol:/var/lib/docker"
	for target in /var/lib/docker /var/lib/containerd/x /var/lib; do
		run small --rm -v "$PWD/vol:$target" -- true
		assert_status 125
		assert_has "'$PWD/vol', Docker's directory, is in use by the workspace '$other'"
		assert_has "stop the other one, or give each a directory of its own"
	done
	# To read it is no use of it, and neither is another place.
	run small --rm -v "$PWD/vol:/var/lib/docker:ro" -v "$PWD/vol:/data" -- true
	assert_status 0
	# Killed, not stopped: nobody is left to unlock.
	kill -KILL "$(berth inspect "$other" | jq '.[0].pids.supervisor')"
	wait_until 10 is_free
}
is_free() { small --rm -v "$PWD/vol:/var/lib/docker" -v "$PWD/vol:/var/lib/containers" -- true; }

@test "somebody else who has it is told by his number" {
	flock --no-fork vol sleep 1000 3>&- &
	holder=$!
	wait_until 5 is_locked
	run small --rm -v "$PWD/vol:/var/lib/docker" -- true
	assert_status 125
	[[ $output =~ "'$PWD/vol', Docker's directory, is in use by process "[0-9]+ ]] || fail "$output"
}
is_locked() { ! flock -n vol true; }

@test "upper layers of --state have one workspace, of two that know nothing of one another too" {
	mkdir run
	lives "$ws" --state "$PWD/state"
	run env XDG_RUNTIME_DIR="$PWD/run" "$BERTH" run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		--state "$PWD/state" -- true
	assert_status 125
	[[ $output =~ "/state/$ws', the upper layers, is in use by process "[0-9]+ ]] || fail "$output"
}

@test "the owner is shown, and :U gives the volume to the workspace's user, once" {
	mkdir vol/dir
	touch vol/dir/file
	ln -s /etc/passwd vol/link
	ln vol/dir/file vol/hard
	run berth plan --rootfs "$BERTH_TEST_SMALL" -v "$PWD/vol:/data" -v /etc:/pod-etc:ro -- true
	assert_has "$PWD/vol on /data (nosuid,nodev; of 0:0)"
	assert_has "/etc on /pod-etc (ro,nosuid,nodev; of nobody:nobody)"

	# Nothing without it.
	run small --rm -v "$PWD/vol:/data" -u 1000:1000 -- sh -c 'stat -c %u:%g /data /data/dir; touch /data/new'
	assert_status 1
	assert_has $'0:0\n0:0'

	run small --rm -v "$PWD/vol:/data:U" -u 1000:1001 -- \
		sh -c 'stat -c "%u:%g %n" /data /data/dir /data/dir/file /data/link /etc/passwd; touch /data/dir/new'
	assert_output $'1000:1001 /data\n1000:1001 /data/dir\n1000:1001 /data/dir/file\n1000:1001 /data/link\n0:0 /etc/passwd'
	assert_status 0
	[ "$(stat -c %u vol)" != "$(id -u)" ]

	# Once: what root put there later stays root's.
	run small --rm -v "$PWD/vol:/data" -- touch /data/of-root
	assert_status 0
	run small --rm -v "$PWD/vol:/data:U" -u 1000:1001 -- stat -c %u:%g /data/of-root
	assert_output 0:0
	# To another user, and back to root: he owns what is in his map.
	run small --rm -v "$PWD/vol:/data:U" -- stat -c %u:%g /data/dir/new
	assert_output 0:0
	[ "$(stat -c %u vol/dir/new)" = "$(id -u)" ]
	# What is mounted below is another's affair.
	mkdir below
	run small --rm -v "$PWD/vol:/data:rw,U" -v "$PWD/below:/data/dir" -u 1000 -- stat -c %u /data/dir /data
	assert_output $'0\n1000'
}

@test ":own gives the directory alone, to the workspace's user or another one, each time" {
	mkdir vol/dir
	run small --rm -v "$PWD/vol:/data:own" -u 1000:1001 -- sh -c 'stat -c %u:%g /data /data/dir; mkdir /data/mine'
	assert_output $'1000:1001\n0:0'
	assert_status 0
	run small --rm -v "$PWD/vol:/data:rw,own=1002" -u 1000 -- stat -c %u /data /data/dir /data/mine
	assert_output $'1002\n0\n1000'
	run small --rm -v "$PWD/vol:/data:own=dev" -- stat -c %u /data
	assert_output 1000
	run small --rm -v "$PWD/vol:/data" -- stat -c %u /data
	assert_output 1000
	run small --rm -v "$PWD/vol:/data:own=nosuchuser" -- true
	assert_status 125
	assert_has nosuchuser
	run small --rm -v /usr/share:/data:own -- true
	assert_status 125
	assert_has "give the volume '/data' to '0'"
	run berth plan --rootfs "$BERTH_TEST_SMALL" -v "$PWD/vol:/data:own" -u dev -- true
	assert_has '/data to user dev, without what is in it'
	for options in ro,own U,own own= seed,own=3; do
		run small --rm -v "$PWD/vol:/data:$options" -- true
		assert_status 125
		assert_has "-v '$PWD/vol:/data:$options': "
	done
	lives "$ws" -v "$PWD/vol:/data:own=dev" -v "$PWD/vol:/again:own"
	run berth inspect "$ws"
	assert_has "$PWD/vol:/data:own=dev"
	assert_has "$PWD/vol:/again:own\""
}

@test "with one ID: :U to root is right, to anybody else refused, and nothing is given away" {
	mkdir vol/dir
	touch vol/dir/file
	one=(--uidmap "0:$(id -u):1" --gidmap "0:$(id -g):1")
	run small --rm "${one[@]}" -v "$PWD/vol:/data:U" -- sh -c 'wc -l </proc/self/uid_map; stat -c %u:%g /data /data/dir/file'
	assert_output $'1\n0:0\n0:0'
	for options in "U -u 1000" "U -u 1000:1000" "own=7" "own -u 1000"; do
		# shellcheck disable=SC2086 # words
		run small --rm "${one[@]}" -v "$PWD/vol:/data:"$options -- echo launched
		assert_status 125
		assert_has "berth: own: give the volume '/data' to '"
		assert_has "Invalid argument"
		assert_has "hint: the workspace has no such ID"
		[[ $output != *launched* ]]
	done
	assert_equal "$(find vol -printf '%U:%G\n' | sort -u)" "$(id -u):$(id -g)"
	# What another one of the user's workspaces, which had all IDs, made there is not its.
	berth unshare -- chown 5:5 vol
	run small --rm "${one[@]}" -v "$PWD/vol:/data:U" -- echo launched
	assert_status 125
	assert_has "Operation not permitted"
	assert_has "hint: what is there belongs to a user whom this one was not lent"
	# By a map of one ID that nobody asked for: who has no ranges. As in a pod of tier C.
	cat >inside <<-'EOF'
		set -e
		mkdir one
		"$BERTH" run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/one:/data:U" -- stat -c %u /data
		"$BERTH" run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/one:/data:U" -u 1000 -- true || echo "status $?"
	EOF
	run in_cgroup unshare --user --map-root-user bash inside
	assert_has $'0\n'
	assert_has "hint: the workspace has no such ID"
	assert_has "status 125"
}

@test ":U of what is not the workspace's is refused, and start remembers it" {
	run small --rm -v /usr/share:/data:U -- true
	assert_status 125
	assert_has "give the volume '/data' to '0'"
	run small --rm -v "$PWD/vol:/data:ro,U" -- true
	assert_status 125
	assert_has "ro and U"
	run small --rm -v "$PWD/vol:/data:Z" -- true
	assert_status 125
	assert_has "'Z' is not ro, rw, U, own or seed"
	lives "$ws" -v "$PWD/vol:/data:U" -u 1000
	berth stop -t 0 "$ws"
	run berth inspect "$ws"
	assert_has "$PWD/vol:/data:U"
}

@test "what a volume lies on: warnings, and no Docker directory where no layers can lie" {
	# In a mount namespace of our own, as root there.
	cat >inside <<-'EOF'
		set -e
		mkdir fixed noexec full lower upper work merged
		mount -t tmpfs -o ro none fixed
		mount -t tmpfs -o noexec none noexec
		mount -t tmpfs -o size=1m,nr_inodes=50 none full
		mount -t tmpfs none upper
		mkdir upper/u upper/w
		mount -t overlay -o lowerdir=lower,upperdir=upper/u,workdir=upper/w,userxattr none merged
		berth() { "$BERTH" "$@" --rootfs "$BERTH_TEST_SMALL:O" --net none "${more[@]}" -- true || echo "status $?"; }
		more=(-v "$PWD/fixed:/a" -v "$PWD/noexec:/b" -v "$PWD/full:/c")
		berth run --rm
		more=(-v "$PWD/merged:/var/lib/docker")
		berth run --rm
		more=(-v "$PWD/merged:/var/lib/docker" --best-effort storage)
		berth run --rm
		more=(-v "$PWD/fixed:/var/lib/docker")
		berth run --rm
		more=(--rootfs "$BERTH_TEST_SMALL:O" --state "$PWD/merged/none/yet")
		berth plan
	EOF
	run unshare --user --map-root-user --map-auto --mount bash inside
	assert_has "-v '$PWD/fixed': it is mounted read-only here"
	assert_has "-v '$PWD/noexec': it is mounted noexec here"
	assert_has "-v '$PWD/full': 1 MiB are free"
	assert_has "-v '$PWD/full': 49 inodes are free"
	assert_has "-v '$PWD/merged' on '/var/lib/docker': overlay cannot carry the layers of overlay"
	assert_has "overlay cannot carry the layers of overlay: Docker may do with another storage driver"
	assert_has "-v '$PWD/fixed' on '/var/lib/docker': it is mounted read-only"
	assert_has "--state '$PWD/merged/none/yet': overlay cannot carry the layers of overlay"
	assert_equal "$(grep -c "status 125" <<<"$output")" 3
}

@test "a Docker directory with little room, in bytes or inodes, is a warning; with enough it is none" {
	cat >inside <<-'EOF'
		set -e
		mkdir bytes inodes enough
		mount -t tmpfs -o size=1023m,nr_inodes=20k none bytes
		mount -t tmpfs -o size=1100m,nr_inodes=9k none inodes
		mount -t tmpfs -o size=1100m,nr_inodes=20k none enough
		for of in bytes inodes enough; do
			echo "$of:"
			"$BERTH" run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/$of:/var/lib/docker" -- true
			"$BERTH" check --state "$PWD/$of" --format json |
				jq -r '.checks[] | select(.name == "state-room") | "\(.result): \(.detail)"'
		done
		echo other:
		"$BERTH" run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/bytes:/a" -v "$PWD/inodes:/b" -- true
	EOF
	run unshare --user --map-root-user --map-auto --mount bash inside
	assert_status 0
	assert_has "-v '$PWD/bytes'"
	assert_has "1023 MiB are free"
	[[ $output =~ "-v '$PWD/inodes'"[^$'\n']*\ (9[0-9]{3})\ inodes\ are\ free ]] || fail "$output"
	# The same by check, before there is a workspace.
	assert_has "no: 1023 MiB are free, "
	assert_has "no: 1100 MiB are free, "
	enough=$(sed '1,/^enough:/d; /^other:/,$d' <<<"$output")
	[[ $enough =~ ^"yes: 1100 MiB are free, "[0-9]+" inodes"$ ]] || fail "$output"
	# What is no Docker directory has enough of both.
	assert_equal "$(sed '1,/^other:/d' <<<"$output")" ""
}

@test "what lies on NFS, SMB or 9p carries no layers: refused, told before by check, else only a volume" {
	probe without
	mkdir vol/docker
	cat >inside <<-'EOF'
		for kind in nfs smb cifs 9p; do
			on() { "$BERTH_TEST_WITHOUT" "statfs:$PWD/vol=$kind" -- "$BERTH" "$@" || echo "status $?"; }
			on run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/vol/docker:/var/lib/docker" -- echo launched
		done
		on run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none --state "$PWD/vol/none/yet" -- echo launched
		kind=nfs
		on run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none --state "$PWD/vol/none/yet" -- echo launched
		on run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/vol/docker:/var/lib/docker" \
			--best-effort storage -- echo goes on
		on run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/vol:/home" -- echo as a home
		on check --state "$PWD/vol" --format json | jq -r '.checks[] | select(.name == "state-layers") | "\(.result): \(.detail)"'
	EOF
	run in_cgroup unshare --user --map-root-user --map-auto --mount bash inside
	for kind in nfs smb cifs 9p; do
		assert_has "-v '$PWD/vol/docker' on '/var/lib/docker': $kind cannot carry the layers of overlay"
	done
	assert_has "--state '$PWD/vol/none/yet': 9p cannot carry the layers of overlay"
	assert_has "--state '$PWD/vol/none/yet': nfs cannot carry the layers of overlay"
	[[ $output != *launched* ]] || fail "$output"
	assert_equal "$(grep -c "status 125" <<<"$output")" 6
	assert_has "nfs cannot carry the layers of overlay: Docker may do with another storage driver"
	assert_equal "$(grep -c "Docker may do with another storage driver; it is locked on this machine only" <<<"$output")" 1
	assert_has $'\ngoes on\nas a home\n'
	assert_has "no: '$PWD/vol' lies on nfs"
	[ ! -e vol/none ]
}

@test "a directory that is somebody else's is a warning where it may be written" {
	run small --rm -v /usr/share:/data -- true
	assert_status 0
	assert_has "-v '/usr/share': it belongs to uid 0, whom the workspace does not have"
	assert_has "give it to uid $(id -u) outside"
	run small --rm -v /usr/share:/data:ro -- true
	assert_output ""
}

# A seed as dockerd leaves it, of two layers, the second one over the first; both are one file.
# The second one's ID is as BuildKit makes them.
layer_id()
{
	case $1${2:-} in
	2) printf 'b%024d' 2 ;;
	*) printf "%064d" "$1" | tr 0123456789 "${2:-a}bcdef01234" ;;
	esac
}
make_seed()
{
	local n layer chain

	mkdir -p vol/image/overlay2/imagedb/content/sha256 vol/image/overlay2/layerdb/mounts/c vol/overlay2/l vol/volumes
	echo '{"Repositories":{}}' >vol/image/overlay2/repositories.json
	echo '{}' >"vol/image/overlay2/imagedb/content/sha256/$(layer_id 9)"
	for n in 1 2; do
		layer=vol/overlay2/$(layer_id "$n") chain=vol/image/overlay2/layerdb/sha256/$(layer_id "$n" f)
		mkdir -p "$layer/diff" "$chain"
		echo "layer $n" >"$layer/diff/file"
		printf "%026d" "$n" >"$layer/link"
		printf %s "$(layer_id "$n")" >"$chain/cache-id"
		echo 7 >"$chain/size"
	done
	printf "l/%026d" 1 >"vol/overlay2/$(layer_id 2)/lower"
	mkdir -p "vol/overlay2/$(layer_id 3)/diff" vol/image/overlay2/layerdb/sha256/x-removing
}
seeded() { small --rm -v "$PWD/vol:/seed:seed" -v "$PWD/docker:/var/lib/docker" "$@"; }

@test ":seed: Docker's names are copied, its layers are links, and what is there stays" {
	make_seed
	mkdir docker
	run seeded -- sh -c 'exec 2>&1; cd /var/lib/docker # two streams have no order
		find . ! -type l | sort; for i in $(find . -type l | sort); do echo "$i -> $(readlink $i)"; done
		cat overlay2/*/diff/file overlay2/l/*/file; touch /seed/x'
	assert_status 1
	assert_output "$(cat <<-END
		.
		./image
		./image/overlay2
		./image/overlay2/imagedb
		./image/overlay2/imagedb/content
		./image/overlay2/imagedb/content/sha256
		./image/overlay2/imagedb/content/sha256/$(layer_id 9)
		./image/overlay2/layerdb
		./image/overlay2/layerdb/sha256
		$(for n in 1 2; do
			printf './image/overlay2/layerdb/sha256/%s\n' "$(layer_id $n f)" "$(layer_id $n f)/cache-id" "$(layer_id $n f)/size"
		done | sort)
		./image/overlay2/repositories.json
		./overlay2
		./overlay2/$(layer_id 1)
		./overlay2/$(layer_id 1)/committed
		./overlay2/$(layer_id 1)/link
		./overlay2/$(layer_id 1)/work
		./overlay2/$(layer_id 2)
		./overlay2/$(layer_id 2)/committed
		./overlay2/$(layer_id 2)/link
		./overlay2/$(layer_id 2)/lower
		./overlay2/$(layer_id 2)/work
		./overlay2/l
		./overlay2/$(layer_id 1)/diff -> /seed/overlay2/$(layer_id 1)/diff
		./overlay2/$(layer_id 2)/diff -> /seed/overlay2/$(layer_id 2)/diff
		./overlay2/l/$(printf %026d 1) -> ../$(layer_id 1)/diff
		./overlay2/l/$(printf %026d 2) -> ../$(layer_id 2)/diff
		layer 1
		layer 2
		layer 1
		layer 2
		touch: /seed/x: Read-only file system
	END
	)"
	# Once: a seed that has grown is not looked at again, and what Docker has done since stays.
	echo '{"mine":1}' >docker/image/overlay2/repositories.json
	run seeded -- cat /var/lib/docker/image/overlay2/repositories.json
	assert_output '{"mine":1}'
}

@test ":seed: who was killed before it was done begins again" {
	make_seed
	mkdir -p docker/image.berth/overlay2/layerdb/sha256/old "docker/overlay2/$(layer_id 1)/work" docker/overlay2/l
	ln -s /nowhere "docker/overlay2/$(layer_id 1)/diff"
	echo x >"docker/overlay2/$(layer_id 1)/link"
	run seeded -- sh -c 'cd /var/lib/docker; ls image/overlay2/layerdb/sha256 | wc -l; cat overlay2/*/diff/file; ls'
	assert_output $'2\nlayer 1\nlayer 2\nimage\noverlay2'
}

@test ":seed: layers that are gone stop the launch, unless they may be missing" {
	make_seed
	mkdir docker
	seeded -- true
	rm -r "vol/overlay2/$(layer_id 2)"
	run seeded -- true
	assert_status 125
	assert_has "berth: seed: find 1 layers of images in '/var/lib/docker' in the seed '/seed'"
	assert_has "hint: a seed may grow, but not lose layers"
	run seeded --best-effort seed -- echo goes on
	assert_status 0
	assert_has "going on without it"
	assert_has "goes on"
}

@test ":seed: what is none, two of them, and one in Docker's own place" {
	mkdir docker
	run seeded -- true
	assert_status 125
	assert_has "berth: seed: the seed '/seed': open 'overlay2': No such file or directory"
	assert_has "hint: a seed is what dockerd, with overlay2, left"
	make_seed
	for target in /var/lib/docker /var/lib/docker/x /var/lib; do
		run small --rm -v "$PWD/vol:$target:seed" -- true
		assert_status 125
		assert_has "the seed '$PWD/vol' on '$target'"
	done
	run seeded -v "$PWD/docker:/other:seed" -- true
	assert_status 125
	assert_has "two seeds"
	# Of a Docker directory that was itself begun with a seed only the first seed has the layers.
	seeded -- true
	mkdir second
	run small --rm -v "$PWD/docker:/seed:seed" -v "$PWD/second:/var/lib/docker" -- true
	assert_status 125
	assert_has "these images came from a seed themselves"
	run berth plan --rootfs "$BERTH_TEST_SMALL:O" -v /usr:/seed:seed -- true
	assert_has "-v '/usr': the seed belongs to uid 0, whom the workspace does not have"
}

@test ":seed: many may have it, but not while a Docker of its own works on it, nor the other way round" {
	make_seed
	lives "$other" -v "$PWD/vol:/seed:seed"
	run small --rm -v "$PWD/vol:/elsewhere:seed" -- true
	assert_status 0
	run small --rm -v "$PWD/vol:/var/lib/docker" -- true
	assert_status 125
	assert_has "'$PWD/vol', Docker's directory, is in use by the workspace '$other'"
	berth rm -f "$other"
	lives "$other" -v "$PWD/vol:/var/lib/docker"
	run small --rm -v "$PWD/vol:/seed:seed" -- true
	assert_status 125
	assert_has "'$PWD/vol', Docker's directory, is in use by the workspace '$other'"
	# Both at once lock it as Docker's, in whatever order they come.
	berth rm -f "$other"
	lives "$other" -v "$PWD/vol:/seed:seed" -v "$PWD/vol:/var/lib/docker"
	run small --rm -v "$PWD/vol:/seed:seed" -- true
	assert_status 125
}
