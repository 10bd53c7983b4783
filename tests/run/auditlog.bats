# shellcheck shell=bash
# The audit log: what is done with a workspace and what it meets, told before it is done.

load ../lib/common

setup()
{
	common_setup
	name=$(new_name)
	log=$PWD/audit.log
	probe small subids tool:jq
}

# workspace OPTION...: one that lives until the test ends it.
workspace()
{
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --audit-log "$log" "$@" -- \
		/bin/sleep 1000 >/dev/null
}

# lines FILTER: of the log, by jq.
lines() { jq -c "$@" "$log"; }

# is_lines N: that many lines, each with its end, and each of them one document.
is_lines()
{
	assert_equal "$(wc -l <"$log")" "$1"
	assert_equal "$(jq -R 'fromjson | type' "$log" | sort | uniq -c | xargs)" "$1 object"
}

events() { lines -r .event | paste -sd' '; }

@test "start, exec, stop and exit, by whom, in order, on lines of one schema" {
	workspace --net none
	"$BERTH" exec -u 0:0 "$name" -- /bin/echo "a b" ""
	"$BERTH" inspect "$name" >/dev/null
	"$BERTH" stop "$name"
	"$BERTH" wait --exit "$name" || true
	assert_equal "$(events)" "start exec stop exit"
	is_lines 4
	assert_equal "$(lines '[.version, .seq, .workspace]' | sort -u)" \
		"$(for i in 1 2 3 4; do echo "[1,$i,\"$name\"]"; done)"
	# Times are UTC, and do not go back.
	run lines -r .time
	[[ ${lines[0]} =~ ^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{3}Z$ ]]
	assert_equal "$(printf '%s\n' "${lines[@]}" | sort)" "$output"
	assert_equal "$(lines 'select(.event == "exec") | [.by_uid, .user, .command, .cut]')" \
		"[$(id -u),\"0:0\",[\"/bin/echo\",\"a b\",\"\"],false]"
	assert_equal "$(lines 'select(.event == "stop") | .by_uid')" "$(id -u)"
	assert_equal "$(lines 'select(.event == "start") | .uid')" "$(id -u)"
	[ "$(stat -c %a "$log")" = 600 ]
}

@test "the policy is there as it was merged, without secrets, and its hash is of that" {
	echo '{ "environment": { "TOKEN": "secret1" }, "limits": { "watches": 100 },
		"capabilities": { "drop": ["net_raw"] }, "audit": { "log": "'"$log"'", "size": "128k" } }' >policy.json
	berth run --rm --name "$name" --policy ./policy.json --rootfs "$BERTH_TEST_SMALL:O" --net none \
		-e OTHER=secret2 --watches 50 -- /bin/true
	run ! grep secret "$log"
	lines -j 'select(.event == "start") | .policy' >merged.json
	assert_equal "$(sha256sum <merged.json | cut -d' ' -f1)" \
		"$(lines -r 'select(.event == "start") | .policy_sha256')"
	assert_equal "$(lines -r 'select(.event == "start") | .policy_name')" "./policy.json"
	# It is a policy itself.
	run "$BERTH" policy validate ./merged.json
	assert_output "./merged.json: good"
	assert_equal "$(jq -c '[.limits.watches, .environment, .audit.size, .capabilities.drop, .network.uplink]' merged.json)" \
		'[50,{"TOKEN":"***","OTHER":"***"},"131072",["net_raw"],"none"]'
}

# policies: what inspect says, and each line of start.
policies()
{
	"$BERTH" inspect "$name" | jq -r '.[0].policy'
	lines -r 'select(.event == "start") | .policy_name'
}

@test "the policy's name is kept for the next start, and where berth is started again in a scope" {
	local hash

	echo '{ "extends": "shell", "limits": { "watches": 100 } }' >policy.json
	workspace --net none --policy ./policy.json
	berth stop -t 0 "$name"
	rm policy.json # a name is no policy: what it said is in the record
	berth start "$name"
	assert_equal "$(policies | paste -sd' ')" "./policy.json ./policy.json ./policy.json"
	hash=$(lines 'select(.event == "start") | .policy_sha256' | uniq -c)
	[[ $hash == *" 2 "* ]] || fail "$hash"
	# Without one there is none, and by the variable of a scope nothing but the text is another.
	berth rm -f "$name"
	rm "$log"
	workspace --net none
	assert_equal "$(policies | paste -sd' ')" " null"
	hash=$(lines 'select(.event == "start") | .policy_sha256')
	berth rm -f "$name"
	rm "$log"
	BERTH_SCOPE=x.scope BERTH_SCOPE_POLICY=./policy.json workspace --net none
	assert_equal "$(policies | paste -sd' ')" "./policy.json ./policy.json"
	assert_equal "$(lines 'select(.event == "start") | .policy_sha256')" "$hash"
	berth rm -f "$name"
	rm "$log"
	BERTH_SCOPE_POLICY=./policy.json workspace --net none
	assert_equal "$(policies | paste -sd' ')" " null"
}

@test "a long command is cut, and it is said" {
	workspace --net none
	"$BERTH" exec "$name" -- /bin/true "$(printf '%3000s' x)" short
	assert_equal "$(lines 'select(.event == "exec") | [.cut, .command[0], (.command | length)]')" \
		'[true,"/bin/true",2]'
}

@test "ports, rates and denied destinations are told, with who asked" {
	workspace --egress deny:192.0.2.0/24 -p auto --publish-allow 18240-18249
	"$BERTH" port --add 127.0.0.1:18233:80 "$name"
	"$BERTH" update --rate-down 5mbit "$name"
	"$BERTH" port --remove 127.0.0.1:18233:80 "$name"
	assert_equal "$(lines 'select(.event == "port") | [.action, .port, .by_uid]' | paste -sd' ')" \
		"[\"add\",\"127.0.0.1:18233:80\",$(id -u)] [\"opened\",\"127.0.0.1:18233:80/tcp\",null] [\"remove\",\"127.0.0.1:18233:80\",$(id -u)] [\"closed\",\"127.0.0.1:18233:80/tcp\",null]"
	assert_equal "$(lines 'select(.event == "update") | [.rate_down, .rate_up]')" '["5mbit",null]'
	"$BERTH" exec "$name" -- /bin/sh -c 'echo | nc -w 1 192.0.2.9 443' || true
	wait_until 5 grep -q egress-denied "$log"
	assert_equal "$(lines 'select(.event == "egress-denied") | [.protocol, .to, .rule]' | sort -u)" \
		'["tcp","192.0.2.9:443","deny:192.0.2.0/24"]'
	# There, and not in the workspace's own log.
	run "$BERTH" logs "$name"
	[[ $output != *192.0.2.9* ]]
	# Nobody asked for what -p auto opens.
	"$BERTH" exec -d "$name" -- nc -l -p 18241
	wait_until 10 grep -q '"opened","port":"[^"]*18241' "$log"
	assert_equal "$(lines 'select(.event == "port" and (.port | contains("18241"))) | [.action, .by_uid]')" \
		'["opened",null]'
}

@test "a budget that is used up is told" {
	probe tool:python3
	mkdir test
	cat >test/eat.py <<-'END'
		import ctypes, time
		libc = ctypes.CDLL(None)
		fd = libc.inotify_init()
		for i in range(30):
		    open("/tmp/w%d" % i, "w").close()
		    libc.inotify_add_watch(fd, b"/tmp/w%d" % i, 2)
		time.sleep(100)
	END
	berth run -d --name "$name" --rootfs host --net none --watches 20 -v "$PWD/test:/test:ro" \
		--audit-log "$log" -- python3 /test/eat.py >/dev/null
	wait_until 15 grep -q '"limit"' "$log"
	assert_equal "$(lines -r 'select(.event == "limit") | .limit')" watchers
	[[ $(lines -r 'select(.event == "limit") | .text') == "watchers: inotify watches at 100 % of 20, of them 20 in python3"* ]]
}

@test "it goes to standard error, too" {
	run --separate-stderr "$BERTH" run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		--audit-log stderr -- /bin/echo out
	assert_equal "$output" out
	assert_equal "$(jq -r .event <<<"$stderr" | paste -sd' ')" "start exit"
	run -125 "$BERTH" run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --audit-log stderr -- /bin/true
	assert_has "--audit-log stderr with -d"
	run -125 "$BERTH" run --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --audit-required -- /bin/true
	assert_has "--audit-required without --audit-log"
}

# bats test_tags=long
@test "a file that is full is renamed, and begun again" {
	workspace --net none --audit-size 64k
	for i in $(seq 60); do
		"$BERTH" exec "$name" -- /bin/true "$i$(printf '%1900s' x)"
	done
	[ -e "$log.1" ]
	[ "$(stat -c %s "$log")" -le 65536 ]
	[ "$(stat -c %s "$log.1")" -le 65536 ]
	# No line is torn, and none is missing.
	assert_equal "$(cat "$log.1" "$log" | jq .seq | paste -sd' ')" "$(seq -s' ' 61)"
	# Who moves it away himself gets a new one.
	mv "$log" moved
	"$BERTH" exec "$name" -- /bin/true
	assert_equal "$(events)" exec
}


@test "what cannot be written is lost and counted, and nothing stops for that" {
	mkfifo pipe
	exec 7<>pipe
	log=$PWD/pipe
	workspace --net none
	# Nobody reads: the pipe fills up.
	for i in $(seq 40); do
		"$BERTH" exec "$name" -- /bin/true "$i$(printf '%1900s' x)"
	done
	run "$BERTH" logs "$name"
	assert_has "lines are lost"
	timeout 2 cat <&7 >taken || true
	"$BERTH" exec "$name" -- /bin/true last
	timeout 1 cat <&7 >>taken || true
	exec 7<&-
	lost=$(jq 'select(.event == "lost") | .lines' taken)
	[ "$lost" -gt 0 ]
	assert_equal "$(jq -r 'select(.event == "exec") | .command[1]' taken | tail -n 1)" last
	assert_equal "$((lost + $(jq 'select(.event == "exec")' -c taken | wc -l)))" 41
}

@test "with audit.required nothing is done that cannot be told" {
	mkfifo pipe
	exec 7<>pipe
	log=$PWD/pipe
	workspace --net none --audit-required
	refused=0
	for i in $(seq 40); do
		run "$BERTH" exec "$name" -- /bin/sh -c "echo done-\$0 $(printf '%1900s' x)" "$i"
		[ "$status" -eq 0 ] || { refused=$i; break; }
	done
	[ "$refused" -gt 0 ]
	assert_status 125
	assert_has "write the audit log"
	assert_has "audit.required"
	[[ $output != *done-* ]]
	# A stop is obeyed all the same.
	"$BERTH" stop -t 1 "$name"
	exec 7<&-
	# And where it cannot even begin there is no workspace.
	run -125 berth run --name "$name-2" --rootfs "$BERTH_TEST_SMALL:O" --net none --audit-required \
		--audit-log "$PWD/missing/log" -- /bin/echo started
	assert_has "open the audit log's directory"
	[[ $output != *started* ]]
	run berth run --rm --name "$name-3" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		--audit-log "$PWD/missing/log" -- /bin/echo started
	assert_status 0
	assert_has started
	# Told once, and why.
	assert_equal "$(grep -c '^berth: warning: .*audit log' <<<"$output")" 1
	assert_has "open the audit log's directory '$PWD/missing': No such file or directory; lines are lost"
}

# bats test_tags=long
@test "a full disk does not stop the workspace unless audit.required, and tears no line" {
	# A world of the user's own, where a file system of 16 KiB can be mounted.
	cat >script <<-'END'
		mount -t tmpfs -o size=16k none disk
		"$BERTH" run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none --audit-log "$PWD/disk/log" $1 -- /bin/sleep 1000 >/dev/null
		ran=0 refused=0
		for i in $(seq 20); do
			if said=$("$BERTH" exec "$name" -- /bin/sh -c 'echo "ran-$0"' "$i" "$(printf '%3000s' x)" 2>&1); then ran=$((ran + 1)); else refused=$((refused + 1)) why=$said; fi
		done
		echo "ran $ran refused $refused full $(wc -l <disk/log)"
		cp disk/log torn
		# Room again: those that were lost are told, and the next one.
		: >disk/log
		"$BERTH" exec "$name" -- /bin/true
		"$BERTH" rm -f "$name" >/dev/null
		cp disk/log later
		echo "why ${why-}"
	END
	mkdir disk
	export name
	run -0 --separate-stderr in_cgroup unshare --map-auto --map-root-user -m bash -euo pipefail script ""
	assert_equal "$(awk '{ print $1, $2, $3, $4 }' <<<"${lines[0]}")" "ran 20 refused 0"
	jq -R fromjson <torn >/dev/null
	assert_equal "$(jq -r .event <later | head -n 2 | paste -sd' ')" "lost exec"
	written=$(jq -c 'select(.event != "lost")' torn | wc -l)
	[ "$written" -lt 15 ]
	assert_equal "$(cat torn later | jq -s 'map(select(.event == "lost").lines) | add')" "$((21 - written))"
	# With the other way the rest is not done.
	export name=$name-2
	run -0 --separate-stderr in_cgroup unshare --map-auto --map-root-user -m bash -euo pipefail script --audit-required
	[[ ${lines[0]} =~ ^ran\ ([0-9]+)\ refused\ ([0-9]+)\ full\ ([0-9]+)$ ]]
	assert_equal "$((BASH_REMATCH[1] + BASH_REMATCH[2])) $((BASH_REMATCH[1] + 1))" "20 ${BASH_REMATCH[3]}"
	[ "${BASH_REMATCH[2]}" -gt 0 ]
	assert_has "write the audit log: No space left on device"
	jq -R fromjson <torn >/dev/null
}

@test "a place that the workspace can write to is refused" {
	mkdir volume
	ln -s volume link
	for place in volume/log link/log volume/new/../log; do
		run -125 berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none \
			-v "$PWD/volume:/data" --audit-log "$place" -- /bin/true
		[[ $output == *"which the workspace can write to"* || $output == *"goes through '..'"* ]] ||
			fail "$output"
	done
	[ ! -e volume/log ]
	berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		-v "$PWD/volume:/data:ro" --audit-log volume/log -- /bin/true
	[ -s volume/log ]
	mkdir directory
	ln -s volume/log link-to-file
	for place in directory link-to-file /dev/null; do
		run -125 berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none \
			--audit-log "$place" -- /bin/true
		assert_has "audit log"
	done
}

@test "start goes on in the same file, and a launch that fails says why" {
	workspace --net none
	"$BERTH" stop -t 0 "$name"
	"$BERTH" start "$name" >/dev/null
	"$BERTH" kill "$name"
	"$BERTH" wait --exit "$name" || true
	assert_equal "$(events)" "start stop exit start kill exit"
	assert_equal "$(lines 'select(.event == "kill") | .signal')" 9
	rm "$log"
	run -127 berth run --rm --name "$name-2" --rootfs "$BERTH_TEST_SMALL:O" --net none --audit-log "$log" -- \
		/bin/missing
	assert_equal "$(events)" "start failed"
	[[ $(lines -r 'select(.event == "failed") | .reason') == *missing* ]]
}

@test "a policy that does not require the log any more allows more" {
	echo '{ "audit": { "log": "/x", "required": true } }' >a.json
	echo '{ "audit": { "log": "/x", "required": false } }' >b.json
	run -1 "$BERTH" policy diff ./a.json ./b.json
	assert_output "+ audit.required: false, was true"
	run -0 "$BERTH" policy diff ./b.json ./a.json
	assert_output "- audit.required: true, was false"
	# What extends can say no.
	echo '{ "extends": "./a.json", "audit": { "required": false } }' >c.json
	run "$BERTH" policy show --format json ./c.json
	assert_equal "$(jq -c .audit <<<"$output")" '{"log":"/x","required":false}'
}

# number CALL: on this machine, as the exported filter says.
number() { "$BERTH" policy seccomp | sed -n "s/.*syscall \"$1\" (\([0-9]*\))/\1/p" | head -n 1; }

# told FILTER: whether there is such a line.
told() { [ -n "$(lines "select($1)")" ]; }

# refused FILTER: of the lines that tell of refused calls.
refused() { lines "select(.event == \"syscall-refused\") | $1"; }

@test "refused system calls: told once, when they are many and at the end, by what calls itself so" {
	probe debian
	try='for my $i (1 .. 5) { syscall('"$(number keyctl)"', -1, 0, 0, 0, 0) } print "$!\n"; socket(my $s, 38, 5, 0); print "$!\n"'
	run -0 --separate-stderr berth run --rm --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --net none \
		--audit-log "$log" --audit-syscalls -- perl -e "$try"
	assert_output $'Function not implemented\nAddress family not supported by protocol'
	assert_equal "$(refused 'select(.call == "keyctl") | [.process, .calls, .value, .permitted]' | paste -sd' ')" \
		'["perl",1,null,false] ["perl",5,null,false]'
	assert_equal "$(refused 'select(.process == "perl" and .call != "keyctl") | [.call, .value, .calls]')" '["socket:AF_ALG",38,1]'
	run -0 --separate-stderr lines -r .event
	[ "${lines[-1]}" = exit ] # all before it
	# Control: without the option nobody is told, and nobody is there to tell.
	rm "$log"
	berth run --rm --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --net none --audit-log "$log" -- perl -e "$try"
	assert_equal "$(events)" "start exit"
}

@test "what calls itself so speaks to nobody's terminal" {
	probe debian
	berth run --rm --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --net none --audit-log "$log" --audit-syscalls -- \
		perl -e '$0 = "a\xc2\x9b31m\x7f\e["; syscall('"$(number keyctl)"', -1, 0, 0, 0, 0)'
	grep -qF '"process":"a\u009b31m\u007f\u001B["' "$log"
	if LC_ALL=C grep $'[\033\177\302]' "$log"; then fail "a control in the log"; fi
	assert_equal "$(lines -r 'select(.call == "keyctl") | .process' | head -n 1)" $'a\302\23331m\177\033['
}

@test "refused system calls of exec are told, too, and a nested listener gets EBUSY" {
	probe debian
	# seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER) with one instruction, which allows all.
	listener='$insn = pack("SCCL", 6, 0, 0, 0x7fff0000); $prog = pack("Sx6P", 1, $insn);
		syscall('"$(number prctl)"', 38, 1, 0, 0, 0);
		print syscall('"$(number seccomp)"', 1, 8, $prog) < 0 ? "$!\n" : "listens\n"'
	berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --init berth --net none \
		--audit-log "$log" --audit-syscalls -- sleep 1000
	run -0 --separate-stderr "$BERTH" exec "$name" perl -e 'syscall('"$(number ptrace)"'); syscall('"$(number bpf)"', -1); print "$!\n"'
	assert_output "Operation not permitted"
	wait_until 10 told '.call == "bpf" and .process == "perl"'
	run -0 --separate-stderr "$BERTH" exec "$name" perl -e "$listener"
	assert_output "Device or resource busy"
	# Positive control.
	run -0 --separate-stderr berth run --rm --name "$name-2" --rootfs "$BERTH_TEST_ROOTFS:O" --net none -- perl -e "$listener"
	assert_output listens
	# All of them died, the workspace did not.
	for _ in 1 2 3; do "$BERTH" exec -d "$name" sh -c 'exec sleep 0.1'; done
	run -0 "$BERTH" exec "$name" true
	run -0 "$BERTH" policy verify "$name"
}

@test "who hears of refused calls is killed: they get ENOSYS, nothing passes, and the log says so" {
	probe debian
	berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --init berth --net none \
		--audit-log "$log" --audit-permissive -- sleep 1000
	supervisor=$("$BERTH" inspect "$name" | jq '.[0].pids.supervisor')
	for child in $(pgrep -P "$supervisor"); do
		[ "$(cat "/proc/$child/comm")" != berth-listener ] || listener=$child
	done
	# shellcheck disable=SC2154 # it is there, or the test fails
	assert_equal "$(grep -c '^CapEff:.*[1-9a-f]' "/proc/$listener/status")" 0
	grep -q '^NoNewPrivs:.*1' "/proc/$listener/status"
	grep -q '^Seccomp:.*2' "/proc/$listener/status"
	kill -9 "$listener"
	wait_until 10 told '.event == "syscalls-unheard"'
	run -0 "$BERTH" logs "$name"
	assert_has "who heard of refused system calls is gone"
	# Who comes in has a filter all the same, of which nobody is asked.
	run -0 "$BERTH" exec "$name" perl -e 'syscall('"$(number keyctl)"', -1, 0, 0, 0, 0); print "$!\n"; syscall('"$(number bpf)"', -1); print "$!\n"'
	assert_output $'Function not implemented\nOperation not permitted'
	"$BERTH" rm -f "$name"
	# Where all has to be told nothing comes in that nobody would hear of.
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --init berth --net none \
		--audit-log "$log-2" --audit-syscalls --audit-required -- sleep 1000
	supervisor=$("$BERTH" inspect "$name" | jq '.[0].pids.supervisor')
	run -0 "$BERTH" exec "$name" true
	for child in $(pgrep -P "$supervisor"); do
		[ "$(cat "/proc/$child/comm")" != berth-listener ] || kill -9 "$child"
	done
	wait_until 10 grep -q syscalls-unheard "$log-2"
	run -125 "$BERTH" exec "$name" true
	assert_has "who hears of refused system calls is gone"
	assert_has "audit.required"
}

@test "permissive: what is refused passes and is told, and what suggest makes of it passes without" {
	probe debian
	try='syscall('"$(number keyctl)"', -1, 0, 0, 0, 0); print "$!\n"; syscall('"$(number acct)"', 0); print "$!\n"'
	berth run --rm --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --net none --policy audit \
		--audit-log "$log" -- perl -e "$try" >out 2>err
	assert_equal "$(cat out)" $'Operation not supported\nOperation not permitted'
	assert_equal "$(refused 'select(.process == "perl") | [.call, .calls, .permitted]' | paste -sd' ')" '["keyctl",1,true] ["acct",1,false]'
	grep -q 'the policy refuses is told' <("$BERTH" plan --policy audit --rootfs "$BERTH_TEST_ROOTFS:O" --net none -- true)
	"$BERTH" policy suggest "$log" >suggested.json
	grep -q '// 1x perl' suggested.json
	grep -q '// acct is never allowed: 1x perl' suggested.json
	"$BERTH" policy validate ./suggested.json
	run -0 --separate-stderr berth run --rm --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --net none --policy ./suggested.json -- perl -e "$try"
	assert_output $'Operation not supported\nOperation not permitted'
	# Control: without the line it does not.
	run -0 --separate-stderr berth run --rm --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --net none -- perl -e "$try"
	assert_output $'Function not implemented\nOperation not permitted'
	# What no log is has its place told.
	echo '{"version":2,"event":"start"}' >>"$log"
	run "$BERTH" policy suggest "$log"
	assert_status 125
	assert_has "$log:$(wc -l <"$log"): no line of an audit log of version 1"
}

@test "places of metadata are not suggested, whatever denied them" {
	printf '%s\n' '{"version":1,"seq":1,"event":"start","policy_name":null,"policy":"{}"}' \
		'{"version":1,"event":"egress-denied","protocol":"tcp","to":"169.254.169.254:80","reason":"denied by","rule":"deny:169.254.0.0/16","permitted":true}' \
		'{"version":1,"event":"egress-denied","protocol":"tcp","to":"10.0.0.1:80","reason":"denied by","rule":"deny:any","permitted":true}' >log.jsonl
	run -0 --separate-stderr "$BERTH" policy suggest log.jsonl
	assert_has '"allow:10.0.0.1,80/tcp"'
	assert_has "is where clouds keep credentials, and is not suggested"
	[[ $output != *'"allow:169.254'* ]]
}

@test "a suggestion denies nothing by default that the run did not" {
	denied='{"version":1,"event":"egress-denied","protocol":"tcp","to":"10.0.0.1:80","reason":"denied by","rule":"deny:10.0.0.0/24","permitted":true}'
	start() { jq -nc --arg policy "$1" --argjson name "$2" '{version:1,event:"start",policy_name:$name,policy:$policy}'; }
	suggested()
	{
		printf '%s\n' "$(start "$@")" "$denied" >log.jsonl
		"$BERTH" policy suggest log.jsonl >suggested.json
		"$BERTH" policy show --format json ./suggested.json | jq -c '[.network.egress_default, .network.egress]'
	}
	# The rest was allowed, and the rules of no policy's file are to count in this one.
	rules='{"network":{"egress":["deny:10.0.0.0/24","allow:10.0.0.0/8,443/tcp"]}}'
	assert_equal "$(suggested "$rules" null)" \
		'["allow",["allow:10.0.0.1,80/tcp","deny:10.0.0.0/24","allow:10.0.0.0/8,443/tcp"]]'
	assert_equal "$(suggested '{"network":{"egress_default":"deny","egress":["allow:10.0.0.0/8,443/tcp"]}}' '"audit"')" \
		'["deny",["allow:10.0.0.1,80/tcp","allow:10.0.0.0/8,443/tcp"]]'
	# A policy by name is extended: its rules come once.
	echo "$rules" >own.json
	assert_equal "$(suggested "$rules" '"./own.json"')" \
		'["allow",["allow:10.0.0.1,80/tcp","deny:10.0.0.0/24","allow:10.0.0.0/8,443/tcp"]]'
	# There is room for all of them, or it would be no policy.
	rules=$(jq -nc '{network: {egress: [range(64) | "deny:10.1.0.\(.)"]}}')
	suggested "$rules" null >/dev/null
	grep -q '// and 1 more, which a policy has no room for' suggested.json
}

@test "however many things root inside has tried, a suggestion is made, and says what is not in it" {
	seq 1 5000 | sed 's/.*/{"version":1,"event":"syscall-refused","call":"keyctl","process":"p&","calls":1,"permitted":true}/' >log.jsonl
	echo '{"version":1,"event":"syscall-refused","call":"keyctl","process":"p1","calls":7,"permitted":true}' >>log.jsonl
	run -0 --separate-stderr "$BERTH" policy suggest log.jsonl
	assert_has '// 7x p1, 1x p2'
	assert_has "// More than 4096 different things were tried: 904 lines of further ones are not here."
	"$BERTH" policy suggest log.jsonl >suggested.json
	"$BERTH" policy validate ./suggested.json
}

@test "names that end comments or speak to terminals do not get out of a suggestion" {
	printf '%s\n' '{"version":1,"seq":1,"event":"start","policy_name":"./a\".json","policy":"{\"seccomp\":{\"deny\":[\"ptrace,bpf\"]},\"network\":{\"egress_default\":\"deny\",\"egress\":[\"deny:any\"]}}"}' \
		'{"version":1,"event":"syscall-refused","call":"keyctl","process":"a\n\"x\"\u001b[31m\u009b\u007f","calls":3,"permitted":true}' \
		'{"version":1,"event":"syscall-refused","call":"keyctl","process":"b","calls":4,"permitted":true}' \
		'{"version":1,"event":"syscall-refused","call":"keyctl\", \"bpf","process":"b","calls":4,"permitted":true}' \
		'{"version":1,"event":"syscall-refused","call":"ptrace","process":"gdb","calls":1,"permitted":true}' \
		'{"version":1,"event":"more","of":"syscall-refused","events":7}' \
		'{"version":1,"event":"egress-denied","protocol":"tcp","to":"10.0.0.1:443","reason":"denied by default","rule":null,"permitted":true}' \
		'{"version":1,"event":"egress-denied","protocol":"tcp","to":"10.0.0.1:443","reason":"denied by default","rule":null,"permitted":true}' \
		'{"version":1,"event":"egress-denied","protocol":"udp","to":"[fd00::1]:53","reason":"denied by","rule":"deny:any","permitted":true}' \
		'{"version":1,"event":"egress-denied","protocol":"icmp","to":"fd00::2","reason":"denied by default","rule":null,"permitted":true}' \
		'{"version":1,"event":"egress-denied","protocol":"tcp","to":"127.0.0.1:1","reason":"never","rule":null,"permitted":false}' >log.jsonl
	run -0 --separate-stderr "$BERTH" policy suggest log.jsonl
	assert_output '// Made by berth policy suggest of 11 lines, for review: what a program tries
// is not always what it needs.
{
	"extends": "./a\".json",
	"seccomp": {
		"allow": [
			// 3x a\x0a"x"\x1b[31m\xc2\x9b\x7f, 4x b
			"keyctl"
		]
	},
	"network": {
		"egress_default": "deny",
		"egress": [
			// 2x denied by default
			"allow:10.0.0.1,443/tcp",
			// 1x denied by deny:any
			"allow:fd00::1,53/udp",
			// 1x denied by default
			"allow:fd00::2,icmp"
		]
	},
	// keyctl", "bpf is no call of this berth: 4x b
	// ptrace is denied by the policy itself: take it out of seccomp.deny: 1x gdb
	// allow:127.0.0.1,1/tcp cannot be allowed: 1x never
	// 7 more tries were not told one by one: they are not here.
	// What is refused stays refused.
	"audit": { "permissive": false }
}'
}
