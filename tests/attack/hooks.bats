#!/usr/bin/env bats
#
# Root inside against hooks, which run outside with the caller's rights: by a volume that holds one, by
# another name of it, and against the one that runs.

load ../lib/common

setup()
{
	common_setup
	probe small subids tool:jq
	ws=$(new_name)
	mkdir volume tools
	hook volume/hook
	hook tools/hook
}

# hook FILE: a script that says which one it is.
hook()
{
	printf '#!/bin/sh\necho meant >>"%s/told"\n' "$PWD" >"$1"
	chmod 755 "$1"
}

# What root inside puts in its place.
evil() { printf '#!/bin/sh\necho "outside as $(id -u)" >>"%s/told"\n' "$PWD" >evil; chmod 755 evil; }

inside() { berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/evil:/evil:ro" "$@"; }

@test "a hook in a volume that root inside writes to" {
	evil
	# The control: who has the volume, and no hook, decides what the next one's hook is.
	inside -v "$PWD/volume:/v" -- sh -c 'cp /evil /v/new && mv /v/new /v/hook'
	berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --hook-prestart "$PWD/volume/hook" -- true
	assert_equal "$(cat told)" "outside as $(id -u)"
	rm told
	# So the two do not go together, whatever the moment, and by whatever way it is shown.
	ln -s "$PWD/volume" link
	ln -s "$PWD/volume/hook" direct
	for moment in prestart poststart poststop; do
		for way in volume/hook link/hook direct; do
			run inside -v "$PWD/volume:/v" --hook-$moment "$PWD/$way" -- true
			assert_status 125
			assert_has "'$PWD/volume' holds the $moment hook"
		done
	done
	[ ! -e told ]
	# Where it can only be read that is another thing: so can what root inside wants there.
	hook volume/hook
	run inside -v "$PWD/volume:/v:ro" --hook-poststop "$PWD/volume/hook" -- \
		sh -c 'cp /evil /v/new || mv /v/hook /v/old || (: >/v/hook) || mount -o remount,rw /v || ln -s /evil /v/x; true'
	assert_status 0
	assert_equal "$(cat told)" meant
}

@test "a way to a hook that leads through a volume" {
	evil
	mkdir -p volume/way
	ln -s ../../tools volume/way/there
	ln -s "$PWD/volume/way/there/hook" direct
	inside -v "$PWD/volume:/v" -- sh -c 'mkdir /v/mine && cp /evil /v/mine/hook && rm /v/way/there && ln -s ../mine /v/way/there'
	# The control: the link outside leads to what root inside made.
	berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --hook-prestart "$PWD/direct" -- true
	assert_equal "$(cat told)" "outside as $(id -u)"
	rm told volume/way/there
	ln -s ../../tools volume/way/there
	run inside -v "$PWD/volume:/v" --hook-prestart "$PWD/direct" -- true
	assert_status 125
	assert_has "'$PWD/volume' has a link on the way to the prestart hook '$PWD/direct'"
	[ ! -e told ]
}

@test "a hook that another workspace replaces while this one runs: what was opened runs" {
	evil
	berth run -d --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --hook-poststop "$PWD/tools/hook" -- sleep 1000
	# Which volumes others have is not known; they have to be quick.
	berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/tools:/t" -v "$PWD/evil:/evil:ro" -- \
		sh -c 'cp /evil /t/new && mv /t/new /t/hook'
	berth stop -t 0 "$ws"
	assert_equal "$(cat told)" meant
	# The control: it was replaced.
	berth run --rm --name "$ws-2" --rootfs "$BERTH_TEST_SMALL:O" --hook-poststop "$PWD/tools/hook" -- true
	assert_equal "$(tail -n 1 told)" "outside as $(id -u)"
}

@test "root inside neither sees, signals nor outlives a hook" {
	printf '#!/bin/sh\nsleep 1.5\ncat >"%s/state"\necho whole >>"%s/told"\n' "$PWD" "$PWD" >tools/hook
	run berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --hook-poststart "$PWD/tools/hook" -- sh -c '
		trap "" TERM
		for i in 1 2 3 4; do
			for p in /proc/[0-9]*; do grep -l hook "$p/cmdline" 2>/dev/null && echo "sees $p" | grep -v "/$$\$" ; done
			kill -KILL -1; sleep 0.1
		done; exit 6'
	assert_status 6
	[[ $output != *sees* ]] || fail "$output"
	# The workspace was over before: it was waited for.
	assert_equal "$(cat told)" whole
	assert_equal "$(jq -r '.annotations["berth.hook"]' state)" poststart
}

@test "another name of a hook, in a mount that lies in a volume" {
	# The volume's own file system is another one, and what is mounted in it comes with it.
	mkdir -p top other
	ln tools/hook other/name
	with_tmpfs() {
		berth unshare -- unshare -m sh -c 'mount -t tmpfs t "$1/top" && mkdir "$1/top/in" && mount --bind "$1/other" "$1/top/in" &&
			shift && exec "$@"' - "$PWD" "$BERTH" "$@"
	}
	run with_tmpfs run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/top:/v" --hook-prestart "$PWD/tools/hook" -- \
		sh -c 'echo "echo inside" >>/v/in/name'
	assert_status 125
	assert_has "'$PWD/top' may have another name of the prestart hook '$PWD/tools/hook'"
	[ ! -e told ]
	# The control: without that mount in it, or where it has but one name, it is in nobody's way.
	berth unshare -- unshare -m sh -c 'mount -t tmpfs t "$1/top" && shift && exec "$@"' - "$PWD" "$BERTH" run --rm --name "$ws" \
		--rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/top:/v" --hook-prestart "$PWD/tools/hook" -- true
	rm other/name
	run with_tmpfs run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --net none -v "$PWD/top:/v" --hook-prestart "$PWD/tools/hook" -- true
	assert_status 0
	assert_equal "$(cat told)" $'meant\nmeant'
}

@test "an interpreter that others may write to, itself or by a directory on the way, or by another interpreter" {
	local i

	mkdir shared
	cp "$(command -v sh)" shared/sh
	chmod 755 shared shared/sh
	script() { printf '#!%s\necho meant >>"%s/told"\n' "$2" "$PWD" >"$1"; chmod 755 "$1"; }
	try() { run inside --hook-prestart "$PWD/tools/hook" "$@" -- true; }
	refused() { assert_status 125; assert_has "$1"; [ ! -e told ]; }
	evil
	script tools/hook "$PWD/shared/sh"
	# The control, as each of the following.
	try
	assert_status 0
	assert_equal "$(cat told)" meant
	rm told
	chmod o+w shared/sh
	try
	refused "others than you and root may write to '$PWD/shared/sh', which executes the prestart hook '$PWD/tools/hook'"
	chmod o-w shared/sh
	chmod 777 shared
	try
	refused "others than you and root may write to '$PWD/shared', on the way to '$PWD/shared/sh', which executes the prestart hook"
	# So it is by a link that is kept there.
	ln -s "$(command -v sh)" shared/link
	script tools/hook "$PWD/shared/link"
	try
	refused "others than you and root may write to '$PWD/shared', on the way to"
	script tools/hook "$PWD/shared/sh"
	chmod 1777 shared
	try
	assert_status 0
	rm told
	# An interpreter that is a script has one, too: root inside's, or one of too many.
	script tools/between "$PWD/shared/sh"
	script tools/hook "$PWD/tools/between"
	try -v "$PWD/shared:/v"
	refused "'$PWD/shared' holds '$PWD/shared/sh', which executes the prestart hook '$PWD/tools/hook'"
	try
	assert_status 0
	rm told
	script tools/i5 "$PWD/shared/sh"
	for i in 4 3 2; do script "tools/i$i" "$PWD/tools/i$((i + 1))"; done
	script tools/hook "$PWD/tools/i2"
	try
	assert_status 0
	rm told
	script tools/i1 "$PWD/tools/i2"
	script tools/hook "$PWD/tools/i1"
	try
	refused "execute the prestart hook '$PWD/tools/hook': Too many levels of symbolic links"
}

@test "no mark of a hook is inside" {
	hook tools/hook
	run berth run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --hook-prestart "$PWD/tools/hook secret-word" \
		--hook-poststop "$PWD/tools/hook" -- sh -c 'ls -l /proc/self/fd /proc/1/fd 2>/dev/null; cat /proc/*/cmdline /proc/*/environ /proc/mounts 2>/dev/null | tr "\0" " "'
	assert_status 0
	[[ $output != *secret-word* && $output != *tools/hook* ]] || fail "$output"
	assert_equal "$(cat told)" $'meant\nmeant'
}

@test "a hook whose files another mount shows for writing" {
	mkdir shown root root/bin root/dev root/proc root/sys root/tmp root/run
	# The same directory twice, once as the hook's and once as the volume.
	with_bind() { berth unshare -- unshare -m sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' - "$1" "$2" "$BERTH" "${@:3}"; }
	run with_bind "$PWD/tools" "$PWD/shown" run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		-v "$PWD/shown:/v" --hook-prestart "$PWD/tools/hook" -- true
	assert_status 125
	assert_has "'$PWD/shown' shows, by another mount, the prestart hook '$PWD/tools/hook'"
	[ ! -e told ]
	# The control: that mount beside it, and read-only, is in nobody's way.
	run with_bind "$PWD/tools" "$PWD/shown" run --rm --name "$ws" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		-v "$PWD/shown:/v:ro" --hook-prestart "$PWD/tools/hook" -- true
	assert_status 0
	assert_equal "$(cat told)" meant
	# A root that is used in place is root inside's, too.
	cp "$BERTH_TEST_SMALL/bin/busybox" root/bin
	ln -s busybox root/bin/sh
	cp tools/hook root/hook
	run berth run --rm --name "$ws" --rootfs "$PWD/root" --net none --hook-prestart "$PWD/root/hook" -- sh -c true
	assert_status 125
	assert_has "'$PWD/root' holds the prestart hook"
}
