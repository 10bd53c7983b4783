#!/usr/bin/env bats
# Images from files: what is in them arrives, what they say counts, and the store stays whole.

export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-300} # one makes an image of a whole Debian

load ../lib/common
load ../lib/image

setup()
{
	common_setup
	image_setup
}

teardown()
{
	image_teardown
	common_teardown
}

@test "an image of a layout is pulled once, and a command runs in it" {
	probe small image_tools
	digest=$(make_image layout one)

	run --separate-stderr berth run --rm --image "oci:$PWD/layout:one" -- sh -c 'echo in; id -u; touch /new'
	assert_status 0
	assert_output $'in\n0'
	# One line of JSON a step, since this is no terminal.
	[ "$(jq -r .step <<<"$stderr" | paste -sd ' ')" = "pull blob config manifest unpack done" ]
	[ "$(jq -r 'select(.step == "done").digest' <<<"$stderr")" = "$digest" ]
	jq -e --arg image "oci:$PWD/layout:one" 'select(.image != $image)' <<<"$stderr" && return 1

	run --separate-stderr berth run --rm --image oci:layout:one -- sh -c 'ls /new'
	assert_status 1
	[[ $stderr != *step* ]]
	[ -z "$(ls -A "$images/tmp")" ]
}

@test "what layers hold arrives as it was: owners, modes, links, capabilities, whiteouts" {
	probe small image_tools
	make_image layout odd --odd
	pull -q oci:layout:odd

	run run_image oci:layout:odd -- sh -c 'cd /odd; stat -c "%n %u:%g %a" setuid setgid owned sticky mine linked'
	assert_status 0
	assert_output $'setuid 0:0 4755\nsetgid 0:42 2755\nowned 12345:54321 644\nsticky 0:0 1777\nmine 1000:1000 700\nlinked 0:0 640'

	run run_image oci:layout:odd -- sh -c 'cd /odd; ls; ls opaque replaced; stat -c %h link; cat link; tail -c 3 sparse; stat -c %s sparse'
	assert_status 0
	[[ $output != *gone* ]]
	assert_has $'opaque:\nnew\n\nreplaced:\ninside\n2\none inodeend8388611'
	tree=$(echo "$images"/trees/*/*/rootfs)
	[ "$(stat -c %i "$tree/odd/link")" = "$(stat -c %i "$tree/odd/linked")" ]
	run berth unshare -- getfattr -d -m - --absolute-names "$tree/odd/caps" "$tree/odd/user-xattr"
	assert_has 'security.capability='
	assert_has 'user.origin="image"'
	# Nobody may make a device here: an empty file stands in its place.
	[ -f "$tree/odd/null" ]
	[ -f "$tree/odd/disk" ]
	[ -p "$tree/odd/fifo" ]
}

@test "no link and no path of an image leads out of it" {
	probe small image_tools
	make_image layout odd --odd
	touch before
	pull -q oci:layout:odd
	run find /tmp /var/tmp "$BERTH_STORE/.." -maxdepth 1 -name 'through-*' -newer before
	assert_output ''
	run berth unshare -- find "$images" -name 'through-*' -printf '%P\n'
	[ "$(printf '%s\n' "${lines[@]##*/rootfs/}" | sort | paste -sd ' ')" = "tmp/through-absolute tmp/through-dots tmp/through-link" ]
}

# sparse SIZE FORMAT: sparse.tar, with a file of SIZE and 3 bytes that has something at both ends only.
sparse()
{
	mkdir -p big
	printf begin >big/sparse
	truncate -s "$1" big/sparse
	printf end >>big/sparse
	tar --sparse "--format=$2" -cf sparse.tar big
	rm -r big
	[ "$(stat -c %s sparse.tar)" -lt 100000 ] # else there are no holes to be had here
}

@test "a sparse file of 2 GiB arrives whole, and so does a path of 3000 bytes" {
	probe small image_tools
	sparse 2G pax
	make_image layout sparse --layer sparse.tar --strange long
	pull -q oci:layout:sparse
	run run_image oci:layout:sparse -- sh -c 'cd /big; stat -c %s sparse; head -c 5 sparse; tail -c 3 sparse; echo
		dd if=sparse bs=1M skip=900 count=200 2>/dev/null | tr -d "\\0" | wc -c; cat /strange/?*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/file
		echo; readlink /strange/link | wc -c'
	assert_status 0
	assert_output $'2147483651\nbeginend\n0\nat its end\n3013'
	# What it takes on the disk is known, and goes with it.
	[ "$(berth image prune --keep-size 1t | sed 's/.*freed, \([0-9]*\) left/\1/')" -gt 2147483648 ]
	run berth image rm oci:layout:sparse
	assert_status 0
	run find "$images/trees" "$images/tmp" -mindepth 2
	assert_output ''
}

@test "a member of 9 GiB that the disk has no room for is told, and the store is as it was" {
	probe small image_tools subids
	sparse 9G pax
	make_image layout one
	make_image layout huge --layer sparse.tar
	cat >script <<-'END'
		set -e
		mkdir disk run
		export XDG_RUNTIME_DIR=$PWD/run
		[ ! -d /var/lib/containers ] || mount -t tmpfs tmpfs /var/lib/containers
		for room in size=64m,mode=755 size=640m,nr_inodes=40,mode=755; do
			mount -t tmpfs -o "$room" tmpfs disk
			"$1" run --name kept --net none --progress none --store disk --image oci:layout:one -- true || echo "first: $?"
			"$1" image pull -q --progress none --store disk oci:layout:huge || echo "second: $?"
			"$1" image ls -q --store disk
			"$1" run --rm --net none --store disk --image oci:layout:one --pull never -- echo stands || true
			find disk/images/tmp disk/images/trees -mindepth 3 -prune -o -mindepth 1 -printf '%f\n' | grep -v '^0-' || true
			"$1" rm kept 2>/dev/null || true
			umount disk
		done
	END
	run in_cgroup "$BERTH" unshare -- unshare -m sh "$PWD/script" "$BERTH"
	assert_status 0
	assert_has $'\nhint: make room: \'berth image prune --all\', or a larger disk for --store\nsecond: 125\noci:'"$PWD"$'/layout:one\nstands\n'
	# Without inodes neither of them has room.
	assert_has $'\nfirst: 125\n'
	assert_equal "$(grep -c "No space left on device" <<<"$output")" 3
}

@test "members that cannot be are refused with what they are, and nothing of the image is kept" {
	probe small image_tools
	while IFS='|' read -r options why hint; do
		case $options in
		sparse) sparse 4M gnu && options='--layer sparse.tar' ;;
		link) echo secret >secret && options="--strange link:$PWD/secret" ;;
		esac
		# shellcheck disable=SC2086 # words
		make_image layout strange $options >/dev/null
		run pull oci:layout:strange
		assert_status 125
		assert_has "berth: image: umoci: "
		assert_has "$why"
		assert_has "$hint"
		[ -z "$(berth image ls -q)" ]
		run find "$images/trees" "$images/tmp" -mindepth 1
		assert_output ''
		# It is not for the digest, or the disk, that the layer is no good.
		[[ $output != *damaged* ]]
	done <<-'END'
		--strange huge|Bad message|hint: a layer is no whole archive
		--strange negative|Bad message|hint: a layer is no whole archive
		--strange name|File name too long|hint: a name in it has more than 255 bytes
		--strange path|File name too long|or a path more than 4095
		sparse|Operation not supported|hint: a sparse file in GNU's old format
		link|no such file or directory|
	END
	# A layer of the same name that is good is taken.
	make_image layout strange --strange long >/dev/null
	run run_image oci:layout:strange -- sh -c 'ls -d /strange'
	assert_status 0
}

@test "the image says how it wants to be run, and options win" {
	probe small image_tools
	make_image layout app --config '{ "Env": ["PATH=/bin", "A=image", "B=image"], "User": "1000:1000",
		"WorkingDir": "/made/here", "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["echo $A $B; id -u; pwd"] }'
	pull -q oci:layout:app

	run run_image oci:layout:app
	assert_output $'image image\n1000\n/made/here'
	run run_image oci:layout:app -e B=mine -u 0 -w / -- 'echo $A $B; id -u; pwd; echo $PATH'
	assert_output $'image mine\n0\n/\n/bin'
	run run_image oci:layout:app --image-entrypoint /bin/echo -- a b
	assert_output 'a b'
	run run_image oci:layout:app --image-entrypoint '' -- /bin/echo c
	assert_output 'c'
	run run_image oci:layout:app --image-entrypoint /bin/pwd
	assert_output '/made/here'
}

@test "exec and start go by what the image says, too" {
	probe small image_tools
	make_image layout app --config '{ "Env": ["A=image"], "User": "1000", "WorkingDir": "/home",
		"Cmd": ["/bin/sh", "-c", "echo $A; sleep 1000"] }'
	name=$(new_name)
	berth run -d --name "$name" --net none --progress none --image oci:layout:app

	run berth exec "$name" -- sh -c 'echo $A; id -u; pwd'
	assert_output $'image\n1000\n/home'
	[ "$(berth inspect "$name" | jq -r '.[0].image')" = "oci:$PWD/layout:app" ]
	berth stop -t 1 "$name"
	# Another image by that name by now: the workspace goes on with its own.
	make_image layout app --config '{ "Env": ["A=other"], "Cmd": ["true"] }'
	pull -q oci:layout:app
	berth start "$name"
	run berth exec "$name" -- sh -c 'echo $A; id -u'
	assert_output $'image\n1000'
	run run_image oci:layout:app -- sh -c 'echo $A'
	assert_output other
}

is_up() { berth logs "$name" | grep -qx up; }

@test "STOPSIGNAL ends the workspace, by stop and by SIGTERM to berth" {
	probe small image_tools
	make_image layout app --config '{ "StopSignal": "SIGUSR1",
		"Cmd": ["/bin/sh", "-c", "trap \"exit 7\" USR1; trap \"exit 8\" TERM; echo up; while :; do sleep 0.1; done"] }'
	pull -q oci:layout:app

	name=$(new_name)
	berth run -d --name "$name" --net none --init none --image oci:layout:app
	wait_until 20 is_up
	berth stop -t 20 "$name"
	[ "$(berth inspect "$name" | jq '.[0].exit_code')" -eq 7 ]

	name=$(new_name)
	berth run --name "$name" --net none --image oci:layout:app >out 3>&- &
	pid=$!
	wait_until 20 grep -q up out
	pkill -TERM -P "$pid" -x berth || kill -TERM "$pid"
	wait "$pid" && code=0 || code=$?
	[ "$code" -eq 7 ]
	name=$(new_name)
	berth run -d --name "$name" --net none --stop-signal TERM --image oci:layout:app
	wait_until 20 is_up
	berth stop -t 20 "$name"
	[ "$(berth inspect "$name" | jq '.[0].exit_code')" -eq 8 ]
}

@test "a VOLUME is no overlay, has what the image has there, and is kept with the upper layer" {
	probe small image_tools
	make_image layout app --odd --config '{ "Volumes": { "/odd/volume": {}, "/fresh/one/": {} } }'
	mkdir state
	name=$(new_name)

	run berth run --name "$name" --net none --progress none --state "$PWD/state" --image oci:layout:app -- sh -c '
		stat -c "%u %a" /odd/volume/seed; cat /odd/volume/seed; echo; grep -c " /odd/volume " /proc/mounts
		grep " / " /proc/mounts | cut -d " " -f 3 | tail -n 1; grep " /fresh/one " /proc/mounts | grep -c overlay
		echo kept >/fresh/one/file; rm /odd/volume/seed'
	assert_output $'1000 600\nfrom the image\n1\noverlay\n0'
	berth rm "$name" 2>/dev/null || true
	mkdir -p state
	name=$(new_name)
	run berth run --name "$name" --rm --net none --state "$PWD/state" --image oci:layout:app -v "$PWD/layout:/fresh/one:ro" -- ls /fresh/one
	assert_has oci-layout
}

@test "an upper layer over another image is set aside, never mounted" {
	probe small image_tools
	make_image layout a
	make_image layout b --config '{ "Env": ["B=b"] }'
	mkdir state
	name=$(new_name)
	in_state() { berth run --name "$name" --net none --progress none --state "$PWD/state" "$@"; }
	forget() { rm -rf "${XDG_RUNTIME_DIR:?}/berth/$name"; } # as a pod that starts anew

	in_state --image oci:layout:a -- sh -c 'echo a >/kept'
	forget
	run in_state --image oci:layout:a -- cat /kept
	assert_output a
	forget
	run in_state --image oci:layout:b -- sh -c 'cat /kept; echo b >/kept'
	assert_has "set aside as '$name~"
	assert_has "can't open '/kept'"
	forget
	aside=$(echo "state/$name~"*)
	run berth unshare -- cat "$aside/upper/kept"
	assert_output a
	# Nor over a directory that is no image.
	run in_state --rootfs "$BERTH_TEST_SMALL:O" -- cat /kept
	assert_has "set aside"
	assert_has "can't open '/kept'"
	[ "$(find state -maxdepth 1 -name "$name~*" | wc -l)" -eq 2 ]
}

@test "plan tells what would be done, pulls nothing, and says what is not there" {
	probe small image_tools
	make_image layout one

	run berth plan --image oci:layout:one
	assert_status 125
	assert_has "the image 'oci:$PWD/layout:one' is not in the store"
	assert_has "'berth image pull oci:$PWD/layout:one'"
	[ ! -e "$BERTH_STORE" ]
	run berth run --pull never --image oci:layout:one -- true
	assert_status 125
	assert_has "not in the store"

	pull -q oci:layout:one
	run berth plan --image oci:layout:one -- true
	assert_status 0
	assert_has "the image's tree is shared and stays as it is"
}

@test "a policy names the image, and an option another one or a directory" {
	probe small image_tools
	make_image layout one --config '{ "Env": ["N=1"] }'
	make_image layout two --config '{ "Env": ["N=2"] }'
	echo "{ \"image\": \"oci:$PWD/layout:one\", \"network\": { \"uplink\": \"none\" } }" >p.json

	run --separate-stderr berth run --rm --policy ./p.json -- sh -c 'echo $N'
	assert_output 1
	run --separate-stderr berth run --rm --policy ./p.json --image oci:layout:two -- sh -c 'echo $N'
	assert_output 2
	run --separate-stderr berth run --rm --policy ./p.json --rootfs "$BERTH_TEST_SMALL:O" -- sh -c 'echo "<$N>"'
	assert_output '<>'
	run berth run --rm --rootfs "$BERTH_TEST_SMALL" --image oci:layout:two -- true
	assert_status 125
	assert_has "a workspace has one root"
}

@test "the store is out of reach for workspaces, also by a volume above it" {
	probe small image_tools
	make_image layout one
	pull -q oci:layout:one

	run run_image oci:layout:one -v "$PWD:/above:ro" -- sh -c 'ls /above/store/images; touch /above/store/images/x; ls -d /above/layout'
	assert_has '/above/layout'
	assert_has 'Read-only file system'
	[[ $output != *trees* ]]
	run run_image oci:layout:one -v "$PWD:/above" -- true
	assert_status 125
	assert_has "holds berth's store of images"
	run run_image oci:layout:one -v "$images:/store:ro" -- true
	assert_status 125
	assert_has "is berth's store of images"
}

@test "archives of docker and OCI" {
	probe small image_tools
	make_image layout one --config '{ "Env": ["N=archive"] }'
	skopeo copy -q oci:layout:one docker-archive:docker.tar:example.org/one:1
	skopeo copy -q oci:layout:one oci-archive:oci.tar:one

	run --separate-stderr run_image docker-archive:docker.tar -- sh -c 'echo $N'
	assert_output archive
	run --separate-stderr run_image oci-archive:oci.tar:one -- sh -c 'echo $N'
	assert_output archive
	# Layers that umoci could not read are packed anew.
	skopeo copy -q --dest-compress-format zstd oci:layout:one oci:zstd:one
	grep -q 'tar+zstd' zstd/blobs/sha256/*
	run --separate-stderr run_image oci:zstd -- sh -c 'echo $N'
	assert_output archive
	run pull docker-archive:nothing.tar
	assert_status 125
	assert_has 'hint: check the path'
}

@test "a local image that has changed is read again" {
	probe small image_tools
	make_image layout one --config '{ "Env": ["N=1"] }'
	run --separate-stderr run_image oci:layout:one -- sh -c 'echo $N'
	assert_output 1
	make_image layout one --config '{ "Env": ["N=2"] }'
	run berth plan --image oci:layout:one -- true
	assert_status 125
	assert_has 'has changed'
	run --separate-stderr run_image oci:layout:one -- sh -c 'echo $N'
	assert_output 2
}

@test "ls, rm and prune: what is used stays" {
	probe small image_tools
	make_image layout a
	make_image layout b --config '{ "Env": ["B=b"] }'
	pull -q oci:layout:a oci:layout:b
	[ "$(berth image ls -q | wc -l)" -eq 2 ]
	name=$(new_name)
	berth run -d --name "$name" --net none --image oci:layout:a -- sleep 1000
	[ "$(berth image ls --format json | jq -r '.[] | select(.in_use) | .ref')" = "oci:$PWD/layout:a" ]

	run berth image rm oci:layout:a
	assert_status 125
	assert_has 'is used by a workspace'
	run berth image prune --all
	assert_status 0
	assert_has "oci:$PWD/layout:b"
	[ "$(berth image ls -q)" = "oci:$PWD/layout:a" ]
	# Kept, it may be started again.
	berth kill "$name"
	wait_until 10 sh -c '! "$0" ps -q | grep -qx "$1"' "$BERTH" "$name"
	run berth image rm oci:layout:a
	assert_status 125
	berth start "$name"
	run berth exec "$name" -- true
	assert_status 0
	berth rm -f "$name"
	digest=$(berth image ls --format json | jq -r '.[0].digest')
	run berth image rm "${digest:0:19}"
	assert_status 0
	[ -z "$(berth image ls -q)" ]
	run find "$images/blobs/sha256" "$images/trees" "$images/tmp" -mindepth 2
	assert_output ''
	run berth image rm oci:layout:a
	assert_status 125
	assert_has "no image 'oci:$PWD/layout:a'"
}

@test "prune --keep-size takes what was not used for longest" {
	probe small image_tools
	for tag in a b c; do
		make_image layout "$tag" --config "{ \"Env\": [\"T=$tag\"] }"
		pull -q "oci:layout:$tag"
	done
	touch -d '3 days ago' "$images"/trees/*/"$(berth image ls --format json | jq -r '.[] | select(.ref | endswith(":b")).digest[7:]')"

	size=$(($(berth image prune --keep-size 1t | sed 's/.*freed, \([0-9]*\) left/\1/')))
	[ "$(berth image ls -q | wc -l)" -eq 3 ]
	run berth image prune --keep-size "$((size - 1))"
	assert_status 0
	assert_has "oci:$PWD/layout:b"
	[ "$(berth image ls -q | wc -l)" -eq 2 ]
}

@test "--store-size: after a pull what nobody uses goes, what was not used for longest first" {
	probe small image_tools
	for tag in a b c d; do make_image layout "$tag" --config "{ \"Env\": [\"T=$tag\"] }"; done
	pull -q oci:layout:a oci:layout:b
	touch -d '3 days ago' "$images"/trees/*/*
	touch -d '2 days ago' "$images"/trees/*/"$(berth image ls --format json | jq -r '.[] | select(.ref | endswith(":b")).digest[7:]')"
	two=$(berth image prune --keep-size 1t | sed 's/.*freed, \([0-9]*\) left/\1/')
	names() { berth image ls -q | sed 's/.*://' | paste -sd ' '; }

	# Room for two, and something.
	run pull -q --store-size "$((two + 200000))" oci:layout:c
	assert_status 0
	assert_has "is removed from the store: nobody uses it"
	assert_equal "$(names)" 'b c'
	name=$(new_name)
	berth run -d --name "$name" --net none --image oci:layout:b -- sleep 1000
	# By a policy. The one in use stays, and the one that was pulled, though both are too much.
	echo "{ \"image\": \"oci:$PWD/layout:d\", \"store_size\": 1000, \"network\": { \"uplink\": \"none\" } }" >p.json
	run --separate-stderr berth run --rm --policy ./p.json -- sh -c 'echo $T'
	assert_output d
	assert_equal "$(names)" 'b d'
	berth rm -f "$name"
}

@test "berth itself needs 8 MiB at most while it pulls, beside skopeo and umoci" {
	probe small image_tools
	[ "$BERTH_TEST_BUILD" != build-asan ] || return 0 # which is another program
	mkdir big
	head -c 100M /dev/zero >big/zeros
	head -c 20M /dev/urandom >big/noise
	tar -cf big.tar big
	make_image layout one --layer big.tar --odd
	run in_cgroup python3 "$BATS_TEST_DIRNAME/../lib/resident.py" "$BERTH" image pull --progress none oci:layout:one
	assert_status 0
	assert_has skopeo
	assert_has umoci
	kib=${output%% *}
	[ "$kib" -gt 500 ] || fail "nothing was measured: $output"
	[ "$kib" -le 8192 ] || fail "$output"
}

@test "two pulls of the same image do the work once" {
	probe small image_tools
	make_image layout one --odd
	berth image pull --progress json oci:layout:one 2>first >/dev/null 3>&- &
	one=$!
	berth image pull --progress json oci:layout:one 2>second >/dev/null 3>&- &
	two=$!
	wait "$one"
	wait "$two"
	[ "$(cat first second | jq -r 'select(.step == "unpack").step' | wc -l)" -eq 1 ]
	run run_image oci:layout:one -- true
	assert_status 0
}

# Of this user, whose tests do not run beside each other.
no_umoci() { ! pgrep -u "$(id -u)" -x umoci >/dev/null; }

# kill_at STEP: a pull that is killed when it says that step.
kill_at()
{
	local pid line

	mkfifo steps
	in_cgroup "$BERTH" image pull --progress json oci:layout:one 2>steps >/dev/null 3>&- &
	pid=$!
	while read -r line; do
		[[ $line != *"\"step\":\"$1\""* ]] || pkill -KILL -P "$pid" -x berth || kill -KILL "$pid"
	done <steps
	wait "$pid" || true
	rm steps
}

@test "killed while it unpacks, nothing of the tree has a name, and the next one sweeps it" {
	probe small image_tools
	# So large that it is not done before the kill.
	mkdir big
	truncate -s 100M big/zeros
	tar -cf big.tar big
	make_image layout one --layer big.tar
	for _ in 1 2 3 4 5; do
		kill_at unpack
		wait_until 5 no_umoci
		[ -z "$(ls -A "$images/tmp")" ] || break
		berth image prune --all # it was faster than we
	done
	[ -n "$(ls -A "$images/tmp")" ] || fail "five pulls were over before they were killed"
	run find "$images/trees" -mindepth 2
	assert_output ''
	[ -z "$(berth image ls -q)" ]

	run run_image oci:layout:one -- stat -c %s /big/zeros
	assert_status 0
	assert_has 104857600
	run find "$images/tmp" -mindepth 1
	assert_output ''
}

@test "killed at any moment, the store is whole, and the next one sweeps the rest" {
	probe small image_tools
	make_image layout one --odd
	for delay in 0.02 0.05 0.1 0.15 0.2 0.3 0.4 0.6; do
		in_cgroup timeout -s KILL "$delay" "$BERTH" image pull --progress none oci:layout:one >/dev/null 2>&1 || true
		wait_until 5 no_umoci
		run berth image ls -q
		assert_status 0
	done
	run run_image oci:layout:one -- sh -c 'cat /odd/link'
	assert_status 0
	assert_has 'one inode'
	run find "$images/tmp" -mindepth 1
	assert_output ''
}

@test "a blob that was damaged is told, thrown away, and fetched again" {
	probe small image_tools
	make_image layout one
	pull -q oci:layout:one
	berth unshare -- rm -rf "$images"/trees
	mkdir "$images/trees"
	layer=$(find "$images/blobs/sha256" -size +100k)
	chmod u+w "$layer"
	printf 'x' | dd of="$layer" bs=1 seek=5000 conv=notrunc status=none
	run pull oci:layout:one
	assert_status 125
	assert_has '1 of its blobs were damaged'
	run pull oci:layout:one
	assert_status 0
	# Cut off, it is no archive either.
	berth unshare -- rm -rf "$images"/trees
	mkdir "$images/trees"
	chmod u+w "$layer"
	truncate -s -2000 "$layer"
	run pull oci:layout:one
	assert_status 125
	assert_has '1 of its blobs were damaged'
	[[ $output != *"no whole archive"* ]]
	run pull oci:layout:one
	assert_status 0
	run run_image oci:layout:one -- true
	assert_status 0
}

@test "a configuration that is hostile is refused before anything runs" {
	probe small image_tools
	make_image layout a --config '{ "WorkingDir": "/../../etc" }'
	run pull oci:layout:a
	assert_status 125
	assert_has "'WorkingDir' is '/../../etc'"
	make_image layout b --config '{ "Env": ["no name"] }'
	run pull oci:layout:b
	assert_status 125
	make_image layout c --config '{ "User": "a\u001b[2Jb" }'
	run pull oci:layout:c
	assert_status 125
	[[ $output != *$'\033'* ]]
	make_image layout d --config '{ "WorkingDir": "/\u009b2J" }'
	run pull oci:layout:d
	assert_status 125
	assert_has "'WorkingDir'"
	[[ $output != *$'\302\233'* ]]
	[ -z "$(berth image ls -q)" ]
	run find "$images/trees" "$images/tmp" -mindepth 1
	assert_output ''
}

@test "a store that was filled before may be read-only" {
	probe small image_tools subids
	make_image layout one
	mkdir state run store
	cat >script <<-'END'
		set -e
		export XDG_RUNTIME_DIR=$PWD/run
		[ ! -d /var/lib/containers ] || mount -t tmpfs tmpfs /var/lib/containers
		"$1" image pull -q --progress none oci:layout:one
		mount --bind "$PWD/store" "$PWD/store"
		mount -o remount,bind,ro "$PWD/store"
		"$1" run --rm --net none --state "$PWD/state" --image oci:layout:one -- echo started
		"$1" image ls -q
		"$1" image pull --progress none oci:layout:one || echo "pull: $?"
	END
	run in_cgroup "$BERTH" unshare -- unshare -m sh "$PWD/script" "$BERTH"
	assert_status 0
	assert_has $'started\n'"oci:$PWD/layout:one"
	assert_has 'Read-only file system'
	assert_has 'pull: 125'
}

# bats test_tags=debian
@test "a Debian with systemd and dockerd is booted from its image" {
	probe debian image_tools cgroup
	berth unshare -- tar -C "$BERTH_TEST_ROOTFS" -c . >debian.tar
	python3 "$BATS_TEST_DIRNAME/../lib/image_layout.py" layout debian --layer debian.tar --config '{ "Cmd": ["bash"], "Env": ["FROM=image"],
		"WorkingDir": "/home/later" }'
	rm debian.tar
	pull -q oci:layout:debian
	rm -rf layout
	name=$(new_name)

	# The system makes the working directory, on a volume that has not got it yet.
	mkdir home
	berth run -d --name "$name" --net none --image oci:layout:debian -v "$PWD/home:/home"
	timeout 60 "$BERTH" wait --ready "$name"
	run berth exec "$name" -- true
	assert_has "enter the working directory '/home/later'"
	run berth exec -w / "$name" -- sh -c 'mkdir /home/later; systemctl is-system-running'
	assert_output running
	run berth exec "$name" -- pwd
	assert_output /home/later
	run berth exec "$name" -- sh -c 'stat -c "%u %a" /usr/bin/passwd; docker info --format "{{ .Driver }}"; echo $FROM'
	assert_output $'0 4755\noverlay2\nimage'
	berth rm -f "$name"
}

@test "who unpacks sees nothing of the caller, has no network, and can write to the new tree only" {
	probe small image_tools subids
	make_image layout one
	touch mine
	cat >umoci <<-'END'
		#!/bin/sh
		# What a layer could do that takes umoci over.
		exec 2>&1 >/rootfs/report
		echo "root: $(ls / | sort | paste -sd ' ')"
		echo "id: $(id -u)"
		for file in "$HOME" /root /home /etc/passwd /var/tmp /proc/1 /sys/kernel; do
			[ "$file" = /tmp ] || [ ! -e "$file" ] || echo "sees $file"
		done
		for file in /usr/x /image/x /image/blobs/x /x/y; do
			true >"$file" && echo "writes $file"
		done
		python3 -c 'import socket
		print("interfaces:", *[name for _, name in socket.if_nameindex()])
		try: socket.create_connection(("127.0.0.1", 1), 1)
		except OSError as e: print("network:", e.errno)
		import ctypes
		libc = ctypes.CDLL(None, use_errno=True)
		print("mount:", libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None), ctypes.get_errno())
		print("no_new_privs:", libc.prctl(39, 0, 0, 0, 0), "seccomp:", libc.prctl(21, 0, 0, 0, 0))
		print("bounding:", [n for n in range(41) if libc.prctl(23, n, 0, 0, 0) == 1])'
		mkdir /rootfs/bin
		echo "words: $*"
	END
	chmod +x umoci
	cat >script <<-'END'
		set -e
		mount --bind umoci /usr/bin/umoci
		mkdir run
		XDG_RUNTIME_DIR=$PWD/run
		export XDG_RUNTIME_DIR
		[ ! -d /var/lib/containers ] || mount -t tmpfs tmpfs /var/lib/containers
		"$1" image pull -q --progress none oci:layout:one
		cat store/images/trees/*/*/rootfs/report
	END
	run in_cgroup "$BERTH" unshare -- unshare -m sh script "$BERTH"
	assert_status 0
	assert_has 'id: 0'
	[[ $output =~ root:\ (bin\ )?dev\ image\ (lib[0-9]*\ )*rootfs\ tmp\ usr ]]
	[[ $output != *sees* && $output != *writes* ]]
	assert_has 'interfaces: lo'
	assert_has 'network: 101'
	assert_has 'mount: -1 1'
	assert_has 'no_new_privs: 1 seccomp: 2'
	assert_has 'bounding: [0, 1, 3, 4, 27, 31]'
	assert_has 'words: raw unpack --image /image:berth /rootfs'
}

@test "what is missing is named with its package" {
	probe small
	mkdir bin
	for tool in newuidmap newgidmap; do ln -s "/usr/bin/$tool" bin; done

	PATH=$PWD/bin run in_cgroup "$BERTH" image pull --progress none debian:12
	assert_status 125
	assert_has "find the program 'skopeo'"
	assert_has 'hint: install the package skopeo'
}

@test "each program that pulls is missed before anything is fetched, and nothing is left" {
	probe small image_tools subids
	make_image layout one
	cat >script <<-'END'
		set -e
		mkdir run
		export XDG_RUNTIME_DIR=$PWD/run
		[ ! -d /var/lib/containers ] || mount -t tmpfs tmpfs /var/lib/containers
		touch none # which nobody may execute, root neither
		for name in skopeo umoci; do
			program=$(command -v "$name")
			mount --bind none "$program"
			"$1" image pull --progress json oci:layout:one || echo "pull without $name: $?"
			"$1" run --name lacking --net none --image oci:layout:one -- true || echo "run without $name: $?"
			umount "$program"
			find store -type f ! -name lock ! -path '*/locks/*' ! -name index.json; find store/images/tmp -mindepth 1
			ls run/berth
		done
		# What was fetched before is unpacked by the one, and run without either.
		"$1" image pull -q --progress none oci:layout:one
		mount --bind none "$(command -v skopeo)"
		rm -r store/images/trees/*
		"$1" run --rm --net none --progress none --image oci:layout:one -- echo unpacked
		mount --bind none "$(command -v umoci)"
		"$1" run --rm --net none --image oci:layout:one -- echo started
		rm -r store/images/trees/*
		"$1" run --rm --net none --image oci:layout:one -- echo launched || echo "unpack without umoci: $?"
		find store/images/tmp -mindepth 1
	END
	run in_cgroup "$BERTH" unshare -- unshare -m sh "$PWD/script" "$BERTH"
	assert_status 0
	missing() { printf "berth: image: find the program '%s': No such file or directory\nhint: install the package %s" "$1" "$1"; }
	assert_output "$(for name in skopeo umoci; do
		missing "$name"
		printf '\npull without %s: 125\n' "$name"
		missing "$name"
		printf '\nrun without %s: 125\n' "$name"
	done; printf 'unpacked\nstarted')"$'\n{"image":"oci:'"$PWD"$'/layout:one","step":"unpack","digest":"'"$(
		jq -r '.manifests[0].digest' layout/index.json)"$'"}\n'"$(missing umoci)"$'\nunpack without umoci: 125'
}

@test "names that are none, and verbs" {
	run berth image pull Debian:12
	assert_status 125
	assert_has "'Debian:12' is no image"
	run berth image
	assert_status 125
	run berth image frobnicate
	assert_status 125
	assert_has "no verb 'frobnicate'"
	run berth image pull
	assert_status 125
	run berth run --image /srv/os -- true
	assert_status 125
	assert_has 'oci:DIR'
}
