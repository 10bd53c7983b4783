# shellcheck shell=bash
# "berth policy report": one page, whole, for people and browsers, whatever root inside calls its
# things.

load ../lib/common

setup()
{
	common_setup
	name=$(new_name)
	probe tool:python3
}

page() { python3 "$BATS_TEST_DIRNAME/../lib/page.py" "$@"; }

# good FILE: nothing is wrong with the page.
good()
{
	run page check "$1"
	assert_status 0
}

# browser OPTION... FILE: Chromium, without a window
browser()
{
	local home=$BATS_TEST_TMPDIR/browser

	mkdir -p "$home"
	HOME=$home timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
		--user-data-dir="$home/data" --hide-scrollbars --virtual-time-budget=2000 \
		"${@:1:$#-1}" "file://$(readlink -f "${!#}")" 2>browser.log 3>&-
}

workspace()
{
	probe small subids
	berth run -d --name "$name" --rootfs "$BERTH_TEST_SMALL:O" --init none "$@" -- \
		/bin/sleep 1000 >/dev/null
}

@test "of each profile and of a policy with what it extends: values, origins, findings" {
	for profile in $("$BERTH" policy list | sed 's/ .*//'); do
		"$BERTH" policy report "$profile" -o "$profile.html"
		good "$profile.html"
	done
	[ "$(stat -c %a shell.html)" = 600 ]
	cat >team.json <<-'END'
		{ "extends": "shell", "environment": { "TOKEN": "<b>hunter2</b>" },
		  "volumes": ["/srv/<script>alert(1)</script>:/data"] }
	END
	"$BERTH" policy report ./team.json -o - >page.html
	good page.html
	page rows page.html >rows.txt
	grep -q $'^\tvolumes\t/srv/<script>alert(1)</script>:/data\t.*\t\./team.json:2' rows.txt
	grep -q $'^\tenvironment\tTOKEN=\\*\\*\\*\t' rows.txt
	run ! grep hunter2 page.html
	grep -q $'^\tnetwork.uplink\t.*\tprofile shell$' rows.txt
	grep -q 'Policy ./team.json' <(page text page.html)
	run ! grep '<script' page.html
	run "$BERTH" policy report shell
	assert_status 125
	assert_has "-o FILE is missing"
	run "$BERTH" policy report ./nowhere.json -o x
	assert_status 125
	[ ! -e x ]
	run "$BERTH" policy report shell -o nowhere/x
	assert_status 125
	assert_has "open 'nowhere'"
	run "$BERTH" policy report "$name" -o x
	assert_status 125
	assert_has "no workspace '$name'"
}

@test "of a running workspace: what the kernel says, with charts, and no difference" {
	workspace --memory 64m --pids 50 --best-effort memory,pids --watches 100 --rate-down 20mbit --ulimit nofile=99:199 \
		--cap-drop net_raw --policy shell --net relay -e TOKEN=hunter2
	"$BERTH" policy report "$name" -o page.html
	good page.html
	page text page.html >text.txt
	grep -q '0 differ' text.txt
	run ! grep hunter2 page.html
	page rows page.html >rows.txt
	grep -q $'^\tlimits.watches\t100\t.*\t--watches$' rows.txt
	grep -q $'^\tlimits.ulimits\tnofile=99:199\t.*\t--ulimit$' rows.txt
	grep -Eq $'\tnofile\t199 or less\t199\t' rows.txt
	grep -q $'^\tcapabilities.drop\t.*net_raw\t.*\t--cap-drop$' rows.txt
	grep -q $'^\tenvironment\tTOKEN=\\*\\*\\*\t' rows.txt
	grep -Eq $'^\tuser\t[0-9]+\t[0-9]+\tits own$' rows.txt
	grep -Eq $'^\tinotify watches\t0\t100\t' rows.txt
	grep -q $'^\t/proc\tproc\t/\t' rows.txt
	grep -q 'queue ' text.txt
	grep -q 'chain ' text.txt
	grep -q 'aria-label="inotify watches: 0 percent"' page.html
	run ! grep 'tr class="bad"' page.html
	# The state it was in is told, not another one: once it has ended there is none.
	berth rm -f "$name"
	run "$BERTH" policy report "$name" -o page.html
	assert_status 125
}

@test "a difference is told first, in red and in words" {
	workspace --watches 100
	python3 "$BATS_TEST_DIRNAME/../lib/level.py" "$XDG_RUNTIME_DIR/berth/$name" outer \
		sh -c 'echo 4321 >/proc/sys/user/max_inotify_watches'
	"$BERTH" policy report "$name" -o page.html
	good page.html
	grep -q '1 differs' <(page text page.html)
	page rows page.html | grep $'^bad\tucount' >differing
	grep -q $'max_inotify_watches\t100\t4321\tdiffers' differing
	# In its own section, and in that of all.
	assert_equal "$(wc -l <differing)" 2
}

@test "what root inside calls things is text in a browser, too" {
	probe tool:chromium
	workspace --hostname 'a-b'
	"$BERTH" exec "$name" -- /bin/sh -c '
		mkdir -p "/tmp/<script>document.title=1<" "/tmp/\"><img src=x onerror=x>"
		mount -t tmpfs "<b>" "/tmp/<script>document.title=1<"
		mount -t tmpfs x "/tmp/\"><img src=x onerror=x>"
		printf "<svg/onload=x>" >/proc/self/comm
		hostname "<i>h</i>"'
	"$BERTH" policy report "$name" -o page.html
	good page.html
	browser --dump-dom page.html >dom.html
	grep -q '</html>' dom.html
	run page check dom.html
	# A browser puts in what may be left out, and no more.
	assert_equal "$(grep -v '^$' <<<"$output" || true)" ''
	grep -qF "<title>Workspace $name: report of berth</title>" dom.html
	page rows dom.html >rows.txt
	grep -qF $'\t/tmp/<script>document.title=1<\ttmpfs\t' rows.txt
	grep -qF $'\t/tmp/"><img src=x onerror=x>\ttmpfs\t' rows.txt
	run ! grep -E '<(script|img|i>|svg/)' dom.html
}

@test "it is drawn: light, dark, narrow and printed" {
	probe tool:chromium
	"$BERTH" policy report strict -o page.html
	for look in light: dark:--force-dark-mode narrow:; do
		size=1280,1600
		[ "${look%%:*}" != narrow ] || size=420,1600
		# shellcheck disable=SC2086 # no option, or one
		browser ${look#*:} --blink-settings=preferredColorScheme="$([ "${look%%:*}" = dark ] && echo 0 || echo 1)" \
			--window-size="$size" --screenshot="$PWD/${look%%:*}.png" page.html
		[ -s "${look%%:*}.png" ]
	done
	run ! cmp -s light.png dark.png
	browser --print-to-pdf="$PWD/page.pdf" page.html
	[ "$(head -c 5 page.pdf)" = %PDF- ]
}
