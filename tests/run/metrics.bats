# shellcheck shell=bash
# Metrics in the text format of Prometheus, printed and served; who serves them is confined, and no
# client keeps the supervisor or another client waiting.

load ../lib/common

setup()
{
	common_setup
	name=$(new_name)
	at=$PWD/metrics.sock
	probe small subids tool:curl tool:python3
	chmod a+rx "$BATS_TEST_TMPDIR"
}

teardown()
{
	[ -z "${prometheus:-}" ] || kill "$prometheus"
	common_teardown
}

# workspace OPTION...: one that lives until the test ends it, and serves at $at
workspace()
{
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		--metrics-listen "unix:$at" "$@" -- /bin/sleep 1000 >/dev/null
}

# ask PATH [OPTION...]: the answer's body; fails as curl does where the status is 400 or more
ask() { curl -sSf --max-time 20 --unix-socket "$at" "${@:2}" "http://ws$1"; }

# code PATH [OPTION...]: the status alone
code() { curl -s --max-time 20 -o /dev/null -w '%{http_code}' --unix-socket "$at" "${@:2}" "http://ws$1"; }

supervisor() { "$BERTH" inspect "$name" | jq '.[0].pids.supervisor'; }
server() { pgrep -P "$(supervisor)" -x berth-metrics; }
serves() { [ "$(code /healthz)" = 200 ]; }
gone() { ! kill -0 "$1" 2>/dev/null; }

clean()
{
	run promtool check metrics <"$1"
	assert_status 0
	assert_output ''
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

@test "stats --format prometheus: clean for promtool, of those named, or of all that run" {
	probe tool:promtool
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none --watches 500 -- \
		/bin/sleep 1000
	berth run -d --name "$name-2" --rootfs "$BERTH_TEST_SMALL:O" --net none -- /bin/sleep 1000
	"$BERTH" stats --format prometheus "$name" >one
	clean one
	grep -qx "berth_ready{workspace=\"$name\"} 1" one
	grep -qx "berth_watchers{workspace=\"$name\",kind=\"inotify_watches\"} 0" one
	grep -qx "berth_watchers_limit{workspace=\"$name\",kind=\"inotify_watches\"} 500" one
	run ! grep -e "$name-2" -e '^berth_network_bytes_total{' one
	"$BERTH" stats --format prometheus >all
	clean all
	grep -qx "berth_ready{workspace=\"$name\"} 1" all
	grep -qx "berth_ready{workspace=\"$name-2\"} 1" all
	run "$BERTH" stats --watch --format prometheus "$name"
	assert_status 125
	assert_has "--metrics-listen"
	run "$BERTH" stats --format prometheus "$name-3"
	assert_status 125
	berth rm -f "$name-2"
}

@test "all that run, without names: table and JSON, and nothing where nothing runs" {
	probe tool:jq
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none -- /bin/sleep 1000
	"$BERTH" stats --format json >all
	[ "$(jq -r --arg name "$name" '.[] | select(.name == $name) | .name' all)" = "$name" ]
	assert_equal "$(jq -c --arg name "$name" '.[] | select(.name == $name) | .limits_met' all)" \
		'{"memory_max":0,"oom_kills":0,"pids_max":0}'
	run "$BERTH" stats
	assert_has "$name"
	mkdir -m 0700 empty
	run env XDG_RUNTIME_DIR="$PWD/empty" "$BERTH" stats
	assert_status 0
	assert_output ''
}

@test "served at a path: metrics and probes, and nothing else" {
	probe tool:promtool tool:jq
	workspace --watches 100
	ask /metrics >served
	clean served
	grep -qx "berth_ready{workspace=\"$name\"} 1" served
	grep -qx "berth_watchers_limit{workspace=\"$name\",kind=\"inotify_watches\"} 100" served
	[ "$(stat -c %a "$at")" = 660 ]
	"$BERTH" stats --format prometheus "$name" >printed
	assert_equal "$(grep '^# TYPE' served)" "$(grep '^# TYPE' printed)"
	assert_equal "$(ask /healthz)" ok
	assert_equal "$(ask /readyz)" ok
	assert_equal "$(code /metrics?x=1)" 200
	ask /metrics -I >head.txt
	grep -q '^Content-Type: text/plain; version=0.0.4; charset=utf-8' head.txt
	grep -q '^Connection: close' head.txt
	for path in / /metrics/ /../metrics //metrics /readyz.; do
		[ "$(code "$path" --path-as-is)" = 404 ] || fail "$path" || return
	done
	for method in POST PUT DELETE OPTIONS TRACE x; do
		[ "$(code /metrics -X "$method")" = 405 ] || fail "$method" || return
	done
	[ "$(code /metrics -d body)" = 405 ]
	# The head of a request has 16 KiB.
	[[ "$(code /metrics -H "x: $(head -c 40000 /dev/zero | tr '\0' x)")" = 4?? ]]
	serves
	"$BERTH" stop -t 1 "$name"
	"$BERTH" wait --exit "$name" || true
	wait_until 5 test ! -e "$at"
}

@test "served by TCP, on one address or all, and what is in use or nowhere fails the launch" {
	port=$(free_port)
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		--metrics-listen "127.0.0.1:$port" -- /bin/sleep 1000
	curl -sSf "http://127.0.0.1:$port/metrics" | grep -qx "berth_ready{workspace=\"$name\"} 1"
	run berth run --rm --name "$name-2" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		--metrics-listen "127.0.0.1:$port" -- /bin/true
	assert_status 125
	assert_has "berth: metrics: serve metrics at '127.0.0.1:$port': listen for metrics: Address already in use"
	assert_has "hint: another program"
	berth rm -f "$name"
	run berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		--metrics-listen "192.0.2.1:$port" -- /bin/true
	assert_status 125
	assert_has "hint: the pod has no such address"
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		--metrics-listen ":$port" -- /bin/sleep 1000
	curl -sSf "http://127.0.0.1:$port/readyz"
	[ ! -e /proc/net/if_inet6 ] || curl -sSf "http://[::1]:$port/readyz"
	run berth run --rm --name "$name-2" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		--metrics-listen localhost:9090 -- /bin/true
	assert_status 125
	assert_has "'localhost:9090' is not ADDRESS:PORT"
}

@test "a path: what a killed one left is replaced, all else stays; not where the workspace writes" {
	probe tool:jq
	workspace
	kill -KILL "$(supervisor)"
	[ -S "$at" ]
	wait_until 10 eval '! "$BERTH" ps -q | grep -qx "$name"'
	berth rm -f "$name"
	workspace
	serves
	# One that is served is somebody's.
	run berth run --rm --name "$name-2" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		--metrics-listen "unix:$at" -- /bin/true
	assert_status 125
	assert_has "Address already in use"
	serves
	berth rm -f "$name"
	echo kept >"$at"
	run workspace
	assert_status 125
	[ "$(cat "$at")" = kept ]
	rm "$at"
	mkdir volume
	run berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		-v "$PWD/volume:/v" --metrics-listen "unix:$PWD/volume/x" -- /bin/true
	assert_status 125
	assert_has "which the workspace can write to"
	[ ! -e volume/x ]
	berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		-v "$PWD/volume:/v:ro" --metrics-listen "unix:volume/x" -- /bin/true
}

@test "a socket has its mode from the first: nothing is changed by its name" {
	umask 077
	# What is changed later by a name is what somebody put there meanwhile.
	run in_cgroup env ASAN_OPTIONS=detect_leaks=0 "$BERTH_TEST_WITHOUT" -n fchmodat fchmodat2 chmod -- \
		"$BERTH" run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none --metrics-listen "unix:$PWD/mode" \
		-v "$PWD:/pod:ro" -- stat -c %a /pod/mode
	assert_status 0
	assert_has 660
}

@test "who serves has nothing but its sockets, and policy verify looks at that" {
	probe tool:jq
	workspace
	pid=$(server)
	for field in CapInh CapPrm CapEff CapAmb; do
		grep -qx "$field:"$'\t'0000000000000000 "/proc/$pid/status" || fail "$field" || return
	done
	grep -qx "Seccomp:"$'\t'2 "/proc/$pid/status"
	grep -qx "NoNewPrivs:"$'\t'1 "/proc/$pid/status"
	run cat "/proc/$pid/environ"
	[ "$status" -ne 0 ] || assert_output ''
	"$BERTH" policy verify --format json "$name" >verified.json
	assert_equal "$(jq -r '.rows[] | select(.kind == "metrics") | "\(.what) \(.state)"' verified.json | paste -sd' ')" \
		"NoNewPrivs holds Seccomp holds CapEff holds CapPrm holds CapInh holds CapAmb holds"
	# Executed by somebody else it says what it is.
	run "$(readlink -f "$BERTH")-metrics" </dev/null
	assert_status 125
	assert_has "executed by berth"
}

@test "it ends with the supervisor, and is started again when it ends alone" {
	probe tool:jq
	workspace
	pid=$(server)
	kill -KILL "$pid"
	wait_until 5 gone "$pid"
	wait_until 5 serves
	[ "$(server)" != "$pid" ]
	"$BERTH" logs "$name" >log
	grep -qx 'berth: metrics: the process that serves them ended with 137, and starts again in 0.1 s' log
	pid=$(server)
	kill -KILL "$(supervisor)"
	wait_until 5 gone "$pid"
}

@test "a supervisor that does not answer is not healthy" {
	probe tool:jq
	workspace
	pid=$(supervisor)
	kill -STOP "$pid"
	run code /healthz
	kill -CONT "$pid"
	assert_output 503
	wait_until 5 serves
}

@test "clients that say nothing, or little, keep neither others nor the supervisor" {
	probe tool:jq
	workspace
	cat >idle.py <<-'END'
		import socket, sys, time
		path, n = sys.argv[1], int(sys.argv[2])
		held = []
		for i in range(n):
		    s = socket.socket(socket.AF_UNIX)
		    s.connect(path)
		    if i % 3 == 1:
		        s.send(b"GET /metrics HTTP/1.1\r\nHost: ")
		    if i % 3 == 2:
		        s.send(b"\0\xff\r\n\r\n")
		    held.append(s)
		print("held", flush=True)
		time.sleep(float(sys.argv[3]))
	END
	python3 idle.py "$at" 300 30 >idle.out 3>&- &
	idle=$!
	wait_until 10 grep -q held idle.out
	for _ in {1..20}; do
		[ "$(code /healthz --max-time 8)" = 200 ]
	done
	ask /metrics --max-time 8 | grep -q '^berth_ready'
	timeout 8 "$BERTH" health "$name"
	kill "$idle"
	# One byte each second: the door is shown after ten.
	run timeout 40 python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); begun = time.monotonic()
try:
    for c in b"GET /metrics HTTP/1.1\r\nHost: " + 60 * b"x":
        s.send(bytes([c])); time.sleep(0.5)
        s.setblocking(False)
        try:
            if s.recv(1) == b"": break
        except BlockingIOError: pass
        s.setblocking(True)
except (BrokenPipeError, ConnectionResetError): pass
print(round(time.monotonic() - begun))' "$at"
	assert_status 0
	[ "$output" -ge 9 ]
	[ "$output" -le 25 ]
	serves
}

@test "who asks without end takes little of the supervisor's time" {
	probe tool:jq
	workspace
	pid=$(supervisor)
	clients=()
	ticks() { cut -d' ' -f14,15 "/proc/$pid/stat" | tr ' ' +; }
	before=$(($(ticks)))
	end=$((SECONDS + 4))
	for _ in 1 2 3; do
		(while [ "$SECONDS" -lt "$end" ]; do code /metrics >/dev/null; done) 3>&- &
		clients+=($!)
	done
	wait "${clients[@]}"
	# Less than a tenth of a processor for these four seconds, in ticks of 10 ms.
	[ $(($(ticks) - before)) -lt 40 ]
	timeout 3 "$BERTH" health "$name"
}

@test "a policy, a variable's option and start keep it; a plan shows it" {
	probe tool:jq
	echo '{ "extends": "shell", "metrics": { "listen": "unix:'"$at"'" } }' >policy.json
	berth run -d --name "$name" --policy ./policy.json --rootfs "$BERTH_TEST_SMALL:O" --net none -- \
		/bin/sleep 1000
	serves
	"$BERTH" kill "$name"
	"$BERTH" wait --exit "$name" || true
	wait_until 5 test ! -e "$at"
	berth start "$name"
	serves
	run "$BERTH" plan --policy ./policy.json --rootfs "$BERTH_TEST_SMALL:O" --net none -- /bin/true
	assert_has "metrics        unix:$at, by "
}

@test "the first process of a pod has it by a variable" {
	port=$(free_port)
	# It refuses variables of this suite.
	in_cgroup env -i PATH="$PATH" XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" BERTH_NAME="$name" BERTH_NET=none \
		BERTH_ROOTFS="$BERTH_TEST_SMALL:O" BERTH_METRICS_LISTEN="127.0.0.1:$port" \
		"$BERTH" entrypoint -- /bin/sleep 1000 >told 2>&1 &
	up() { curl -sf "http://127.0.0.1:$port/$1"; }
	wait_until 10 up readyz
	up metrics | grep -qx "berth_ready{workspace=\"$name\"} 1"
	berth rm -f "$name"
	run up healthz
	[ "$status" -ne 0 ]
}

# bats test_tags=debian
@test "readyz tells when systemd is ready" {
	probe debian cgroup tool:jq
	berth run -d --name "$name" --rootfs "$BERTH_TEST_ROOTFS:O" --metrics-listen "unix:$at"
	assert_equal "$(code /healthz)" 200
	assert_equal "$(code /readyz)" 503
	ask /metrics | grep -qx "berth_ready{workspace=\"$name\"} 0"
	"$BERTH" wait --ready "$name"
	assert_equal "$(code /readyz)" 200
	ask /metrics >served
	grep -qx "berth_ready{workspace=\"$name\"} 1" served
	grep -q "^berth_cpu_seconds_total{workspace=\"$name\",mode=\"user\"} [0-9.]*[1-9]" served
}

# collect PORT: a real Prometheus with its own port at $own, which asks every second.
collect()
{
	own=$(free_port)
	printf 'global: { scrape_interval: 1s }\nscrape_configs: [{ job_name: berth, static_configs: [{ targets: ["%s"] }] }]\n' \
		"127.0.0.1:$1" >prometheus.yml
	prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address="127.0.0.1:$own" \
		--log.level=error >prometheus.log 2>&1 3>&- &
	prometheus=$!
}
query() { curl -sS --max-time 10 --data-urlencode "query=$1" "http://127.0.0.1:$own/api/v1/query"; }
collected() { [ "$(query 'count_over_time(berth_ready[1m])' 2>/dev/null | jq -r '.data.result[0].value[1] // 0')" -ge 3 ]; }
# serves_all EXPRESSION: whether this machine has each metric in it; some take a controller.
serves_all()
{
	local metric

	while read -r metric; do
		grep -q "^${metric}[{ ]" served || return
	done < <(grep -o 'berth_[a-z_]*' <<<"$1")
}

# bats test_tags=long
@test "the dashboard shows what a real Prometheus has collected" {
	probe tool:prometheus tool:jq
	local dashboard=${BATS_TEST_DIRNAME%/tests/*}/templates/grafana/berth.json port expr answer shown=0

	port=$(free_port)
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --watches 100 --rate-down 100mbit --rate-up 50mbit \
		--metrics-listen "127.0.0.1:$port" -- /bin/sleep 1000
	collect "$port"
	wait_until 30 collected || fail "$(cat prometheus.log)"
	curl -sSf "http://127.0.0.1:$port/metrics" >served
	while IFS= read -r expr; do
		expr=${expr//\$workspace/.+} expr=${expr//\$__rate_interval/10s} expr=${expr//\$__range/1m}
		answer=$(query "$expr")
		[ "$(jq -r .status <<<"$answer")" = success ] || fail "$expr: $answer"
		! serves_all "$expr" || {
			[ "$(jq '.data.result | length' <<<"$answer")" -gt 0 ] || fail "$expr: shows nothing"
			shown=$((shown + 1))
		}
	done < <(jq -r '.panels[].targets[]?.expr' "$dashboard")
	[ "$shown" -ge 12 ] || fail "only $shown expressions show something"
	# Its list of workspaces, as Grafana asks for it.
	run curl -sS -G --data-urlencode "match[]=berth_workspace_info" "http://127.0.0.1:$own/api/v1/label/workspace/values"
	assert_equal "$(jq -c .data <<<"$output")" "[\"$name\"]"
}
