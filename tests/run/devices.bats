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
