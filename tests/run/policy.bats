# shellcheck shell=bash
# Policies: what a file says is what the workspace gets, and what is wrong in it is said.

load ../lib/common

setup()
{
	common_setup
	name=$(new_name)
}

# policy TEXT: a policy file of its own.
policy() { printf '%s\n' "$1" >policy.json; }

# start OPTION...: a command under the policy.
start() { run --separate-stderr "$BERTH" run --rm --name "$name" --policy ./policy.json "$@"; }

@test "what the policy says is what the workspace gets" {
	probe small
	mkdir volume
	echo data >volume/file
	policy '{ "rootfs": "'"$BERTH_TEST_SMALL"':O", "init": "none", "hostname": "from-policy",
		"environment": { "A": "1 and more", "B": "" }, // a comment
		"workdir": "/tmp", "volumes": ["'"$PWD/volume"':/mnt:ro"] }'
	# shellcheck disable=SC2016
	start -- /bin/sh -c 'echo "$(hostname) $PWD $A <$B> $$ $(cat /mnt/file)"; echo x >/mnt/y'
	assert_equal "$output" "from-policy /tmp 1 and more <> 1 data"
	[ "$status" -ne 0 ]
	[ ! -e volume/y ]
}

@test "options come on top, and lists add up" {
	probe small
	policy '{ "rootfs": "/nonexistent", "hostname": "from-policy", "environment": { "A": "1" } }'
	# shellcheck disable=SC2016
	start --rootfs "$BERTH_TEST_SMALL:O" --hostname mine -e B=2 -- /bin/sh -c 'echo "$(hostname) $A $B"'
	assert_equal "$status $output" "0 mine 1 2"
}

@test "a file extends another one beside it, and that one a profile" {
	probe small
	mkdir sub
	echo '{ "extends": "shell", "rootfs": "'"$BERTH_TEST_SMALL"':O", "environment": { "A": "1", "B": "2" } }' >sub/base.json
	echo '{ "extends": "./base.json", "environment": { "A": null, "C": "3" } }' >sub/top.json
	# shellcheck disable=SC2016
	run --separate-stderr "$BERTH" run --rm --name "$name" --policy sub/top.json -- \
		/bin/sh -c 'echo "<$A> $B $C"; cat /proc/net/dev | grep -c :'
	assert_equal "$output" "<> 2 3
1"
}

@test "start goes by what the policy said when the workspace was made" {
	probe small
	policy '{ "rootfs": "'"$BERTH_TEST_SMALL"':O", "hostname": "as-it-was" }'
	"$BERTH" run --name "$name" --policy ./policy.json -- /bin/hostname
	rm policy.json
	"$BERTH" start "$name"
	"$BERTH" wait --exit "$name"
	run "$BERTH" logs "$name"
	[ "${lines[-1]}" = as-it-was ]
	"$BERTH" rm "$name"
}

@test "plan tells where each value came from" {
	probe small
	policy '{
		"extends": "shell",
		"rootfs": "'"$BERTH_TEST_SMALL"':O"
	}'
	run "$BERTH" plan --policy ./policy.json --hostname x -- true
	assert_equal "$status" 0
	grep -qxF 'from: profile shell: init berth' <<<"$output"
	grep -qxF "from: ./policy.json:3: rootfs $BERTH_TEST_SMALL:O" <<<"$output"
	grep -qxF 'from: --hostname: hostname x' <<<"$output"
	run "$BERTH" plan --format json --policy ./policy.json --hostname x -- true
	assert_equal "$(jq -r '.from[] | select(.key == "hostname") | .where' <<<"$output")" --hostname
}

@test "without a policy a whole machine has systemd-docker, and a command has none" {
	# steps OPTION...: what would be done, and why each value is as it is
	steps() { "$BERTH" plan --name "$name" --format json "$@" | jq 'del(.from)'; }

	probe debian
	for more in "" "--init berth" "--pids 99" "--memory 1g --best-effort memory"; do
		# shellcheck disable=SC2086 # words
		assert_equal "$(steps --rootfs "$BERTH_TEST_ROOTFS" $more)" \
			"$(steps --policy systemd-docker --rootfs "$BERTH_TEST_ROOTFS" $more)"
	done
	run -0 "$BERTH" plan --rootfs "$BERTH_TEST_ROOTFS"
	assert_has "from: profile systemd-docker: limits.pids 8192"
	# It is no other one, and what is asked for is not lost by it.
	[ "$(steps --rootfs "$BERTH_TEST_ROOTFS")" != "$(steps --policy none --rootfs "$BERTH_TEST_ROOTFS")" ]
	[ "$(steps --rootfs "$BERTH_TEST_ROOTFS")" != "$(steps --policy docker --rootfs "$BERTH_TEST_ROOTFS")" ]
	assert_equal "$(steps --rootfs "$BERTH_TEST_ROOTFS" -- true)" \
		"$(steps --policy none --rootfs "$BERTH_TEST_ROOTFS" -- true)"
	run ! grep -q systemd-docker <<<"$("$BERTH" plan --rootfs "$BERTH_TEST_ROOTFS" -- true)"
	for verb in show explain; do
		assert_equal "$("$BERTH" policy $verb)" "$("$BERTH" policy $verb systemd-docker)"
	done
}

@test "a machine that runs without a policy is held by that profile, also when it starts again" {
	probe debian cgroup tool:jq
	# held: the most processes that root inside may have
	held() { awk '/^Max processes/ { print $3 }' "/proc/$("$BERTH" inspect "$name" | jq '.[0].pids.init')/limits"; }
	own=$(ulimit -Su)
	for policy in "" "--policy none"; do
		# shellcheck disable=SC2086 # words, or none
		berth run -d --name "$name" $policy --rootfs "$BERTH_TEST_ROOTFS:O" >/dev/null
		first=$(held)
		"$BERTH" stop -t 0 "$name"
		"$BERTH" start "$name"
		assert_equal "$(held)" "$first"
		if [ "$policy" ]; then
			assert_equal "$first" "$own"
		else
			[[ $first =~ ^(8192|8200)$ ]] || fail "held to $first"
			"$BERTH" inspect "$name" | jq -e '.[0].limits | any(startswith("pids 8192: "))' >/dev/null
		fi
		"$BERTH" rm -f "$name"
	done
}

@test "a policy is read where nothing could be run: without its GPUs, without a command" {
	policy '{ "gpus": "all", "init": "none" }'
	run -0 "$BERTH" policy validate ./policy.json
	assert_output "./policy.json: good"
	policy '{ "init": "none" }'
	start
	assert_equal "$status" 125
	grep -qF -e "--init none needs a command" <<<"$stderr"
	policy '{ "gpus": "libraries" }'
	run -125 "$BERTH" policy validate ./policy.json
}

@test "whose each namespace is: what explain says is what the kernel says" {
	local net own kind

	probe small tool:jq
	for net in none host; do
		policy '{ "rootfs": "'"$BERTH_TEST_SMALL"':O", "init": "none", "network": { "uplink": "'$net'" } }'
		run --separate-stderr "$BERTH" run -d --name "$name" --policy ./policy.json -- /bin/sleep 1000
		assert_equal "$status" 0
		pid=$("$BERTH" inspect "$name" | jq '.[0].pids.init')
		"$BERTH" policy explain ./policy.json namespaces >told
		for kind in user mnt pid net ipc uts cgroup time; do
			own="its own"
			[ "$(readlink "/proc/$pid/ns/$kind")" != "$(readlink "/proc/self/ns/$kind")" ] || own="the pod's"
			grep -q "^$kind: $own; " told || fail "$kind with $net: $own"
		done
		# Each kind that this kernel has is told of; children's links are of the same kinds.
		for kind in /proc/self/ns/*; do
			[[ $kind == *_for_children ]] || grep -q "^${kind##*/}: " told || fail "$kind is not told of"
		done
		assert_equal "$("$BERTH" policy explain ./policy.json | grep '^namespaces: ')" \
			"namespaces: $(sed -n 's/: its own; .*//p' told | tr '\n' ' ')are its own; $(sed -n "s/: the pod's; .*//p" told | paste -sd' ') $([ $net = host ] && echo are || echo is) the pod's"
		"$BERTH" rm -f "$name"
	done
	policy '{ "namespaces": { "ipc": "host" } }'
	run -125 "$BERTH" policy validate ./policy.json
	assert_has "unknown key 'namespaces'"
	assert_has "hint: 'berth policy explain systemd-docker namespaces' tells which key"
	policy '{ "nested": false, "seccomp": { "deny": ["namespace:CLONE_NEWUTS,namespace:CLONE_NEWNET"] }, "limits": { "pid_namespaces": 3 } }'
	run -0 "$BERTH" policy explain ./policy.json namespaces
	assert_has "nested ones: none (nested: false)"
	assert_equal "$(grep -c 'nested ones: none (seccomp.deny: namespace:CLONE_NEW' <<<"$output")" 2
	assert_has "nested ones: at most 3 (limits.pid_namespaces)"
}

@test "what is wrong is quoted with its place, and nothing is started" {
	policy '{
	"limits": { "memry": "1g" } }'
	start -- true
	assert_equal "$status" 125
	grep -qF "./policy.json:2:20: unknown key 'limits.memry', did you mean 'limits.memory'?" <<<"$stderr"
	policy '{ "limits": { "memory": "lots" } }'
	start -- true
	assert_equal "$status" 125
	grep -qF "./policy.json:1:30: limits.memory: 'lots' is not a size" <<<"$stderr"
	run --separate-stderr "$BERTH" run --policy shel -- true
	assert_equal "$status" 125
	grep -qF "no profile 'shel', did you mean 'shell'?" <<<"$stderr"
	run --separate-stderr "$BERTH" run --policy ./none.json -- true
	assert_equal "$status" 125
	grep -qF "./none.json" <<<"$stderr"
	run "$BERTH" ps -aq
	run ! grep -qF "$name" <<<"$output"
}

@test "validate goes on after a file that is wrong, and knows YAML and groups by sight" {
	printf 'limits:\n  memory: 1g\n' >yaml.json
	echo '{ "limxts": { "memory": "1g" } }' >group.json
	echo '{ "limit": { "memory": "1g" } }' >short.json
	run -125 --separate-stderr "$BERTH" policy validate ./yaml.json ./group.json shell ./short.json
	assert_output "shell: good"
	[ "$(grep -c '^berth: policy: ' <<<"$stderr")" -eq 3 ]
	grep -qF "hint: a policy is JSON with comments, and no YAML" <<<"$stderr"
	grep -qF "./group.json:1:10: unknown key 'limxts', did you mean 'limits'?" <<<"$stderr"
	grep -qF "./short.json:1:9: unknown key 'limit', did you mean 'limits'?" <<<"$stderr"
	run -0 "$BERTH" policy --help
	assert_has "all of it, a key, a call or a path."$'\n'
}

@test "list, validate, show, explain, diff, schema" {
	run "$BERTH" policy list
	assert_equal "$status" 0
	for profile in systemd-docker docker shell strict; do
		grep -q "^$profile " <<<"$output"
		"$BERTH" policy validate "$profile"
		"$BERTH" policy show --format json "$profile" | jq -e . >/dev/null
	done
	run "$BERTH" policy show shell
	grep -qE '^network.uplink +none +profile shell$' <<<"$output"
	run "$BERTH" policy explain shell limits.pids
	grep -qF 'limits.pids: 4096 processes and threads are the most' <<<"$output"
	assert_equal "${#lines[@]}" 1
	run "$BERTH" policy explain shell network
	assert_output 'network.uplink: none: a loopback interface and nothing else (profile shell)
not said, so what berth or the pod sets counts: network.rate_down, rate_up, publish, publish_allow, publish_deny, egress, egress_default, connections_per_minute'
	run "$BERTH" policy explain shell user
	assert_output 'not said, so what berth or the pod sets counts: user'
	run "$BERTH" policy explain shell limits.none
	assert_equal "$status" 125

	policy '{ "extends": "shell", "limits": { "pids": 100, "memory": "1g" } }'
	run "$BERTH" policy diff shell ./policy.json
	assert_equal "$status" 0
	grep -qxF -e '- limits.pids: 100, was 4096' <<<"$output"
	grep -qxF -e '- limits.memory: 1g, was no limit' <<<"$output"
	run "$BERTH" policy diff ./policy.json shell
	assert_equal "$status" 1
	grep -qxF '+ limits.memory: no limit, was 1g' <<<"$output"
	policy '{ "extends": "shell", "network": { "uplink": "host" }, "volumes": ["/srv:/srv"] }'
	run "$BERTH" policy diff shell ./policy.json
	assert_equal "$status" 1
	grep -qxF '+ network.uplink: host, was none' <<<"$output"
	grep -qxF "+ volumes: '/srv:/srv'" <<<"$output"
	policy '{ "network": { "rate_down": "2mbit" } }'
	echo '{ "network": { "rate_down": "900kbit" } }' >slower.json
	run "$BERTH" policy diff ./policy.json ./slower.json
	assert_equal "$status $output" "0 - network.rate_down: 900kbit, was 2mbit"
	# What a rung is compared with where only one of them says it is the default.
	echo '{}' >empty.json
	while read -r text sign; do
		policy "$text"
		run "$BERTH" policy diff ./empty.json ./policy.json
		assert_equal "$status ${output:0:1}" "$([ "$sign" = + ] && echo 1 || echo 0) $sign"
		run "$BERTH" policy diff ./policy.json ./empty.json
		assert_equal "${output:0:1}" "$(tr '+-' '-+' <<<"$sign")"
	done <<-'E'
		{"nested":false} -
		{"seccomp":{"profile":"workspace-i386"}} +
		{"network":{"egress_default":"deny"}} -
		{"network":{"uplink":"host"}} +
		{"network":{"uplink":"relay"}} -
		{"network":{"uplink":"auto"}} ~
	E
	policy '{"audit":{"log":"/x","permissive":true}}'
	echo '{"audit":{"log":"/x"}}' >log.json
	run "$BERTH" policy diff ./log.json ./policy.json
	assert_equal "$status $output" "1 + audit.permissive: true, was not said"
	run "$BERTH" policy diff shell shell
	assert_equal "$status $output" "0 "

	"$BERTH" policy schema | jq -e '.properties.limits.properties.memory' >/dev/null
	run "$BERTH" policy frobnicate
	assert_equal "$status" 125
	run "$BERTH" policy diff shell
	assert_equal "$status" 125
}

@test "a value that is none of a key's choices: the nearest one, and all of them" {
	policy '{ "init": "systmd" }'
	run "$BERTH" policy validate ./policy.json
	assert_equal "$status $output" "125 berth: policy: ./policy.json:1:18: init: 'systmd' is not possible, did you mean 'systemd'?: Invalid argument
hint: what is: auto, systemd, berth, none"
	policy '{ "network": { "uplink": "carrier-pigeon" } }'
	run "$BERTH" policy validate ./policy.json
	assert_has "'carrier-pigeon' is not possible: Invalid argument"
	assert_has "what is: none, relay, pasta, auto, host"
}

@test "diff: what limits is missed when it goes, and spellings are no difference" {
	local before after there back

	# "+" and "-" mean the exit status, too; "=" prints nothing, and "~" nothing that is more.
	while IFS='|' read -r before after there back; do
		printf '%s\n' "$before" >before.json
		policy "$after"
		run "$BERTH" policy diff ./before.json ./policy.json
		assert_equal "$before $after: $status ${output:0:1}" \
			"$before $after: $([ "$there" = + ] && echo 1 || echo 0) ${there#=}"
		run "$BERTH" policy diff ./policy.json ./before.json
		assert_equal "$after $before: $status ${output:0:1}" \
			"$after $before: $([ "$back" = + ] && echo 1 || echo 0) ${back#=}"
	done <<-'E'
		{"network":{"publish":["auto"],"publish_allow":["8000"]}}|{"network":{"publish":["auto"]}}|+|-
		{"network":{"publish":["auto"],"publish_allow":["8000"]}}|{"network":{"publish":["auto"],"publish_allow":[]}}|+|-
		{"network":{"publish":["auto"],"publish_allow":["8000"]}}|{"network":{"publish":["auto"],"publish_allow":["8000,9000"]}}|+|-
		{"limits":{"message_queues":"8m"}}|{"limits":{"message_queues":"900k"}}|-|+
		{"limits":{"memory":"1g"}}|{"limits":{"memory":"900m"}}|-|+
		{"limits":{"cpus":1.5}}|{"limits":{"cpus":"1.25"}}|-|+
		{"limits":{"io":["8:0:wbps=1m"]}}|{}|+|-
		{"limits":{"io":["8:0:wbps=1m"]}}|{"limits":{"io":["8:0:wbps=900k,riops=9"]}}|-|+
		{"limits":{"io":["8:0:wbps=1m,riops=9"]}}|{"limits":{"io":["8:0:riops=9","8:0:wbps=1m"]}}|=|=
		{"limits":{"io":["8:0:wbps=1m"]}}|{"limits":{"io":["8:16:wbps=1m"]}}|+|+
		{"limits":{"hugetlb":["2m:64m"]}}|{}|+|-
		{"limits":{"hugetlb":["2m:64m"]}}|{"limits":{"hugetlb":["2048k:8m"]}}|-|+
		{"limits":{"hugetlb":["2m:64m","1g:1g"]}}|{"limits":{"hugetlb":["1g:1g","2m:64m"]}}|=|=
		{"limits":{"cpuset":"0-3"}}|{}|+|-
		{"limits":{"cpuset":"0-3"}}|{"limits":{"cpuset":"1,2"}}|-|+
		{"limits":{"cpuset":"0-3"}}|{"limits":{"cpuset":"0,1,2-3"}}|~|~
		{"limits":{"cpuset":"0-1"}}|{"limits":{"cpuset":"1-2"}}|+|+
		{"user":"dev"}|{}|+|-
		{"user":"dev"}|{"user":"0:100"}|+|-
		{"user":"dev"}|{"user":"adm"}|~|~
		{"user":"root"}|{}|~|~
		{"capabilities":{"drop":["net_raw"]}}|{"capabilities":{"drop":["CAP_NET_RAW"]}}|=|=
		{"capabilities":{"drop":["net_raw,mknod"]}}|{"capabilities":{"drop":["MKNOD","net_raw"]}}|=|=
		{"capabilities":{"drop":["net_raw"]}}|{"capabilities":{"drop":["all"]}}|-|+
		{"seccomp":{"deny":["ptrace,bpf"]}}|{"seccomp":{"deny":["bpf","ptrace"]}}|=|=
		{"limits":{"best_effort":["cpus,memory"]}}|{"limits":{"best_effort":["memory","cpus"]}}|=|=
		{"limits":{"best_effort":["cpus,memory"]}}|{"limits":{"best_effort":["memory"]}}|-|+
		{"network":{"egress":["deny:10.0.0.1","allow:10.0.0.0/8"]}}|{"network":{"egress":["allow:10.0.0.0/8","deny:10.0.0.1"]}}|+|-
		{"network":{"egress":["deny:10.0.0.1","allow:10.0.0.0/8","deny:any"]}}|{"network":{"egress":["deny:any","allow:10.0.0.0/8","deny:10.0.0.1"]}}|+|+
		{"network":{"egress":["deny:10.0.0.1","allow:10.0.0.1,443/tcp"]}}|{"network":{"egress":["allow:10.0.0.1,443/tcp","deny:10.0.0.1"]}}|+|-
		{"network":{"egress":["deny:10.0.0.1,53/udp","allow:10.0.0.1,443/tcp"]}}|{"network":{"egress":["allow:10.0.0.1,443/tcp","deny:10.0.0.1,53/udp"]}}|~|~
		{"network":{"egress":["deny:10.0.0.1","allow:10.1.0.0/16"]}}|{"network":{"egress":["allow:10.1.0.0/16","deny:10.0.0.1"]}}|~|~
		{"network":{"egress":["deny:10.0.0.1","allow:any"]}}|{"network":{"egress":["allow:any","deny:10.0.0.1","allow:any"]}}|+|-
	E
	# Beside a change of its own an order is told, too.
	policy '{"network":{"egress":["deny:10.0.0.1","allow:10.0.0.0/8"]}}'
	echo '{"network":{"egress":["allow:10.0.0.0/8","deny:10.9.0.0/24","deny:10.0.0.1"]}}' >more.json
	run "$BERTH" policy diff ./policy.json ./more.json
	assert_equal "$status $output" "1 - network.egress: 'deny:10.9.0.0/24'
+ network.egress: in another order"
}

@test "the keys of system calls: refused by name and place, compared, explained, exported" {
	policy '{ "seccomp": { "deny": ["ptrace"],
		"allow": ["keyctl", "io_urin_setup"] } }'
	run "$BERTH" policy validate ./policy.json
	assert_equal "$status" 125
	assert_has "./policy.json:2:37: seccomp.allow: 'io_urin_setup' is no system call"
	assert_has "did you mean 'io_uring_setup'?"
	policy '{ "seccomp": { "allow": ["reboot", "open_by_handle_at"] } }'
	run "$BERTH" policy validate ./policy.json
	assert_equal "$status" 125
	assert_has "'open_by_handle_at' is never allowed"

	policy '{ "seccomp": { "allow": ["keyctl"], "deny": ["ptrace", "socket:AF_PACKET"] } }'
	echo '{ "extends": "./policy.json", "seccomp": { "allow": ["ptrace", "bpf"], "profile": "workspace-i386" } }' >more.json
	run "$BERTH" policy validate ./more.json
	assert_equal "$status" 125
	assert_has "'socket:AF_PACKET' is denied under seccomp.profile 'workspace-i386'"
	echo '{ "extends": "./policy.json", "seccomp": { "allow": ["ptrace", "bpf"] } }' >more.json
	run "$BERTH" policy diff ./policy.json ./more.json
	assert_equal "$status $output" "1 + seccomp.allow: 'ptrace'
+ seccomp.allow: 'bpf'"
	run "$BERTH" policy diff ./more.json ./policy.json
	assert_equal "$status" 0

	run "$BERTH" policy explain ./more.json ptrace # denied, whatever else is said
	assert_equal "$status $output" "0 system call ptrace: Operation not permitted: the policy denies it"
	run "$BERTH" policy explain ./more.json bpf
	assert_equal "$status $output" "0 system call bpf: allowed: the policy allows it"
	run "$BERTH" policy explain shell bpf
	assert_has "system call bpf: Operation not permitted: runs code in the kernel"
	run "$BERTH" policy explain shell socket
	assert_equal "${#lines[@]}" 3
	run "$BERTH" policy audit --format json ./more.json
	assert_equal "$(jq -c '[.findings[] | select(.rule == "BP024" or .rule == "BP025") | [.rule, .detail, .line]]' <<<"$output")" \
		'[["BP024","seccomp.allow: bpf",1],["BP025","seccomp.allow: keyctl",1]]'
	run "$BERTH" policy explain shell capabilities
	assert_equal "$status" 0
	assert_has "can have all; none are inheritable, none ambient"
	run "$BERTH" policy show strict
	assert_has "bounding all but net_admin,net_raw,"

	"$BERTH" policy seccomp ./more.json >more.pfc
	"$BERTH" policy seccomp >plain.pfc
	run diff plain.pfc more.pfc
	assert_has '>     if ($a0.lo32 & 0xffffffff == 17)'
	grep -A2 '"bpf"' more.pfc | grep -q 'action ALLOW;'
	grep -A2 '"bpf"' plain.pfc | grep -q 'action ERRNO(1);'
	"$BERTH" policy seccomp --format bpf ./more.json >more.bpf
	"$BERTH" policy seccomp --format bpf >plain.bpf
	run ! cmp -s plain.bpf more.bpf
	assert_equal "$(($(stat -c %s more.bpf) % 8))" 0
	run "$BERTH" policy seccomp --format c
	assert_equal "$status" 125
	run "$BERTH" policy seccomp shell strict
	assert_equal "$status" 125
}

@test "a workspace is audited by what it was started with, and by what came of it" {
	probe small
	run --separate-stderr "$BERTH" run --rm -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		--init none --pids 100 --best-effort pids -e API_TOKEN=hidden -- /bin/sleep 100
	assert_equal "$status" 0
	run "$BERTH" policy audit --workspace "$name" --format json
	assert_equal "$status" 1
	run ! grep -qF hidden <<<"$output"
	run "$BERTH" policy audit --workspace "$name" --format json
	rules=$(jq -r '.findings[] | select(.subject == "workspace '"$name"'") | .rule' <<<"$output")
	grep -qx BP015 <<<"$rules" # the token
	grep -qx BP002 <<<"$rules" # no limit of memory
	run ! grep -qxE 'BP001|BP009|BP010|BP021' <<<"$rules"
	# Whether the limit holds is the machine's; both must be told.
	held=$("$BERTH" inspect "$name" | jq '[.[0].limits[] | select(contains("not enforced"))] | length')
	assert_equal "$(grep -cx BW001 <<<"$rules")" "$held"
	grouped=$("$BERTH" inspect "$name" | jq '.[0].cgroup == "" and (.[0].cgroup1 | length) == 0')
	assert_equal "$(grep -qx BW002 <<<"$rules" && echo true || echo false)" "$grouped"
	"$BERTH" kill "$name"
}

# A package of Microsoft's has the schema of SARIF 2.1.0 as it was published (rtm.5 is the standard's).
probe_sarif_schema()
{
	command -v npm >/dev/null || fail "npm is not installed"
	python3 -c 'import jsonschema' || return
	# node has certificates of its own; those of the machine count, too.
	NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt HOME=$BATS_TEST_TMPDIR \
		timeout 60 npm pack --silent --fetch-retries 0 @microsoft/jest-sarif@1.0.0-beta.0 >&2 ||
		fail "npm's registry is not reached"
	tar -xzOf microsoft-jest-sarif-1.0.0-beta.0.tgz package/lib/schemas/sarif-2.1.0-rtm.5.json >sarif-schema.json
}

@test "what audit writes as SARIF is what the published schema of it wants" {
	probe sarif_schema
	top=$BATS_TEST_DIRNAME/../..
	for what in "$BATS_TEST_DIRNAME/../golden/policy/team.json" strict systemd-docker audit \
		"$BATS_TEST_DIRNAME/../golden/audit/deployment.yaml" "$BATS_TEST_DIRNAME/../golden/audit/bad-open.yaml" \
		"$top"/templates/kubernetes/*.yaml; do
		"$BERTH" policy audit --format sarif "$what" >"$(basename "$what").sarif" 2>/dev/null ||
			[ $? -eq 1 ] || [[ $what == */bad-open.yaml ]]
	done
	run -0 python3 - sarif-schema.json ./*.sarif <<-'END'
		import copy, json, jsonschema, sys

		schema, *logs = [json.load(open(file)) for file in sys.argv[1:]]
		jsonschema.Draft4Validator.check_schema(schema)
		check = jsonschema.Draft4Validator(schema)
		for file, log in zip(sys.argv[2:], logs):
		    for error in check.iter_errors(log):
		        print(f"{file}: {error.json_path}: {error.message}")
		full = logs[sys.argv.index("./deployment.yaml.sarif") - 2]
		# It refuses what is wrong, in each of the objects that berth writes.
		def wrong(way, key, value):
		    log = copy.deepcopy(full)
		    at = log
		    for step in way:
		        at = at[step]
		    at[key] = value
		    if check.is_valid(log):
		        print(f"not refused: {key} in {way}")
		run = ["runs", 0]
		wrong([], "version", "2.0.0")
		wrong(run, "tools", {})
		wrong([*run, "tool", "driver", "rules", 0], "id", 1)
		wrong([*run, "results", 0], "level", "high")
		wrong([*run, "results", 0, "locations", 0, "physicalLocation", "region"], "startLine", 0)
		print(len(logs), "logs")
	END
	logs=(./*.sarif)
	assert_output "${#logs[@]} logs"
}
