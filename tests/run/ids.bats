# shellcheck shell=bash
# Which IDs a workspace has: --uidmap and --gidmap, and what stands for them in a policy.

load ../lib/common

setup()
{
	common_setup
	probe small subids tool:jq
	name=$(new_name)
	read -r uid gid sub subgid < <(echo "$(id -u) $(id -g) $(first /etc/subuid) $(first /etc/subgid)")
}

# first FILE: the first ID of the user's first range there.
first() { awk -F: -v name="$(id -un)" -v id="$(id -u)" '$1 == name || $1 == id { print $2; exit }' "$1"; }

# inside OPTION...: up to "--" and the command.
inside() { run --separate-stderr berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none "$@"; }

# refused OPTION...: no launch, and no trace of one.
refused()
{
	run berth run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none "$@" -- /bin/echo launched
	assert_status 125
	[[ $output != *launched* ]]
	[ ! -e "$XDG_RUNTIME_DIR/berth/$name" ]
}

# maps: of the command, a line each, without the kernel's blanks.
# shellcheck disable=SC2016 # the workspace's shell
maps='for map in uid_map gid_map; do while read -r a b c; do echo "$a $b $c"; done </proc/self/$map; echo; done;'

@test "ids: ranges within what was lent, ours first; a file made inside belongs to whom it says" {
	mkdir volume
	chmod 777 volume
	inside --uidmap "1:$((sub + 100)):10" --uidmap "0:$uid" --uidmap "1000:$((sub + 5000)):2" \
		--gidmap "0:$gid:1" --gidmap "7:$((subgid + 7)):1" -v "$PWD/volume:/data" -- /bin/sh -c "$maps"'
			cd /data; echo >root; echo >ten; chown 10:7 ten; echo >dev; chown 1001 dev
			chown 11 dev 2>/dev/null || echo no 11
			chgrp 8 dev 2>/dev/null || echo no group 8'
	assert_equal "$stderr" ""
	assert_output $'0 0 1\n1 1 10\n1000 1000 2\n\n0 0 1\n7 7 1\n\nno 11\nno group 8'
	assert_equal "$(cd volume && stat -c '%n %u:%g' dev root ten)" \
		"dev $((sub + 5001)):$gid"$'\n'"root $uid:$gid"$'\n'"ten $((sub + 109)):$((subgid + 7))"
}

@test "ids: we are user 1000 inside, and root is somebody else" {
	mkdir volume
	echo mine >volume/file
	chmod 600 volume/file
	inside --user 1000:1000 -v "$PWD/volume:/data" \
		--uidmap "0:$sub:1000" --uidmap "1000:$uid:1" --uidmap "1001:$((sub + 1000)):1000" \
		--gidmap "0:$subgid:1000" --gidmap "1000:$gid:1" -- \
		/bin/sh -c 'id -u; id -g; cat /data/file; echo >/data/made; stat -c %u:%g /data/file /proc/1'
	assert_equal "$stderr" ""
	assert_output $'1000\n1000\nmine\n1000:1000\n0:0'
	assert_equal "$(stat -c %u:%g volume/made)" "$uid:$gid"
	# The kernel's word, by whoever asks it from outside.
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none --init none --best-effort pids \
		--uidmap "0:$uid:1" --uidmap "5:$((sub + 5)):1" -- /bin/sleep 1000
	run "$BERTH" policy verify "$name"
	assert_status 0
	assert_has ", 0 differ,"
	assert_equal "$("$BERTH" policy verify --format json "$name" | jq -c '[.rows[] | select(.kind == "map") | .state]')" \
		'["holds","holds","holds","holds"]'
	assert_equal "$(tr -s ' ' <"/proc/$("$BERTH" inspect "$name" | jq '.[0].pids.init')/uid_map")" \
		" 0 $uid 1"$'\n'" 5 $((sub + 5)) 1"
}

@test "ids: what may not be mapped is refused, with what may" {
	refused --uidmap "0:$uid:1" --uidmap "1:300:10"
	assert_has "--uidmap '1:300:10': 300 is not ours to map"
	assert_has "here: $uid, $sub-"
	refused --uidmap 0:0:1
	assert_has "--uidmap '0:0:1': 0 is not ours to map"
	refused --gidmap "0:$gid:1" --gidmap "1:$subgid:4000000"
	assert_has "--gidmap '1:$subgid:4000000': "
	assert_has "is not ours to map"
	refused --uidmap "1:$sub:5"
	assert_has "--uidmap '1:$sub:5' without root"
	assert_has "hint: add --uidmap 0:OUTSIDE:1"
	refused --uidmap "0:$uid:1" --uidmap "1:$sub:10" --uidmap "5:$((sub + 50)):10"
	assert_has "'5:$((sub + 50)):10' and '1:$sub:10' have IDs inside in common"
	refused --uidmap "0:$uid:1" --uidmap "1:$sub:10" --uidmap "50:$((sub + 9)):10"
	assert_has "have IDs outside in common"
	refused --uidmap "0:$uid:0"
	refused --uidmap "0-$uid"
	assert_has "hint: INSIDE:OUTSIDE:COUNT"
	refused --uidmap "0:$uid:1" --uidmap "1:4294967290:100"
	assert_has "reaches beyond the last ID"
	# The same with nothing wrong.
	inside --uidmap "0:$uid:1" --uidmap "1:$sub:10" -- /bin/echo launched
	assert_output launched
}

@test "ids: a policy says the same, plan tells whose word it is, and start goes by it" {
	printf '{ "ids": { "uid_map": ["0:%s:1", "1:%s:20"], "gid_map": ["0:%s:1"] } }\n' "$uid" "$sub" "$gid" >team.json
	run "$BERTH" plan --name "$name" --policy ./team.json --rootfs "$BERTH_TEST_SMALL:O" --gidmap "1:$subgid:3" -- true
	assert_status 0
	assert_has "from: ./team.json:1: ids.uid_map 1:$sub:20"
	assert_has "from: --gidmap: ids.gid_map 1:$subgid:3"
	assert_has "warden: uid 0 $uid 1,1 $sub 20; gid 0 $gid 1,1 $subgid 3 (newuidmap)"
	berth run -d --name "$name" --policy ./team.json --rootfs "$BERTH_TEST_SMALL" --net none --init none -- \
		/bin/sleep 1000 >/dev/null
	for _ in first again; do
		assert_equal "$(tr -s ' ' <"/proc/$("$BERTH" inspect "$name" | jq '.[0].pids.init')/uid_map")" \
			" 0 $uid 1"$'\n'" 1 $sub 20"
		"$BERTH" stop -t 0 "$name" >/dev/null
		berth start "$name" >/dev/null
	done
	printf '{ "extends": "./team.json", "ids": { "uid_map": ["2:%s:1"] } }\n' "$sub" >wrong.json
	run "$BERTH" plan --policy ./wrong.json --rootfs "$BERTH_TEST_SMALL:O" -- true
	assert_status 125
	assert_has "./wrong.json:1:"
	assert_has "ids.uid_map: '2:$sub:1' and '1:$sub:20'"
}

@test "ids: root of a pod hands on some of its IDs, and may be somebody else inside" {
	mkdir volume
	# As in a pod: root of a user namespace, with the IDs that it was given.
	as_pod_root() { in_cgroup unshare --map-auto --map-root-user -m -- "$@"; }
	run --separate-stderr as_pod_root "$BERTH" run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		-v "$PWD/volume:/data" --uidmap 0:500:10 --uidmap 1000:0:1 --gidmap 0:500:10 --gidmap 1000:0:1 -- \
		/bin/sh -c "$maps"'stat -c %u:%g /data; echo >/data/made; stat -c %u:%g /data/made'
	assert_equal "$stderr" ""
	assert_output $'0 0 10\n1000 1000 1\n\n0 0 10\n1000 1000 1\n\n1000:1000\n0:0'
	assert_equal "$(as_pod_root stat -c %u:%g volume/made)" 500:500
	run as_pod_root "$BERTH" run --rm --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --net none \
		--uidmap 0:0:1 --uidmap 1:4000000:1 -- /bin/true
	assert_status 125
	assert_has "--uidmap '1:4000000:1': 4000000 is not ours to map"
}

@test "ids: with --image they are refused, with what to do" {
	run berth run --rm --name "$name" --image debian:12 --uidmap "0:$uid:1" -- true
	assert_status 125
	assert_has "--uidmap with --image"
	assert_has "--rootfs"
}
