# shellcheck shell=bash
# The budgets of watchers with the programs that eat them. A workspace is filled, and stays so; a
# neighbour of the same user with the same option has his own meanwhile.
# bats file_tags=debian

load ../lib/common

# Some boot a Debian.
export BATS_TEST_TIMEOUT=300

setup()
{
	common_setup
	probe subids tool:jq
	a=$(new_name)
	b=$(new_name)
}

# begin WORKSPACE OPTION...: without systemd, whose own watchers would count.
begin()
{
	berth run -d --name "$1" --rootfs "$BERTH_TEST_ROOTFS:O" --init berth --net none \
		"${@:2}" -- sleep 1000 >/dev/null
}

# boot OPTION...: the first, with systemd.
boot()
{
	berth run -d --name "$a" --rootfs "$BERTH_TEST_ROOTFS:O" --net none "$@" >/dev/null
	"$BERTH" wait --ready --timeout 120 "$a"
}

# watch WORKSPACE DIR N [PREFIX...]: inotifywait -r, by way of PREFIX, with N watches; it goes on.
watch()
{
	: >"out-$2"
	# shellcheck disable=SC2016 # the shell inside
	berth exec "$1" -- sh -c 'dir=/srv/$0 n=$1; shift; mkdir -p "$dir" && cd "$dir" &&
		seq "$((n - 1))" | xargs mkdir && exec "$@" inotifywait -m -r "$dir"' "${@:2}" \
		>"out-$2" 2>&1 3>&- &
	wait_until 60 grep -q "Watches established" "out-$2"
}

# one WORKSPACE [PREFIX...]: one watch more.
one() { run berth exec "$1" -- "${@:2}" inotifywait -q -t 1 /etc; }

refused()
{
	assert_status 1
	assert_has "upper limit on inotify watches reached"
}

granted() { assert_status 2; } # the time was over

# perl, since that is in each Debian: takes all that is left of WHAT, tells how many, and goes on.
filler='
	$| = 1;
	if ($ARGV[0] eq "instances") {
		for ($n = 0; syscall(294, 0) >= 0; $n++) {}
	} else {
		my $fd = syscall(294, 0);
		mkdir "/srv/fill";
		for ($n = 0;; $n++) {
			my $file = "/srv/fill/$n";
			open my $made, ">", $file or die "$file: $!";
			close $made;
			last if syscall(254, $fd, $file, 2) < 0;
		}
	}
	print "filled with $n, ", $! + 0, "\n";
	sleep 1000;'

# fill WHAT: what is left in the first.
fill()
{
	: >out-fill
	berth exec "$a" -- perl -e "$filler" "$1" >out-fill 2>&1 3>&- &
	wait_until 60 grep -q filled out-fill
}

# watchers WORKSPACE FILTER: of what inspect tells.
watchers() { "$BERTH" inspect "$1" | jq -r ".[0].watchers | $2"; }

# told REGEX: the first's log has it, not later than its next look.
told()
{
	in_log() { "$BERTH" logs "$a" | grep -qE "$1"; }
	wait_until 100 in_log "$1" || fail "$("$BERTH" logs "$a")"
}

@test "inotifywait -r in a user namespace of its own: the workspace's number, and nobody else's" {
	probe debian
	begin "$a" --watches 300
	begin "$b" --watches 300
	one "$a" unshare -Ur
	granted
	watch "$a" full 300 unshare -Ur
	one "$a"
	refused
	one "$a" unshare -Ur
	refused
	one "$a" setpriv --reuid 7 --clear-groups
	refused
	watch "$b" neighbour 250
	assert_equal "$(watchers "$a" '[.watches.now, .watches.max] | @text')" '[300,300]'
	assert_equal "$(watchers "$b" '[.watches.now, .watches.max] | @text')" '[250,300]'
	told 'watchers: inotify watches at 100 % of 300, of them 300 in inotifywait\[[0-9]+\]'
	# Who filled it ends, and all of it is there again.
	berth exec "$a" -- pkill inotifywait
	none_left() { [ "$(watchers "$a" .watches.now)" = 0 ]; }
	wait_until 20 none_left
	watch "$a" again 290
}

# image: of inotifywait and a shell, for the first's docker: "watch".
image()
{
	# shellcheck disable=SC2016 # the shell inside
	berth exec "$a" -- sh -c 'tar -C / -ch bin/sh usr/bin/inotifywait $(ldd /usr/bin/inotifywait |
		grep -o "/[^ ]*") 2>/dev/null | docker import - watch' >/dev/null
}

@test "a watcher in a container of the inner docker: inspect and the log tell which" {
	probe debian cgroup
	boot --watches 300
	begin "$b" --watches 300
	image
	berth exec "$a" -- sh -c 'mkdir /srv/w && cd /srv/w && seq 249 | xargs mkdir'
	local container="docker run --network none -v /srv/w:/w"
	# shellcheck disable=SC2086 # words
	run -0 berth exec "$a" -- $container --name eater -d watch /usr/bin/inotifywait -m -r /w
	established() { "$BERTH" exec "$a" -- docker logs eater 2>&1 | grep -q "Watches established"; }
	wait_until 60 established
	id=$(berth exec "$a" -- docker ps -q)
	[[ $id =~ ^[0-9a-f]{12}$ ]] || fail "$id"
	fill watches
	assert_equal "$(watchers "$a" '.watches.now')" 300
	assert_equal "$(watchers "$a" '.by_process[0] | [.name, .watches, .container] | @text')" \
		'["inotifywait",250,"'"$id"'"]'
	told "watchers: inotify watches at 100 % of 300, of them 250 in inotifywait\[[0-9]+\] of container $id"
	# shellcheck disable=SC2086
	run berth exec "$a" -- $container --rm watch /usr/bin/inotifywait -q -t 1 /w
	refused
	watch "$b" neighbour 250
	berth exec "$a" -- docker rm -f eater
	# shellcheck disable=SC2086
	run berth exec "$a" -- $container --rm watch /usr/bin/inotifywait -q -t 1 /w
	granted
}

# crowd WATCHERS COMMAND N...: a container of the first for each N, one after another, with COMMAND and N directories
# in /w; each is waited for until so many watchers have told how they fare. Their IDs are in $ids.
crowd()
{
	# shellcheck disable=SC2016 # the shell inside
	run -0 berth exec "$a" -- sh -c 'watchers=$0 command=$1; shift
		for n; do
			mkdir -p "/srv/w$n" && (cd "/srv/w$n" && seq "$((n - 1))" | xargs -r mkdir -p)
			id=$(docker run --network none -v "/srv/w$n:/w" -d watch /bin/sh -c "$command") && echo "$id" | cut -c -12
			until [ "$(docker logs "$id" 2>&1 | grep -cE "established|reached|Too many")" -eq "$watchers" ]; do
				sleep 0.1
			done
		done' "$@"
	mapfile -t ids <<<"$output"
	assert_equal "${#ids[@]}" "$(($# - 2))"
}

# said PATTERN: how many of the containers said that, and that these are the last ones, or the first.
said()
{
	local id line=

	for id in "${ids[@]}"; do
		if "$BERTH" exec "$a" -- docker logs "$id" 2>&1 | grep -q "$1"; then line+=y; else line+=n; fi
	done
	[[ $line =~ ^(y*n*|n*y*)$ ]] || fail "'$1': $line"
	line=${line//n/}
	echo "${#line}"
}

@test "many containers: the later ones get ENOSPC or EMFILE, the largest are named, a neighbour has all of his" {
	local established refused

	probe debian cgroup
	boot --watches 300 --inotify-instances 60
	begin "$b" --watches 300 --inotify-instances 60
	image
	crowd 1 'exec inotifywait -m -r /w' 140 40 30 20 20 20 20 20 20 20 20 20
	established=$(said "Watches established")
	refused=$(said "upper limit on inotify watches reached")
	[[ $established -ge 4 && $refused -ge 4 && $((established + refused)) -eq 12 ]] || fail "$established, $refused"
	assert_equal "$(watchers "$a" '.by_process[:3] | map("\(.watches) \(.container)") | join(" ")')" \
		"140 ${ids[0]} 40 ${ids[1]} 30 ${ids[2]}"
	fill watches
	assert_equal "$(watchers "$a" '[.watches.now, .watches.max] | @text')" '[300,300]'
	watch "$b" neighbour 300
	assert_equal "$(watchers "$b" '[.watches.now, .watches.max] | @text')" '[300,300]'
	of() { printf '%s in inotifywait\\[[0-9]+\\] of container %s' "$@"; }
	told "watchers: inotify watches at 100 % of 300, of them $(of 140 "${ids[0]}"), $(of 40 "${ids[1]}"), $(of 30 "${ids[2]}")"

	berth exec "$a" -- sh -c 'pkill perl; docker ps -aq | xargs docker rm -f' >/dev/null
	# shellcheck disable=SC2016 # the shell inside
	crowd 8 'for i in 1 2 3 4 5 6 7 8; do inotifywait -m /w & done; wait' \
		1 1 1 1 1 1 1 1 1 1
	refused=$(said "Too many open files")
	[[ $refused -ge 2 && $refused -le 8 ]] || fail "$refused"
	assert_equal "$(watchers "$a" '[.inotify_instances.now, .inotify_instances.max] | @text')" '[60,60]'
	# One is inotifywait's.
	run -0 berth exec "$b" -- perl -e 'for ($n = 0; syscall(294, 0) >= 0; $n++) {} print $n'
	assert_output 59
}

# path_unit: starts one in the first, and ends it; its status and log in $output.
path_unit()
{
	# shellcheck disable=SC2016
	run berth exec "$a" -- sh -c 'cd /run/systemd/system
		printf "[Path]\nPathExists=/srv/never\n" >eater.path
		printf "[Service]\nExecStart=/bin/true\n" >eater.service
		systemctl daemon-reload
		systemctl start eater.path; systemctl show -p ActiveState,Result eater.path
		journalctl --sync; systemctl status --no-pager eater.path
		systemctl stop eater.path; true'
}

@test "a path unit of systemd: ENOSPC without watches, EMFILE without instances, and only there" {
	probe debian cgroup
	boot --watches 300 --inotify-instances 60
	begin "$b" --watches 300 --inotify-instances 60
	path_unit
	assert_has ActiveState=active
	for row in "watches:No space left on device" "instances:Too many open files"; do
		fill "${row%%:*}"
		path_unit
		assert_has ActiveState=failed
		assert_has Result=resources
		assert_has "${row#*:}"
		watch "$b" "neighbour-${row%%:*}" 100
		berth exec "$a" -- pkill perl
		emptied() { ! "$BERTH" exec "$a" -- pgrep perl; }
		wait_until 20 emptied
		path_unit
		assert_has ActiveState=active
	done
}

# A file watcher as development servers have it is one package of npm's registry.
probe_chokidar()
{
	command -v node npm >/dev/null || fail "node and npm are not installed"
	# node has certificates of its own; those of the machine count, too.
	NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt HOME=$BATS_TEST_TMPDIR \
		timeout 60 npm install --fetch-retries 0 --no-audit --no-fund --prefix "$BATS_TEST_TMPDIR" \
		chokidar@3 >&2 || fail "npm's registry is not reached"
}

# node_begin WORKSPACE OPTION...: of the machine's own files, since the tests' trees have no node.
node_begin()
{
	berth run -d --name "$1" --rootfs host --init berth --net none -v "$PWD:/srv:ro" \
		"${@:2}" -- sleep 1000 >/dev/null
}

# node_watch WORKSPACE DIR FILES: goes on; what became of it is in out-DIR.
node_watch()
{
	: >"out-$2"
	# shellcheck disable=SC2016 # the shell inside
	berth exec "$1" -- sh -c 'mkdir -p "/tmp/$0" && cd "/tmp/$0" && seq "$1" | xargs touch && exec node -e "
		process.title = \"chokidar\";
		const codes = new Set();
		require(\"/srv/node_modules/chokidar\").watch(\"/tmp/$0\")
			.on(\"error\", (error) => codes.add(error.code))
			.on(\"ready\", () => console.log(\"ready\", ...codes));"' "${@:2}" >"out-$2" 2>&1 3>&- &
	wait_until 60 grep -q . "out-$2"
	run cat "out-$2"
}

@test "a watcher of Node.js: ENOSPC without watches, EMFILE without instances, and only there" {
	probe chokidar
	node_begin "$a" --watches 300 --inotify-instances 3
	node_begin "$b" --watches 300 --inotify-instances 3
	node_watch "$a" first 250
	assert_output ready
	node_watch "$a" second 250
	assert_output "ready ENOSPC"
	node_watch "$b" neighbour 250
	assert_output ready
	assert_equal "$(watchers "$a" '.watches.now')" 300
	told 'watchers: inotify watches at 100 % of 300, of them [0-9]+ in chokidar\['
	# Those two have an instance each, so there is one left: libuv takes one a process.
	assert_equal "$(watchers "$a" '.inotify_instances.now')" 2
	berth exec "$a" -- sh -c 'pkill chokidar'
	node_watch "$a" third 2
	node_watch "$a" fourth 2
	node_watch "$a" fifth 2
	assert_output ready
	node_watch "$a" sixth 2
	assert_output "ready EMFILE"
	node_watch "$b" another 2
	assert_output ready
}
