#!/usr/bin/env bats
# --device: nodes of the pod in the workspace, and no others.

load ../lib/common

setup()
{
	probe small subids
	common_setup
}

device_run() { berth run --rm --rootfs "$BERTH_TEST_SMALL" "$@"; }

@test "a node of the pod is there, also in a directory and under another name" {
	run device_run --device /dev/zero:/dev/net/mine -- \
		sh -c 'head -c 3 /dev/net/mine | od -An -c; stat -c %t:%T /dev/net/mine; echo nothing >/dev/net/mine'
	assert_output $'  \\0  \\0  \\0\n1:5'
	assert_status 0
}

probe_node()
{
	if [ ! -r "$1" ] || [ ! -w "$1" ]; then fail "'$1' is not there, or not for us"; fi
}

@test "/dev/net/tun makes an interface of the workspace's own" {
	probe node:/dev/net/tun
	run device_run --net none --device /dev/net/tun -- sh -c 'tunctl -t tap7 && ip -o link show tap7'
	assert_status 0
	assert_has "tap7: <"
	[ ! -e /sys/class/net/tap7 ]
	run device_run --net none -- sh -c 'tunctl -t tap7'
	[ "$status" -ne 0 ]
}

@test "/dev/fuse carries a file system that root inside mounts" {
	probe node:/dev/fuse
	# The kernel mounts it before it asks the first question.
	run device_run --net none --device /dev/fuse -- sh -c 'exec 3<>/dev/fuse
		mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 mine /mnt && grep " /mnt " /proc/mounts'
	assert_status 0
	assert_has "mine /mnt fuse rw,"
	run device_run --net none -- sh -c 'exec 3<>/dev/fuse && test -c /dev/fuse'
	[ "$status" -ne 0 ]
}

@test "root inside cannot take it away, nor make nodes of his own" {
	run device_run --device /dev/zero:/dev/mine -- \
		sh -c 'umount /dev/mine; rm /dev/mine; mknod /dev/sda b 8 0; test -c /dev/mine && echo still'
	assert_has still
	assert_has "Invalid argument"
	assert_has "Operation not permitted"
}

@test "what the pod has not stops the launch, unless it may be missing" {
	run device_run --device /dev/no-such-node -- true
	assert_status 125
	assert_has "berth: device: --device '/dev/no-such-node': No such file or directory"
	assert_has "hint: the pod has no such node"
	run device_run --device /dev/no-such-node --best-effort device -- sh -c 'ls /dev/no-such-node 2>&1; echo started'
	assert_status 0
	assert_has "berth: warning: the pod has no device '/dev/no-such-node', so the workspace has none"
	assert_has started
}

@test "files, directories and links are no devices; no node goes elsewhere or over another" {
	local words want

	ln -s /dev/zero link
	while IFS='|' read -r words want; do
		run device_run --device "$words" -- true
		assert_status 125
		assert_has "$want"
	done <<-END
		$PWD/link:/dev/x|is no character device
		/etc/passwd:/dev/x|is no character device
		/dev/shm:/dev/x|is no character device
		/dev/zero:/tmp/zero|'/tmp/zero' is not below /dev
		/dev/zero:/dev/../etc/x|goes through '..'
		/dev/zero:/dev/null|'/dev/null' is there already
		/dev/zero:/dev/pts/0|'/dev/pts/0' is there already
		/dev/zero:/dev/shm|'/dev/shm' is there already
		/dev/zero:/dev/x:rwm|is not PATH or PATH:INSIDE
		/dev/zero:x|'x' is not absolute
	END
}

@test "a kept workspace has it again after the next start" {
	name=$(new_name)
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL" --device /dev/zero:/dev/mine -- sleep 100
	berth stop "$name"
	berth start "$name"
	run berth exec "$name" -- stat -c %t:%T /dev/mine
	assert_output 1:5
	run berth policy verify "$name"
	assert_status 0
}

@test "--gpus: nodes, libraries with their links, and what a toolkit mounted, by stand-ins" {
	mkdir dev lib lib/real
	echo library >lib/real/libcuda.so.535.1
	ln -s real/libcuda.so.535.1 lib/libcuda.so.535.1
	ln -s libcuda.so.535.1 lib/libcuda.so.1
	echo other >lib/libother.so.1
	echo token >token
	ln -s ../token lib/libcuda-token.so
	echo tool >nvidia-smi
	# In a mount namespace of our own, as root there.
	cat >inside <<-'END'
		set -e
		mount -t tmpfs -o mode=755 none dev
		for name in null zero full random urandom tty nvidia0 nvidiactl; do touch dev/$name; done
		for name in null zero full random urandom tty; do mount --bind /dev/$name dev/$name; done
		mkdir dev/dri dev/shm
		touch dev/dri/card0
		mount --rbind /dev/shm dev/shm
		mount --bind nvidia-smi nvidia-smi
		gpus() { "$BERTH" run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none "$@" || echo "status $?"; }
		mount --rbind dev /dev
		gpus --gpus all -- true
		gpus --gpus all --best-effort device -- sh -c 'ls /dev/nvidia0 || echo goes on'
		mount --bind /dev/zero /dev/nvidia0
		mount --bind /dev/full /dev/dri/card0
		gpus --gpus "$PWD/lib:/usr/lib/gpu" -v "$PWD/lib/libother.so.1:/usr/lib/gpu/libcuda.so.1" \
			--device /dev/zero:/dev/nvidia0 -- sh -c 'stat -c "%t:%T %n" /dev/nvidia* /dev/dri/*
			cd /usr/lib/gpu; head *; cat "$0"; echo x >libcuda.so.535.1' "$PWD/nvidia-smi"
		mkdir -p home/cuda-samples home/late
		mount -t tmpfs none home/cuda-samples
		touch home/cuda-samples/sample
		gpus --gpus all -v "$PWD/home:/home/coder" -- ls /home/coder/cuda-samples
		# What an ordinary caller cannot reach is not there for him.
		mount -t tmpfs none /mnt
		mkdir -m 700 /mnt/shut
		mkdir /mnt/shut/nvidia /mnt/cuda
		mount -t tmpfs none /mnt/shut/nvidia
		mount -t tmpfs none /mnt/cuda
		plan() { "$@" "$BERTH" plan --rootfs host --net none --gpus all -- true | grep -o "/mnt/.* (ro" || echo none; }
		plan env
		plan setpriv --reuid 1000 --clear-groups --inh-caps=-all
		mount -t tmpfs none /sys/kernel
		mkdir /sys/kernel/nvidia
		mount -t tmpfs none /sys/kernel/nvidia
		"$BERTH" plan --rootfs "$BERTH_TEST_SMALL:O" --net none --gpus all -- true || echo "no plan"
		umount /sys/kernel/nvidia /sys/kernel
		gpus --gpus "$PWD/none" -- true
		gpus --gpus lib -- true
		"$BERTH" run -d --name "$1" --rootfs "$BERTH_TEST_SMALL:O" --net none --gpus "$PWD/lib" -- sleep 1000 >/dev/null
		umount /dev/nvidia0
		mount --bind /dev/full /dev/nvidiactl
		"$BERTH" stop -t 0 "$1" >/dev/null
		"$BERTH" start "$1" >/dev/null
		"$BERTH" exec "$1" -- sh -c 'echo again; ls /dev | grep nvidia'
		"$BERTH" rm -f "$1" >/dev/null
	END
	run in_cgroup unshare --user --map-root-user --map-auto --mount bash inside "$(new_name)"
	assert_has "berth: options: --gpus 'all': /dev has none"
	assert_has "hint: ask for one in the pod's resources.limits"
	assert_has "goes on"
	assert_has $'1:5 /dev/nvidia0\n1:7 /dev/dri/card0'
	# What was named itself wins.
	assert_has $'==> libcuda.so.1 <==\nother'
	assert_has $'==> libcuda.so.535.1 <==\nlibrary\ntool'
	[[ $output != *libother* && $output != *token* ]] || fail "$output"
	assert_has "libcuda.so.535.1: Read-only file system"
	assert_has "berth: options: --gpus '$PWD/none': list the libraries in '$PWD/none': No such file"
	assert_has "--gpus 'lib' is not absolute"
	assert_has $'\n/mnt/shut/nvidia on /mnt/shut/nvidia (ro\n/mnt/cuda on /mnt/cuda (ro\n/mnt/cuda on /mnt/cuda (ro\n'
	# A mount that nobody named refuses nothing: what holds it is attached with it.
	assert_has "--gpus: '$PWD/home/cuda-samples' of the pod is left out: it lies in '$PWD/home', which the workspace can write to"$'\nsample'
	assert_has "--gpus: '/sys/kernel/nvidia' of the pod is left out: '/sys/kernel/nvidia' is mounted anew inside"
	[[ $output != *"no plan"* ]] || fail "$output"
	# Each start looks again.
	assert_has $'again\nnvidiactl'
	[[ $output != *$'again\nnvidia0'* ]] || fail "$output"
}

@test "--gpus: libraries go where the inner distribution has them, from wherever the pod has them" {
	mkdir dev lib toolkit over
	for lib in lib/libcuda.so.535.1 toolkit/libnvidia-ml.so.535.1 toolkit/libcuda.so.535.1; do echo "of $lib" >"$lib"; done
	ln -s libcuda.so.535.1 lib/libcuda.so.1
	for id in debian fedora alpine none; do
		mkdir -p "root-$id/etc" "root-$id/bin"
		[ "$id" = none ] || printf 'NAME="A name"\nID=%s\n' "$id" >"root-$id/etc/os-release"
	done
	mkdir -p root-none/usr/lib64
	# In a mount namespace of our own, as root there: the pod has them in two places.
	cat >inside <<-'END'
		set -e
		mount -t tmpfs -o mode=755 none dev
		for name in null zero full random urandom tty nvidia0; do touch dev/$name; done
		for name in null zero full random urandom tty; do mount --bind /dev/$name dev/$name; done
		mount --bind /dev/zero dev/nvidia0
		mkdir dev/shm
		mount --rbind /dev/shm dev/shm
		mount --rbind dev /dev
		multiarch=/usr/lib/$(uname -m)-linux-gnu
		plan() { "$BERTH" plan --net none "$@" -- /bin/true | sed -n "s|.* on \(/[^ ]*lib[^ ]*\.so[^ ]*\) (ro.*|\1|p" | sort; }
		for id in debian fedora alpine none; do
			echo "in $id:"; plan --rootfs "$PWD/root-$id:O" --gpus "$PWD/lib" | sed "s|$multiarch|multiarch|"
		done
		echo said:; plan --rootfs "$PWD/root-fedora:O" --gpus "$PWD/lib:/opt/gpu"
		# What a toolkit mounted in the pod's own directory goes there, too; a name is there once.
		mount -t tmpfs none over
		mkdir over/upper over/work
		mount -t overlay -o "lowerdir=$multiarch,upperdir=over/upper,workdir=over/work,userxattr" none "$multiarch"
		for lib in libnvidia-ml.so.535.1 libcuda.so.535.1; do
			touch "$multiarch/$lib"
			mount --bind "toolkit/$lib" "$multiarch/$lib"
		done
		for id in debian fedora; do
			echo "toolkit, in $id:"; plan --rootfs "$PWD/root-$id:O" --gpus all | sed "s|$multiarch|multiarch|"
		done
		"$BERTH" run --rm --rootfs "$BERTH_TEST_SMALL:O" --net none --gpus "$PWD/lib" -- sh -c \
			"cat $multiarch/libcuda.so.1"
	END
	run in_cgroup unshare --user --map-root-user --map-auto --mount bash inside
	for want in "in debian:|multiarch" "in fedora:|/usr/lib64" "in alpine:|/usr/lib" "in none:|/usr/lib64" "said:|/opt/gpu"; do
		assert_has "${want%|*}"$'\n'"${want#*|}/libcuda.so.1"$'\n'"${want#*|}/libcuda.so.535.1"$'\n'
	done
	for want in "toolkit, in debian:|multiarch" "toolkit, in fedora:|/usr/lib64"; do
		assert_has "${want%|*}"$'\n'"${want#*|}/libcuda.so.535.1"$'\n'"${want#*|}/libnvidia-ml.so.535.1"$'\n'
	done
	assert_has "of lib/libcuda.so.535.1"
	assert_status 0
}
