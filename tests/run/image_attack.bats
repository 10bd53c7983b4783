#!/usr/bin/env bats
# Who writes an image, or is root inside with a volume above berth's own directories, stays where he is.

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

@test "what an image executes moves nobody's terminal" {
	probe small image_tools
	make_image layout a --config '{ "Cmd": ["echo", "a\u009b2J\u001b[2Jä"] }'
	pull -q oci:layout:a
	run berth plan --net none --image oci:layout:a
	assert_status 0
	assert_has 'a??2J?[2Jä'
	[[ $output != *$'\u009b'* ]]
	[[ $output != *$'\033'* ]]
}

# Bounded: a FIFO held everybody up who looked.
look() { run timeout 60 "$BERTH" "$@"; }

@test "what a workspace wrote into a state directory is believed in nothing" {
	probe small image_tools
	make_image layout a
	pull -q oci:layout:a
	mkdir state
	name=$(new_name)
	in_state() { "${@:1:1}" run --name "$name" --net none --progress none --state "$PWD/state" --image oci:layout:a -- "${@:2}"; }
	forget() { rm -rf "${XDG_RUNTIME_DIR:?}/berth/$name"; } # as a pod that starts anew

	for kind in path fifo link directory long; do
		in_state berth sh -c 'echo x >/kept'
		forget
		# As root inside of a workspace that has it as a volume.
		berth run --rm --net none --rootfs "$BERTH_TEST_SMALL:O" -v "$PWD/state:/state" -- sh -c "
			cd /state/$name && mv image was && case $kind in
			path) echo sha256:/../../pwn >image; mkdir -p '/state/$name~' ;;
			fifo) mkfifo image ;;
			link) ln -s was image ;;
			directory) mkdir image ;;
			long) { cat was; cat was; } | tr -d '\n' >image ;;
			esac"
		look plan --state "$PWD/state" --name "$name" --net none --image oci:layout:a -- true
		assert_status 0
		assert_has 'set aside: one over something else'
		look image ls
		assert_status 0
		look image prune
		assert_status 0
		in_state look cat /kept
		forget
		assert_has "lies over something else: set aside as '$name~other"
		assert_has "can't open '/kept'"
		[ -d "state/$name/upper" ]
		pull -q oci:layout:a
	done
	run find . -maxdepth 2 -name '*pwn*'
	assert_output ''
}
