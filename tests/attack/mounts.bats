# shellcheck shell=bash
# Root inside against what the level above attached: a read-only volume, and the flags of the
# root and of volumes. The same attempts succeed on a bind that was made inside.

load ../lib/common

setup()
{
	common_setup
	probe small subids
	mkdir volume
	echo kept >volume/file
	cat >attempts <<-'END'
	# attempts TARGET: prints each that succeeds.
	target=$1
	here=/tmp/attempt.$$
	mkdir -p $here/bind $here/move
	mount -o remount,rw,bind $target && echo remount-bind
	mount -o remount,rw $target && echo remount
	umount $target && echo umount
	umount -l $target && echo umount-lazily
	mount -o move $target $here/move && echo move
	if mount -o bind $target $here/bind; then
		mount -o remount,rw,bind $here/bind && echo bind-and-remount
		touch $here/bind/by-bind && echo write-by-bind
		umount $here/bind
	fi
	touch $target/written && echo write
	true
	END
}

# inside WRAPPER...: the attempts on the volume at /ro, below WRAPPER, with their output only.
inside()
{
	run --separate-stderr berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_SMALL:O" \
		-v "$PWD/volume:/ro:ro" -v "$PWD/attempts:/attempts:ro" -- "$@"
}

nothing_succeeded()
{
	assert_status 0
	assert_output ""
	[ ! -e volume/written ] && [ ! -e volume/by-bind ]
	assert_equal "$(cat volume/file)" kept
}

@test "positive control: on a bind made inside each attempt works" {
	inside sh -c 'mkdir /src /own
		for once in remount-bind umount umount-lazily move bind-and-remount write; do
			mount -o bind /src /own && mount -o remount,ro,bind /own
			touch /own/x 2>/dev/null && echo not-read-only
			sh /attempts /own | grep -x "$once"
			while umount -l /own 2>/dev/null; do :; done
		done'
	assert_status 0
	[[ $output == *remount-bind* ]] || fail "$output; $stderr"
	[[ $output == *write* ]]
	[[ $output != *not-read-only* ]]
	# Each alone, since the first success changes what the next one finds.
	inside sh -c 'mkdir -p /src /own /to
		ro() { mount -o bind /src /own && mount -o remount,ro,bind /own; }
		ro && umount /own && echo umount
		ro && umount -l /own && echo umount-lazily
		ro && mount -o move /own /to && echo move && umount /to
		ro && mount -o bind /own /to && mount -o remount,rw,bind /to && touch /to/x && echo bind-and-remount'
	assert_output "umount
umount-lazily
move
bind-and-remount"
}

@test "a read-only volume: remount, umount, move, bind and remount are refused" {
	inside sh /attempts /ro
	nothing_succeeded
}

@test "the same in a mount namespace of one's own" {
	inside unshare -m sh /attempts /ro
	nothing_succeeded
}

@test "the same in a user and mount namespace of one's own" {
	inside unshare -Urm sh /attempts /ro
	nothing_succeeded
}

@test "the same in a chroot" {
	inside sh -c 'mkdir /c && mount -o rbind / /c && exec chroot /c sh /attempts /ro'
	nothing_succeeded
}

@test "the same after pivot_root" {
	inside unshare -m sh -c 'mkdir /p && mount -o rbind / /p && cd /p && mkdir -p old &&
		pivot_root . old && cd / && umount -l /old && exec sh /attempts /ro'
	nothing_succeeded
}

@test "flags of the root and of volumes stay: no device of a volume works, no setuid either" {
	mkdir plain
	cp "$BERTH_TEST_SMALL/bin/busybox" plain/
	chmod 4755 plain/busybox
	run --separate-stderr berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_SMALL:O" \
		-v "$PWD/plain:/plain" -- sh -c '
		for flag in suid dev; do
			mount -o remount,bind,$flag /plain && echo "$flag of a volume"
			mount -o remount,bind,dev / && echo "dev of the root"
		done
		mknod /plain/null c 1 3 && echo mknod
		grep -c nosuid,nodev /proc/self/mountinfo >/dev/null'
	assert_output ""
}

@test "/dev cannot be taken away or replaced by nodes of one's own" {
	run --separate-stderr berth run --rm --name "$(new_name)" --rootfs "$BERTH_TEST_SMALL:O" -- \
		sh -c 'umount /dev/null && echo umount; umount /dev && echo umount-dev
			mount -o remount,dev /dev && echo remount
			mknod /dev/sda b 8 0 && echo mknod; true'
	assert_output ""
}
