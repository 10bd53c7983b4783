# shellcheck shell=bash disable=SC2034,SC2054,SC2154 # start.sh brings these files together
# Runs tests in the guest that vm_image.sh makes.

vm_pid=
vm_dir=$work/vm # of one guest: who runs several gives each its own

# vm_carry BERTH WITHOUT: makes $work/vm/carry, what the guest gets to see of ours.
vm_carry()
{
	local carry=$work/vm/carry

	mkdir -p "$carry/scripts/lib"
	cp -R "$top/tests" "$top/README.md" "$carry"
	[ ! -d "$top/templates" ] || cp -R "$top/templates" "$carry"
	cp "$top/scripts/lib/as-user" "$carry/scripts/lib"
	install -m 0755 "$1" "$carry/berth"
	install -m 0755 "$2" "$carry/without"
}

# vm_run IMAGE SECONDS JOB-LINE...: boots the guest, which reads the lines (tests/vm/guest/main
# has them) and does that. What it says goes to our standard output as it comes and is in
# $vm_dir/report afterwards, what it keeps in $vm_dir/results. Fails if the guest does.
vm_run()
{
	local image=$1 seconds=$2 status=0 boot

	shift 2
	mkdir -p "$vm_dir"
	printf '%s\n' "$@" >"$vm_dir/job"
	tar --owner=0 --group=0 --numeric-owner -cf "$vm_dir/carry.tar" -C "$work/vm/carry" . -C "$vm_dir" job
	rm -rf "$vm_dir/results"
	at_exit vm_stop

	for boot in 1 2 3; do
		status=0
		vm_boot "$image" "$seconds" || status=$?
		vm_tripped || break
		say "boot $boot: the emulator tripped over the kernel's patching of its own code"
	done

	mkdir "$vm_dir/results"
	tar -C "$vm_dir/results" -xf "$vm_dir/results.tar" 2>/dev/null || true # the guest hung: see below
	if [ ! -s "$vm_dir/results/status" ]; then
		say "the last that its console says:"
		tail -n 60 "$vm_dir/console" | sed 's/^/    | /'
		if [ "$status" -eq 124 ]; then
			warn "the guest did not end within $seconds s (--time-limit)"
		else
			warn "the guest ended without a result; QEMU's exit status is $status: $(<"$vm_dir/qemu.log")"
		fi
		return 125
	fi
	return "$(<"$vm_dir/results/status")"
}

# vm_boot IMAGE SECONDS: from its start to its end, whose status is QEMU's.
vm_boot()
{
	local status=0 accel tail

	for accel in $(vm_accelerators); do
		vm_start "$1" "$2" "$accel"
		vm_lives "$accel" && break
		vm_stop
	done
	tail -n +1 -f --pid="$vm_pid" "$vm_dir/report" &
	tail=$!
	wait "$vm_pid" || status=$?
	vm_pid=
	wait "$tail"
	return "$status"
}

# vm_tripped: whether the guest's kernel panicked, before a test began, at a breakpoint that it had set
# itself: it patches its code by one (jump labels), and takes it away again. With a thread for each CPU
# QEMU may execute it after that, which its kernel knows nothing of any more.
vm_tripped() { [ ! -s "$vm_dir/report" ] && grep -q ' Oops: int3: ' "$vm_dir/console"; }

# What may work here, the fastest first. A /dev/kvm is no proof: see vm_lives.
vm_accelerators()
{
	[ ! -w /dev/kvm ] || echo kvm
	echo tcg,thread=multi,tb-size=512
}

# vm_start IMAGE SECONDS ACCELERATOR
vm_start()
{
	local image=$1 cpu=max kernel=(
		console=ttyS0 quiet panic=-1 init=/sbin/init
		systemd.show_status=no systemd.log_level=warning systemd.default_timeout_start_sec=300
		mitigations=off nokaslr init_on_alloc=0 audit=0 nowatchdog no_timer_check tsc=reliable
		random.trust_cpu=on cgroup_no_v1=all lsm=lockdown,capability,landlock,yama,apparmor
	)

	if [ "$3" = kvm ]; then cpu=host; else cpu+=,la57=off; fi
	tee "$vm_dir/"{console,report,results.tar} </dev/null
	# Dies with us, however we end.
	setpriv --pdeathsig TERM timeout --kill-after=5 "$2" qemu-system-x86_64 \
		-nodefaults -no-user-config -no-reboot -display none -accel "$3" -cpu "$cpu" \
		-smp 2 -m 3072 -kernel "$image/vmlinuz" -initrd "$image/initrd" -append "${kernel[*]}" \
		-drive "if=virtio,format=raw,snapshot=on,file=$image/root.ext4,discard=unmap" \
		-drive "if=virtio,format=raw,readonly=on,file=$vm_dir/carry.tar" \
		-chardev "file,id=console,path=$vm_dir/console" -serial chardev:console \
		-device virtio-serial-pci \
		-chardev "file,id=report,path=$vm_dir/report" -device virtserialport,chardev=report \
		-chardev "file,id=results,path=$vm_dir/results.tar" -device virtserialport,chardev=results \
		>"$vm_dir/qemu.log" 2>&1 </dev/null &
	vm_pid=$!
}

# vm_lives ACCELERATOR: whether the guest's kernel runs with it. Where a hypervisor in a
# hypervisor offers KVM, that may stop at the first instruction that it does not know.
vm_lives()
{
	[ "$1" = kvm ] || return 0
	for _ in {1..100}; do
		! grep -q '^initrd: ' "$vm_dir/console" || return 0
		kill -0 "$vm_pid" 2>/dev/null || break
		sleep 0.1
	done
	say "KVM does not run the guest's kernel: emulated, then"
	return 1
}

vm_stop()
{
	[ -n "$vm_pid" ] || return 0
	kill "$vm_pid" 2>/dev/null || true # it ended by itself
	wait "$vm_pid" 2>/dev/null || true # 143: we ended it
	vm_pid=
}
