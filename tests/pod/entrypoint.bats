# shellcheck shell=bash
# berth as the first process of a pod: as the manifest has it, and with what an image and a pod may
# say otherwise. $code is the container's exit status, the log what kubectl logs would print.
# bats file_tags=debian

load ../lib/common
load pod

setup()
{
	common_setup
	probe root tool:crun tool:jq tool:script debian
	# shellcheck disable=SC2034 # for pod.bash
	pod_command=()
}
teardown()
{
	[ -z "${runner:-}" ] || ! kill -0 "$runner" 2>/dev/null || pure_crun kill "$pod" KILL
	pod_stop
}

# begin NAME OPTION...: a pod whose first process runs in the background, with the links of
# templates/docker in its PATH.
begin()
{
	# shellcheck disable=SC2016 # jq's
	pod_made "$1" '.process.env |= map(if startswith("PATH=") then
		"PATH=/opt/berth/bin:" + .[5:] else . end)' "${@:2}"
	into /opt/berth/bin
	for name in bash sh docker; do
		ln -s /usr/local/bin/berth "$pod_dir/root/opt/berth/bin/$name"
	done
}

# into DIR: makes a directory of the pod's image.
into() { mkdir -p "$pod_dir/root$1"; }

# go: starts it. ended: waits for its end.
go()
{
	pod_oci run --bundle "$pod_dir" "$pod" >"$pod_dir/log" 2>&1 <"$pod_dir/stdin" &
	runner=$!
}
ended()
{
	wait_until "${1:-30}" ends
	code=0
	wait "$runner" || code=$?
	runner=
}
ends() { ! kill -0 "$runner" 2>/dev/null; }
# within SECONDS COMMAND...: wait_until, for a pod that has to be there: when it ends, or the time is
# over, its log is shown.
within()
{
	{ wait_until "$1" ends_or "${@:2}" && ! ends; } || fail "the pod said: $(cat "$pod_dir/log")"
}
ends_or() { ends || "$@"; }
# ready: that the probe of the manifest says so.
ready() { [ "$(pod_exec berth health --ready 2>&1)" = ready ]; }
last() { cat "$pod_dir/etc/termination-log"; }

# environment K=V...: merge patch of the container that sets these beside the manifest's path.
environment()
{
	printf '%s\n' "$@" | jq -Rsc '{ env: [split("\n")[] | select(. != "") | capture("(?<name>[^=]*)=(?<value>.*)")
		| .value |= gsub("\\\\n"; "\n")] }'
}

# command WORD...: a pod that is there for one command.
command_pod()
{
	begin "command$((pods += 1))" --container "$(environment "${variables[@]}")" \
		--container "$(jq -nc '$ARGS.positional as $a | { command: (["berth", "entrypoint"] + $a) }' --args -- "$@")"
	go
}

@test "the manifest boots systemd, the probes say how it is, exec finds it, SIGTERM ends the pod with 0" {
	begin workspace
	go
	within 20 pod_exec berth health
	within 100 ready
	run pod_exec berth exec -- systemctl is-system-running
	assert_output running
	run pod_exec berth exec workspace -- docker info --format '{{.Driver}}'
	assert_output overlay2
	# shellcheck disable=SC2154 # pod_made sets it
	run ls "$pod_dir/volumes/state"
	assert_output workspace

	# By the links, and by none of them: the pod's own.
	run pod_exec bash -c 'systemctl is-system-running; exit 3'
	assert_status 3
	assert_output running
	run pod_exec docker info --format '{{.Driver}}'
	assert_output overlay2
	run pod_exec /bin/bash -c 'cat /proc/1/comm'
	assert_output berth
	# The links are not in the PATH of who is inside.
	run pod_exec sh -lc 'echo $PATH; command -v sh'
	assert_output $'/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n/usr/bin/sh'

	# As the kubelet does.
	# shellcheck disable=SC2154
	pure_crun kill "$pod" TERM
	ended 60
	run cat "$pod_dir/log"
	assert_has "berth: workspace 'workspace' runs: tier A, init systemd, root host, network relay"
	assert_has "berth: workspace 'workspace' is ready after "
	assert_has "berth: SIGTERM: workspace 'workspace' gets 90 s to stop"
	assert_has "berth: workspace 'workspace' ended with 0: powered off"
	assert_equal "$code" 0
	assert_equal "$(last)" ""
}

@test "the command's exit status is the pod's, and what went wrong is its last word" {
	variables=()
	command_pod -- /bin/sh -c 'exit 7'
	ended
	assert_equal "$code" 7
	assert_equal "$(last)" "workspace 'workspace' ended with 7"
	pod_stop

	command_pod -- /bin/sh -c 'kill -9 $$'
	ended
	assert_equal "$code" 137
	pod_stop

	command_pod -- nowhere
	ended
	assert_equal "$code" 127
	run last
	assert_has "berth: exec: find 'nowhere' in the workspace's PATH: No such file or directory"
	assert_has "hint: the command is looked up in the workspace"
	run cat "$pod_dir/log"
	assert_has "berth: exec: find 'nowhere'"
	pod_stop

	variables=(BERTH_CPU=2)
	command_pod -- true
	ended
	assert_equal "$code" 125
	run last
	assert_has "unknown variable 'BERTH_CPU', did you mean 'BERTH_CPUS'?"
	assert_has "hint: 'berth entrypoint --variables' lists them"
}

@test "a policy, variables above it, and options above both" {
	variables=(BERTH_HOSTNAME=by-variable 'BERTH_ENV=A=1,2\nB=3' BERTH_WORKDIR=/tmp
		BERTH_X_SERVICE_HOST=10.0.0.1 BERTH_X_PORT=tcp://10.0.0.1:80)
	begin command --container "$(environment "${variables[@]}")" --container '{ "command":
		["berth", "entrypoint", "--workdir", "/usr", "--", "/bin/sh", "-c", "hostname; pwd; echo $A $B $C; sleep 1000"] }'
	into /etc/berth
	printf '{ "hostname": "by-policy", "workdir": "/etc", "environment": { "C": "4" } }\n' \
		>"$pod_dir/root/etc/berth/policy.json"
	go
	within 20 ready
	within 10 grep -q '^1,2 3 4' "$pod_dir/log"
	run grep -v ^berth: "$pod_dir/log"
	assert_equal "$output" $'by-variable\n/usr\n1,2 3 4'

	run pod_exec berth plan --entrypoint --workdir /usr -- true
	assert_status 0
	assert_has "from: /etc/berth/policy.json:1: hostname by-policy"
	assert_has "from: BERTH_HOSTNAME: hostname by-variable"
	assert_has $'from: BERTH_WORKDIR: workdir /tmp\n'
	assert_has $'from: --workdir: workdir /usr\n'
}

@test "orphans of kubectl exec are reaped, and of two workspaces neither is the only one" {
	variables=()
	command_pod -- sleep 1000
	within 20 ready
	pod_exec /bin/sh -c 'for i in 1 2 3; do sleep 0.1 & done'
	wait_until 10 no_zombies

	pod_exec berth run -d --name second -- sleep 1000
	run pod_exec berth exec -- true
	assert_status 125
	assert_has "no name was given, and several run: second, workspace"
	run pod_exec berth health second
	assert_output ready
	pod_exec berth stop -t 1 second
	run pod_exec berth exec -- echo again
	assert_output again
	run pod_exec berth health second
	assert_status 1
	assert_has "berth: health: workspace 'second': it does not run"
}
no_zombies()
{
	# shellcheck disable=SC2016 # the pod's shell
	pod_exec /bin/sh -c '! grep -l "^State:.Z" /proc/[0-9]*/status'
}

@test "what comes in by a link has its input, its terminal and the workspace's user" {
	variables=(BERTH_USER=daemon)
	command_pod -- sleep 1000
	within 20 ready
	printf 'hello\n' >"$pod_dir/stdin"
	run pod_exec sh -c 'id -un; tr a-z A-Z' <"$pod_dir/stdin"
	assert_equal "$output" $'daemon\nHELLO'
	run pod_exec bash -c 'test -t 0'
	assert_status 1
	run pod_tty bash -c 'test -t 0 && tty; exit 5'
	assert_status 5
	assert_has /dev/pts/
	# Without a command: his own shell, which is none.
	run pod_tty berth exec
	assert_status 1
	assert_has "This account is currently not available"
	run pod_tty berth exec -u root -- id -un
	assert_has root
}
# pod_tty COMMAND...: as kubectl exec -it. What printf quotes is bash's: dash has no $'...'.
pod_tty() { SHELL=/bin/bash script -qec "$(printf '%q ' unshare -m sh -c '[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] ||
	{ umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup; }; exec "$@"' sh \
	crun --cgroup-manager=cgroupfs exec --tty --no-new-privs "$pod" "$@")" /dev/null </dev/null 3>&-; }

# serving NAME OPTION...: a pod like begin's, which has the program that serves metrics, and its libraries where
# it looks without any variable, since it has none.
serving()
{
	local program

	program=$(dirname "$BERTH")/berth-metrics
	begin "$@" --bind "$program:/usr/local/bin/berth-metrics:ro"
	ldd "$program" | awk '$3 ~ "^/" { print $3 }' | xargs cp -nLt "$pod_dir/root/usr/lib/$(uname -m)-linux-gnu"
}

# asked PATH: the status of a probe by HTTP, which the kubelet sends from the node into the pod's network.
asked()
{
	# shellcheck disable=SC2154 # pod_made sets it
	nsenter --net --target "$(pod_oci state "$pod" | jq .pid)" -- \
		curl -s -o /dev/null -m 10 -w '%{http_code}' "http://127.0.0.1:9090$1" 2>/dev/null || true
}
answers() { [ "$(asked "$1")" = "$2" ]; }

@test "probes by HTTP: alive before it is ready, and not any more when the supervisor hangs" {
	probe tool:curl tool:nsenter
	variables=(BERTH_METRICS_LISTEN=:9090 BERTH_INIT=systemd BERTH_STATE=/var/lib/workspace)
	serving probed --container "$(environment "${variables[@]}")"
	go
	within 60 answers /healthz 200
	# systemd takes seconds to be up.
	assert_equal "$(asked /readyz)" 503
	assert_equal "$(asked /elsewhere)" 404
	within 100 answers /readyz 200
	assert_equal "$(asked /healthz)" 200
	run pod_exec berth health --ready
	assert_output ready
	# As berth health says it, by a supervisor that does not answer.
	supervisor=$(pod_exec berth inspect workspace | jq '.[0].pids.supervisor')
	pod_exec /bin/sh -c "kill -STOP $supervisor"
	assert_equal "$(asked /healthz)" 503
	assert_equal "$(asked /readyz)" 503
	pod_exec /bin/sh -c "kill -CONT $supervisor"
	within 10 answers /readyz 200
	pure_crun kill "$pod" TERM
	ended 60
	assert_equal "$code" 0
}

@test "a pod that nobody uses ends by itself: with 0, its reason, and whatever probes ask" {
	probe tool:curl tool:nsenter
	variables=(BERTH_IDLE_STOP=6s BERTH_IDLE_CPU=50 BERTH_METRICS_LISTEN=:9090)
	serving idle --container "$(environment "${variables[@]}")" \
		--container '{ "command": ["berth", "entrypoint", "--", "sleep", "1000"] }'
	go
	within 20 answers /readyz 200
	# Who works inside keeps it; who only asks how it is does not.
	pod_exec berth exec -- sleep 8
	ready || fail "$(cat "$pod_dir/log")"
	began=$(date +%s)
	until ends; do
		asked /healthz >/dev/null
		pod_exec berth health >/dev/null 2>&1 || true
		[ $(($(date +%s) - began)) -lt 30 ] || fail "$(cat "$pod_dir/log")"
		sleep 0.5
	done
	ended
	assert_equal "$code" 0
	assert_has_log "berth: idle for 6s: no terminal, session or connection, and less than 50 % of a processor"
	[ $(($(date +%s) - began)) -ge 4 ]
	# It is no failure: the log says it, and the last word is for those.
	assert_equal "$(last)" ""
}

@test "a command that ignores SIGTERM is killed when its time is over" {
	variables=(BERTH_STOP_TIMEOUT=1)
	command_pod -- /bin/sh -c 'trap "" TERM; echo set; while :; do sleep 1; done'
	within 20 grep -q ^set "$pod_dir/log"
	pure_crun kill "$pod" TERM
	ended 15
	assert_equal "$code" 137
	assert_has_log "SIGTERM: workspace 'workspace' gets 1 s to stop"
}
assert_has_log()
{
	run cat "$pod_dir/log"
	assert_has "$1"
}

@test "a container that is started again takes up its workspace" {
	variables=(BERTH_STATE=/var/lib/workspace)
	# shellcheck disable=SC2016
	begin command --container "$(environment "${variables[@]}")" --container '{ "command":
		["/bin/sh", "-c", "berth entrypoint -- /bin/touch /root/here; exec berth entrypoint -- /bin/ls /root/here"] }'
	go
	ended
	assert_equal "$code" 0
	run grep -v ^berth: "$pod_dir/log"
	assert_output /root/here
}

@test "no message is written through a link, nor to what is no file" {
	begin command --container "$(jq -nc '{ command: ["/bin/sh", "-c", $ARGS.positional[0]] }' --args \
		'ln -s /etc/motd /dev/termination-log; berth entrypoint -- nowhere; rm /dev/termination-log
		 mkfifo /dev/termination-log; berth entrypoint -- nowhere; exit 9')"
	echo untouched >"$pod_dir/root/etc/motd"
	jq '.mounts |= map(select(.destination != "/dev/termination-log"))' "$pod_dir/config.json" >"$pod_dir/changed"
	mv "$pod_dir/changed" "$pod_dir/config.json"
	go
	ended
	assert_equal "$code" 9
	assert_equal "$(cat "$pod_dir/root/etc/motd")" untouched
}

@test "a script of a Secret runs inside as the user, and is not in sight there" {
	mkdir agent
	printf 'TOKEN=a-secret\nid -un; hostname; echo "${#TOKEN}"\n' >agent/agent.sh
	chmod 755 . agent
	begin agent --container "$(environment BERTH_USER=daemon BERTH_HOSTNAME=here \
		BERTH_BOOTSTRAP=/etc/agent/agent.sh BERTH_BOOTSTRAP_RESTART=on-failure)" \
		--container '{ "command": ["berth", "entrypoint", "--", "sleep", "1000"] }' --bind "$PWD/agent:/etc/agent:ro"
	go
	within 20 grep -qx "berth: bootstrap: the script ended with 0" "$pod_dir/log"
	run pod_exec berth logs --bootstrap workspace
	assert_output $'daemon\nhere\n8'
	run pod_exec berth exec -u root -- sh -c 'ls /etc/agent 2>/dev/null
		grep -rsl a-s[e]cret /etc /run /tmp /proc/[0-9]*/cmdline /proc/[0-9]*/environ; echo looked'
	assert_output looked
}
