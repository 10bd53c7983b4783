# shellcheck shell=bash
# reboot(2) in a workspace only ends it: by SIGINT for power-off, by SIGHUP for another start.

load ../lib/common

setup()
{
	common_setup
	probe small
	name=$(new_name)
}

# busybox's own applets call reboot(2) with -f; PID 1 is the command itself.
@test "power-off by the command itself is exit 0, and kept as the reason" {
	run berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" --init none -- \
		/bin/busybox poweroff -f
	assert_status 0
	run berth inspect "$name"
	assert_has '"reason": "powered off"'
}

@test "a reboot starts the workspace again, in the same entry" {
	mkdir shared
	berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" -v "$PWD/shared:/mnt" \
		--init none -d -- sh -c 'echo start >>/mnt/starts
			if [ "$(wc -l </mnt/starts)" -lt 2 ]; then sleep 1.2; busybox reboot -f; fi
			exec sleep 1000'
	wait_until 20 sh -c '[ "$(wc -l <shared/starts)" -eq 2 ]'
	wait_until 20 sh -c "'$BERTH' ps -q | grep -qx '$name'"
	berth rm -f "$name"
}

@test "a reboot opens published ports again, and those that were added are gone" {
	probe subids tool:curl
	mkdir shared
	berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" -v "$PWD/shared:/mnt" --net relay \
		-p 127.0.0.1:28200:80 --init none -d -- sh -c 'echo start >>/mnt/starts
			if [ "$(wc -l </mnt/starts)" -lt 2 ]; then
				while [ ! -e /mnt/go ]; do sleep 0.1; done; busybox reboot -f; fi
			exec httpd -f -p 80 -h /mnt'
	berth port "$name" --add 127.0.0.1:28201:81
	touch shared/go
	wait_until 20 sh -c '[ "$(wc -l <shared/starts)" -eq 2 ]'
	wait_until 20 answers_second
	run berth port "$name"
	assert_output "80/tcp -> 127.0.0.1:28200"
	berth rm -f "$name"
}

answers_second() { [ "$(curl -s --max-time 2 http://127.0.0.1:28200/starts | wc -l)" = 2 ]; }

@test "one that reboots at once is started after a pause that grows, and can be stopped meanwhile" {
	mkdir shared
	berth run --name "$name" --rootfs "$BERTH_TEST_SMALL" -v "$PWD/shared:/mnt" \
		--init none -d -- sh -c 'date +%s >>/mnt/starts; exec busybox reboot -f'
	wait_until 20 sh -c '[ "$(wc -l <shared/starts)" -ge 3 ]'
	berth stop "$name"
	# 1 s, then 2 s; the clock's second ends somewhere.
	run awk 'NR > 1 { ok = ok ($1 - last >= NR - 1) } { last = $1 } NR == 3 { print ok; exit }' shared/starts
	assert_output 11
	run berth ps -q
	[[ $output != *"$name"* ]]
}

@test "with --rm a reboot is the end" {
	run berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL" --init none -- \
		sh -c 'sleep 1.2; exec busybox reboot -f'
	assert_status 0
	run berth ps -aq
	[[ $output != *"$name"* ]]
}
