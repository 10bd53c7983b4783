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
	run "$BERTH" policy diff shell shell
	assert_equal "$status $output" "0 "

	"$BERTH" policy schema | jq -e '.properties.limits.properties.memory' >/dev/null
	run "$BERTH" policy frobnicate
	assert_equal "$status" 125
	run "$BERTH" policy diff shell
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
