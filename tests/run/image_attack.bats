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
	[[ $output != *$'\302\233'* ]]
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

# unpack_with PROGRAM SCRIPT ARG...: SCRIPT, where PROGRAM stands for umoci and $1 is berth.
unpack_with()
{
	cat >as-umoci <<-'END'
		set -e
		mount --bind "$1" /usr/bin/umoci
		mkdir run
		export XDG_RUNTIME_DIR=$PWD/run
		[ ! -d /var/lib/containers ] || mount -t tmpfs tmpfs /var/lib/containers
		. "$2"
	END
	chmod +x "$1"
	run in_cgroup "$BERTH" unshare -- unshare -m sh -c '. "$0"' "$PWD/as-umoci" "$PWD/$1" "$PWD/$2" "${@:3}"
}

@test "who unpacks sees and signals no process of the pod, and leaves none" {
	probe small image_tools subids
	make_image layout one
	mark=1000.$BASHPID
	cat >taken-over <<-END
		#!/usr/bin/python3
		import os, subprocess
		report = open("/rootfs/report", "w")
		def say(*words): print(*words, file=report, flush=True)
		def sent(pid, sig):
		    try: os.kill(pid, sig)
		    except OSError as e: return e.errno
		    return "sent"
		say("who:", os.getpid(), os.getppid(), os.getpgrp(), os.getsid(0))
		# 0: to whom a signal could be sent. Alone that is nobody, ESRCH.
		say("all:", sent(-1, 0))
		say("others:", {sent(pid, 0) for pid in range(2, 100000)})
		say("victim:", sent(int(open("/image/blobs/victim").read()), 9))
		for name in "/proc", "/dev/tty", "/dev/pts": say(name, os.path.exists(name))
		os.mkdir("/rootfs/bin")
		# What would write to the tree when it is in use.
		subprocess.Popen(["sleep", "$mark"], stdin=-3, stdout=-3, stderr=-3, start_new_session=True)
		say("started")
	END
	cat >script <<-'END'
		sleep 100 &
		echo $! >store/images/blobs/victim
		"$3" image pull -q --progress none oci:layout:one
		kill -0 $! && echo "the victim lives"
		kill $!
		cat store/images/trees/*/*/rootfs/report
	END
	pull -q oci:layout:one
	berth unshare -- sh -c 'rm -r store/images/trees/*'
	unpack_with taken-over script "$BERTH"
	assert_status 0
	assert_has "the victim lives"
	assert_has "who: 1 0 1 1"
	assert_has "all: 3"
	assert_has "others: {3}"
	assert_has "victim: 3"
	assert_has "/proc False"
	assert_has "/dev/tty False"
	assert_has "/dev/pts False"
	assert_has "started"
	run pgrep -f "sleep $mark"
	assert_output ''
}

@test "who unpacks ends with berth, whatever it does about signals" {
	probe small image_tools subids
	make_image layout one
	mark=1000.$BASHPID
	cat >stubborn <<-END
		#!/bin/sh
		trap "" TERM INT HUP
		sh -c 'trap "" TERM INT HUP; exec setsid sleep $mark' &
		true >/rootfs/started
		while :; do sleep $mark; done
	END
	cat >script <<-'END'
		started() { find store/images/tmp -name started 2>/dev/null | grep -q .; }
		somebody() { ! nobody "$@"; }
		nobody() { ! pgrep -f "sleep $4" >/dev/null; }
		within() { for _ in $(seq 200); do "$@" && return; sleep 0.05; done; echo "not: $*"; return 1; }
		for signal in TERM KILL INT; do
			# In the background INT would be ignored.
			env --default-signal=INT "$3" image pull -q --progress none oci:layout:one &
			within started
			within somebody "$@"
			kill -$signal $!
			wait $! 2>/dev/null || echo "$signal: $?"
			within nobody "$@"
			"$3" image prune >/dev/null
			started && echo "something was left"
		done
		umount /usr/bin/umoci
		"$3" run --rm --net none --progress none --image oci:layout:one -- echo unpacked
	END
	unpack_with stubborn script "$BERTH" "$mark"
	assert_status 0
	assert_output $'TERM: 143\nKILL: 137\nINT: 130\nunpacked'
}
