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
	grep -qx Policyshell text.txt
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

# pixels PNG: how many of a red that no other part of the page has, and how many there are.
pixels()
{
	python3 - "$1" <<-'END'
		import struct, sys, zlib

		data = open(sys.argv[1], "rb").read()
		width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
		assert depth == 8 and colour in (2, 6), "no picture of 24 or 32 bits"
		step, raw, at = 3 if colour == 2 else 4, b"", 8
		while at < len(data):
		    size, kind = struct.unpack(">I4s", data[at : at + 8])
		    raw += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
		    at += size + 12
		raw, before, red = zlib.decompress(raw), bytes(width * step), 0
		for y in range(height):
		    start = y * (width * step + 1)
		    how, line = raw[start], bytearray(raw[start + 1 : start + 1 + width * step])
		    for i in range(len(line)):
		        left = line[i - step] if i >= step else 0
		        up, corner = before[i], before[i - step] if i >= step else 0
		        guess = left + up - corner
		        nearest = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
		        line[i] = (line[i] + (0, left, up, (left + up) // 2, nearest)[how]) % 256
		    for x in range(0, len(line), step):
		        red += line[x] > 150 and line[x + 1] < 60 and line[x + 2] < 60
		    before = line
		print(red, width * height)
	END
}

# bats test_tags=long
@test "a running workspace is drawn, and a difference in red" {
	probe tool:chromium
	workspace --watches 100 --memory 64m --best-effort memory
	for page in same differs; do
		"$BERTH" policy report "$name" -o "$page.html"
		browser --window-size=1000,700 --screenshot="$PWD/$page.png" "$page.html"
		python3 "$BATS_TEST_DIRNAME/../lib/level.py" "$XDG_RUNTIME_DIR/berth/$name" outer \
			sh -c 'echo 4321 >/proc/sys/user/max_inotify_watches'
	done
	read -r red all < <(pixels same.png)
	read -r more all < <(pixels differs.png)
	[ "$all" -eq 700000 ]
	[ "$more" -gt $((red + 50)) ] || fail "$red red points without a difference, $more with one, of $all"
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

# bats test_tags=long
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
