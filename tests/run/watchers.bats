# shellcheck shell=bash
# Who ate the watchers: what "berth stats" and "berth inspect" say, and the workspace's log.

load ../lib/common

setup()
{
	common_setup
	name=$(new_name)
	# The machine's own files: the tests' trees have no Python with ctypes.
	probe subids tool:jq tool:python3
}

# watcher.py WATCHES [FORKS]: has so many, calls itself "eater", and waits; each fork shares them.
workspace()
{
	mkdir test
	cat >test/watcher.py <<-'END'
		import ctypes, os, sys, time
		libc = ctypes.CDLL(None, use_errno=True)
		libc.prctl(15, sys.argv[2].encode())
		fd = libc.inotify_init()
		refused = 0
		for i in range(int(sys.argv[1])):
		    path = "/tmp/w%d-%d" % (os.getpid(), i)
		    open(path, "w").close()
		    refused += libc.inotify_add_watch(fd, path.encode(), 2) < 0
		for i in range(int(sys.argv[3])):
		    if os.fork() == 0:
		        break
		print("refused", refused, flush=True)
		time.sleep(1000)
	END
	berth run -d --name "$name" --rootfs host --init berth -v "$PWD/test:/test:ro" \
		--net none "$@" -- sleep 1000 >/dev/null
}

# eater WATCHES NAME [FORKS]: begins one, and waits until it has them.
eater()
{
	: >"out-$2"
	berth exec "$name" -- python3 /test/watcher.py "$1" "$2" "${3:-0}" >"out-$2" 3>&- &
	wait_until 20 grep -q refused "out-$2"
}

watchers() { "$BERTH" inspect "$name" | jq -c ".[0].watchers | $1"; }

@test "watches are told by process, the most first, with what there may be" {
	workspace --watches 500 --inotify-instances 50
	assert_equal "$(watchers .watches)" '{"now":0,"max":500}'
	eater 40 small
	eater 300 big
	assert_equal "$(watchers .watches)" '{"now":340,"max":500}'
	assert_equal "$(watchers .inotify_instances)" '{"now":2,"max":50}'
	assert_equal "$(watchers '.by_process | map([.name, .watches, .container])')" \
		'[["big",300,""],["small",40,""]]'
	# The number is the workspace's own.
	pid=$(watchers '.by_process[0].pid')
	assert_equal "$("$BERTH" exec "$name" -- cat "/proc/$pid/comm")" big
	run "$BERTH" stats "$name"
	assert_has "340 / 500"
	assert_has "$name: inotify watches: 340 of 500: 300 in big[$pid], 40 in small["
	[[ $output != *"inotify instances: 2"* ]]
	run "$BERTH" stats --format json "$name"
	assert_equal "$(jq -c '.[0].watchers | [.watches.now, .partial]' <<<"$output")" '[340,false]'
}

@test "of many the sixteen with the most are named, whichever comes first, and all are counted" {
	local expected="" i

	workspace --watches 1000
	cat >test/many.py <<-'END'
		import ctypes, os, sys, time
		libc = ctypes.CDLL(None)
		for n in map(int, sys.argv[1:]):
		    ready, done = os.pipe()
		    if os.fork() == 0:
		        libc.prctl(15, b"has%d" % n)
		        fd = libc.inotify_init()
		        for i in range(n):
		            open("/tmp/f%d" % i, "w").close()
		            assert libc.inotify_add_watch(fd, b"/tmp/f%d" % i, 2) > 0
		        os.write(done, b"x")
		        time.sleep(1000)
		    os.read(ready, 1)
		print("ready", flush=True)
		time.sleep(1000)
	END
	for i in {40..25}; do expected+=,\"has$i:$i\"; done
	for order in "$(seq 40)" "$(seq 40 -1 1)"; do
		# shellcheck disable=SC2086 # words
		berth exec "$name" -- python3 /test/many.py $order >out 3>&- &
		wait_until 20 grep -q ready out
		assert_equal "$(watchers '.by_process | map("\(.name):\(.watches)")')" "[${expected#,}]"
		assert_equal "$(watchers '[.watches.now, .inotify_instances.now]')" '[820,40]'
		run -0 berth exec "$name" -- pkill has
		none_left() { [ "$(watchers .watches.now)" = 0 ]; }
		wait_until 20 none_left
		rm out
	done
}

@test "what processes share counts once" {
	workspace --watches 500
	eater 100 shared 9
	assert_equal "$(watchers '[.watches.now, .inotify_instances.now]')" '[100,1]'
}

# dup.py COPIES FORKS: one instance with one watch, in so many descriptors of so many processes.
copies()
{
	cat >test/dup.py <<-'END'
		import ctypes, os, resource, sys, time
		copies, forks = int(sys.argv[1]), int(sys.argv[2])
		hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
		resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
		libc = ctypes.CDLL(None)
		for i in range(forks):
		    if os.fork() == 0:
		        break
		fd = libc.inotify_init()
		assert libc.inotify_add_watch(fd, b"/tmp", 2) > 0
		for i in range(copies):
		    os.dup(fd)
		print("copied", flush=True)
		time.sleep(1000)
	END
	: >out-copies
	berth exec "$name" -- python3 /test/dup.py "$1" "$2" >out-copies 2>&1 3>&- &
	wait_until 60 eval "[ \"\$(grep -c copied out-copies)\" = $(($2 + 1)) ]"
}

@test "copies of a descriptor are one instance, and of too many it is said that not all was seen" {
	workspace --watches 500
	copies 500 0
	assert_equal "$(watchers '[.watches.now, .inotify_instances.now, .partial]')" '[1,1,false]'
	copies 6000 0
	assert_equal "$(watchers '[.watches.now, .inotify_instances.now, .partial]')" '[2,2,true]'
	run "$BERTH" stats "$name"
	assert_has "2+ / 500"
}

# bats test_tags=long
@test "whoever opens without end keeps the supervisor from nothing" {
	workspace --watches 5000
	copies 19990 13
	# It looks every 5 s at first, then every 30 s: at least one look is in these 34 s.
	for i in $(seq 68); do
		from=$(date +%s%3N)
		"$BERTH" health "$name" >/dev/null || fail "not healthy after $i"
		took=$(($(date +%s%3N) - from))
		[ "$took" -lt 5000 ] || fail "an answer took $took ms"
		sleep 0.5
	done
	# And whoever looks himself is done soon.
	from=$(date +%s%3N)
	assert_equal "$(watchers .partial)" true
	[ $(($(date +%s%3N) - from)) -lt 5000 ]
}

@test "what is outside of the workspace does not count, and without a budget there is no most" {
	workspace
	berth run -d --name "$name-2" --rootfs host --net none -v "$PWD/test:/test:ro" -- \
		python3 /test/watcher.py 7 other 0 >/dev/null
	wait_until 10 grep -q refused <("$BERTH" logs -f "$name-2")
	eater 5 mine
	assert_equal "$(watchers '[.watches.now, .watches.max]')" '[5,null]'
	"$BERTH" rm -f "$name-2"
}

@test "a name from inside speaks to nobody's terminal" {
	workspace --watches 20
	eater 15 $'\033[31m\\x'
	run "$BERTH" stats "$name"
	assert_has '15 in \x1b[31m\x5cx['
	[[ $output != *$'\033'* ]]
}

# bats test_tags=long
@test "a budget that is used up is told in the log, with who has it" {
	workspace --watches 60
	eater 50 node
	run cat out-node
	assert_has "refused 0"
	sleep 6
	run "$BERTH" logs "$name"
	[[ $output != *watchers:* ]] || fail "$output"
	eater 20 late
	run cat out-late
	assert_has "refused 10"
	wait_until 15 grep -q "watchers:" <("$BERTH" logs -f "$name")
	run "$BERTH" logs "$name"
	[[ $output =~ "berth: watchers: inotify watches at 100 % of 60, of them 50 in node["[0-9]+"], 10 in late[" ]] ||
		fail "$output"
	# Once, not at each look.
	sleep 11
	assert_equal "$("$BERTH" logs "$name" | grep -c watchers:)" 1
}

@test "fanotify groups and marks are told, too" {
	workspace --fanotify-groups 10 --fanotify-marks 20
	cat >test/marks.py <<-'END'
		import ctypes, time
		libc = ctypes.CDLL(None, use_errno=True)
		fd = libc.fanotify_init(0x200, 0)  # FAN_REPORT_FID: no privilege is needed
		assert fd >= 0, ctypes.get_errno()
		for i in range(3):
		    path = "/tmp/m%d" % i
		    open(path, "w").close()
		    assert libc.fanotify_mark(fd, 1, ctypes.c_uint64(2), -100, path.encode()) == 0, ctypes.get_errno()
		print("marked", flush=True)
		time.sleep(1000)
	END
	berth exec "$name" -- python3 /test/marks.py >out 2>&1 3>&- &
	wait_until 20 grep -q . out
	run cat out
	assert_output marked
	assert_equal "$(watchers '[.fanotify_groups.now, .fanotify_marks.now, .fanotify_marks.max]')" '[1,3,20]'
}
