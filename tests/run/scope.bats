# shellcheck shell=bash
# Where the service manager owns the group we were started in, berth asks it for a scope: seen
# inside a workspace, whose systemd has a user's manager, by berth in berth.
# bats file_tags=debian

load ../lib/common


setup_file()
{
	probe debian cgroup subids
	name=scope-$$
	export name
	# In a layer of its own: a user is added, and berth.
	mkdir -p "$BATS_FILE_TMPDIR/state"
	in_cgroup "$BERTH" run --name "$name" -d --rootfs "$BERTH_TEST_ROOTFS:O" \
		--state "$BATS_FILE_TMPDIR/state"
	"$BERTH" wait --ready "$name"
	inside sh -c 'cat >/usr/local/bin/berth && chmod 755 /usr/local/bin/berth' <"$BERTH"
	inside useradd --create-home --uid 1000 --shell /bin/bash dev
	inside sh -c 'echo dev:65537:65536 | tee /etc/subuid >/etc/subgid'
	inside loginctl enable-linger dev
	wait_until 30 inside test -S /run/user/1000/systemd/private
}

teardown_file() { "$BERTH" rm -f "$name"; }

inside() { in_cgroup "$BERTH" exec -i "$name" -- "$@"; }

# The user's login, outside of his manager's groups as in an ssh session.
as_dev()
{
	in_cgroup "$BERTH" exec -u dev -e XDG_RUNTIME_DIR=/run/user/1000 -e HOME=/home/dev \
		-w /home/dev "$name" -- "$@"
}

@test "the plan says that it would ask for a scope, and for systemd only" {
	as_dev sh -c 'mkdir -p tree/usr/lib/systemd tree/sbin
		touch tree/usr/lib/systemd/systemd tree/sbin/init'
	run as_dev berth plan --rootfs tree --init systemd
	assert_status 0
	assert_has "supervisor scope          systemd-run --user --scope -p Delegate=yes"
	run as_dev berth plan --rootfs tree -- true
	[[ $output != *systemd-run* ]]
}

@test "systemd boots in a scope of the user's manager, can be entered, and starts again" {
	as_dev sh -c 'mkdir d && berth unshare -- sh -c "
		tar -C / -cf - --exclude=./var/lib/docker --exclude=./var/lib/systemd/linger \
			--exclude=./var/cache --exclude=./usr/lib/python3 --exclude=./usr/sbin/dockerd \
			--exclude=./etc/systemd/system --one-file-system \
			./bin ./etc ./lib ./lib64 ./sbin ./usr ./var 2>/dev/null |
			tar -C d -xpf -"' || true
	as_dev berth run --name nested -d --rootfs d --audit-log /home/dev/audit.jsonl
	as_dev timeout 60 berth wait --ready nested
	run as_dev berth inspect nested
	assert_has "/user@1000.service/app.slice/berth-nested-"
	assert_has '"policy": "systemd-docker"'
	# The login's group and the workspace's have root's above them: exec takes a scope, too.
	run as_dev berth exec nested -- cat /proc/1/comm
	assert_output systemd
	as_dev berth stop nested
	as_dev berth start nested
	as_dev timeout 60 berth wait --ready nested
	# Both were started again by berth, in a scope each.
	run as_dev grep -o '"event":"start".*"policy_name":"systemd-docker"' audit.jsonl
	assert_equal "${#lines[@]}" 2
	as_dev berth rm -f nested
	run as_dev berth ps -aq
	assert_output ""
}

@test "groups that the user's manager made go with the workspace" {
	local groups=${BERTH_TEST_CGROUP:-/sys/fs/cgroup}

	run find "$groups" -path "*/berth-$name/payload/*/user@1000.service" -type d
	assert_has "$name"
	"$BERTH" stop "$name"
	run find "$groups" -name "berth-$name"
	assert_output ""
}
