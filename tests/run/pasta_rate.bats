#!/usr/bin/env bats
#
# Low rates with --net pasta, which an emulated machine can use up: the guest of tests/vm runs this file,
# too. pasta.bats has the others.

load ../lib/common
load ../lib/network

setup()
{
	common_setup
	probe small subids tool:pasta tool:python3 tool:ip tool:nsenter tool:tc tool:jq
	probe file:/dev/net/tun
	pod_up
	probe tun_in_pod
	wait_until 5 is_settled
	name=$(new_name)
}

teardown()
{
	pod_down
	common_teardown
}

# verified: "holds" or "differs", of the part of the gateway that keeps the rate of uploads.
verified()
{
	berth_in_pod policy verify --format json "$name" |
		jq -r '.rows[] | select(.kind == "shape" and (.what | startswith("upload"))) | .state'
}

gateway() { in_pod nsenter -t "$warden" -n "$@"; }

# What came from the workspace so far, and what of it the ifb let through, in bytes.
came() { gateway ip -s -j link show berth0 | jq '.[0].stats64.rx.bytes'; }
passed() { gateway tc -s qdisc show dev berth-up | sed -n '/ tbf /{n;s/^ *Sent \([0-9]*\) .*/\1/p}'; }

# faster_than BYTES: comes from the workspace in a second.
faster_than()
{
	local before

	before=$(came)
	sleep 1
	[ $(($(came) - before)) -gt "$1" ]
}

# keeps DEVICE RATE COMMAND: the shaper keeps RATE while COMMAND runs inside. A machine that is busy may be
# slower for once; nothing makes it faster.
keeps()
{
	local percent

	berth_in_pod exec -d "$name" -- sh -c "exec $3"
	for _ in 1 2 3; do
		run -0 in_pod bash shapers.sh "$warden" "$2" "$1"
		percent=${output% }
		[ "$percent" -le 103 ] || fail "$1: $percent % of $2 bit/s" || return
		[ "$percent" -lt 90 ] || break
	done
	[ "$percent" -ge 90 ] || fail "$1: $percent % of $2 bit/s" || return
	berth_in_pod exec "$name" -- killall nc
}

@test "low rates are kept in both directions, and that of uploads by an ifb" {
	local word bits rate before

	cp "$BATS_TEST_DIRNAME"/../lib/{pump.py,shapers.sh} .
	chmod -R a+rX .
	serve pump.log at_peer python3 pump.py 10.9.0.2 9000 9001
	while read -r word bits; do
		run -0 berth_in_pod plan --net pasta --rate-down "$word" --rate-up "$word" --rootfs "$BERTH_TEST_SMALL:O" -- true
		assert_has "download $word"
		[[ $output == *"upload $word"* && $output != *"upload $word, by the relay"* ]] || fail "$output"
		name=$(new_name)
		run -0 berth_in_pod run --name "$name" --net pasta --rate-down "$word" --rate-up "$word" \
			--rootfs "$BERTH_TEST_SMALL:O" -d -- sleep 600
		warden=$(pgrep -x berth-warden -P "$(berth_in_pod inspect "$name" | jq '.[0].pids.supervisor')")
		assert_equal "$(verified)" holds
		rate=$bits
		# One after the other: an emulated machine has no more to give.
		keeps berth-up "$bits" "nc 10.9.0.2 9001 </dev/zero"
		keeps berth0 "$bits" "nc 10.9.0.2 9000 >/dev/null"
	done <<-'END'
		1mbit 1000000
		500kbit 500000
	END
	# Without the way into the ifb nothing keeps it.
	berth_in_pod exec -d "$name" -- sh -c "exec nc 10.9.0.2 9001 </dev/zero"
	sleep 5
	! faster_than $((rate / 4)) || fail "more than twice the rate comes"
	gateway tc filter del dev berth0 ingress
	assert_equal "$(verified)" differs
	wait_until 60 faster_than $((rate / 4))
	before=$(passed)
	sleep 1
	assert_equal "$(passed)" "$before"
}
