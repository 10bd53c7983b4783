#!/usr/bin/env bats
# The commands of README.md that make things: the two scripts, a root file system, the program.

load ../lib/common
load ../lib/readme

export BATS_TEST_TIMEOUT=1200

setup()
{
	probe root
	common_setup
	top=${BERTH_TEST_AS_USER%/scripts/lib/as-user}
	cache=${BERTH_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/berth}
	his=$BERTH_TEST_HOME/readme-$BATS_TEST_NUMBER # he must reach it
	as_user mkdir "$his"
}

teardown()
{
	as_user "$BERTH" unshare -- rm -rf "$his"
	common_teardown
}

# The files of the project, in his hands.
copy_source()
{
	if [ -e "$top/.git" ]; then
		git -C "$top" -c safe.directory="$top" ls-files -z
	else
		tr '\n' '\0' <"$top/MANIFEST"
	fi >"$BATS_TEST_TMPDIR/files"
	tar -C "$top" --null --files-from="$BATS_TEST_TMPDIR/files" -c |
		as_user tar -C "$his" -x --one-top-level=berth
}

# as_reader WORDS: his commands are those of the block, in the source, with berth installed.
as_reader()
{
	readme_blocks "$1" "$BATS_TEST_TMPDIR"
	as_user mkdir "$his/bin"
	as_user ln -s "$BERTH" "$his/bin/berth"
	as_user env HOME="$his" MAKEFLAGS="-j$(nproc)" PATH="$his/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" \
		bash -c 'cd ~/berth && exec bash -eux' <"$BATS_TEST_TMPDIR/block-01.$1"
}

@test "README: build from source, and install" {
	probe tool:autoreconf tool:git
	copy_source

	run as_reader build
	assert_status 0
	run as_user "$his/.local/bin/berth" version
	assert_status 0
	[ -f "$his/.local/share/man/man1/berth.1" ]
	[ -f "$his/.local/share/bash-completion/completions/berth" ]
}

# bats test_tags=debian
@test "README: make a root file system, and unpack it" {
	probe debian
	copy_source
	as_user mkdir "$his/cache"
	cp --reflink=auto "$cache"/{bookworm,small}-*.tar "$his/cache"

	BERTH_CACHE=$his/cache run as_reader unpack
	assert_status 0
	run as_user "$BERTH" unshare -- stat -c %u "$his/debian/etc/passwd"
	assert_output 0
	[ -x "$his/debian/usr/sbin/dockerd" ]
	[ -s "$his/small.tar" ]
}

# bats test_tags=debian
@test "README: scripts/try" {
	probe debian
	readme_blocks try "$BATS_TEST_TMPDIR"
	cd "$top"

	run bash -eu "$BATS_TEST_TMPDIR/block-01.try" </dev/null
	assert_status 0
	assert_has running
	assert_has 'hello from a container in a workspace'
	assert_has 'try: all of it worked'

	# The line of the tour that makes a shell find what it built.
	readme_blocks path "$BATS_TEST_TMPDIR"
	run bash -euc '. "$1" && type -p berth && berth version' - "$BATS_TEST_TMPDIR/block-01.path"
	assert_status 0
	assert_has "$top/build/berth"
}
