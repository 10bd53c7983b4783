#!/usr/bin/env bash
# shapers.sh WARDEN RATE DEVICE...: what left the shaper of each device of this warden's gateway in 8 s after
# 2 s of traffic, in percent of RATE, bits a second. berth0 has downloads, berth-up uploads. Not what eth0
# counts: that has what is dropped on the way to the upload's shaper, too.
set -eu

warden=$1 rate=$2
shift 2

# Bytes, and the seconds before and after they were read, of each device.
now()
{
	# shellcheck disable=SC2016 # of the inner shell
	nsenter -t "$warden" -n sh -c '
		for device; do
			read -r before _ </proc/uptime
			tc -s qdisc show dev $device | grep -A1 -w tbf
			read -r after _ </proc/uptime; echo at $before $after
		done' now "$@" 2>/dev/null
}

# More than what programs say to one another before.
until [ "$(now "$@" | awk '$1 == "Sent" && $2 > 50000' | wc -l)" = $# ]; do sleep 0.1; done
sleep 2
{ now "$@"; sleep 8; now "$@"; } | awk -v rate="$rate" -v n=$# '$1 == "Sent" { sent = $2 }
	$1 == "at" { bytes[++i] = sent; from[i] = $2; to[i] = $3 }
	END { for (i = 1; i <= n; i++)
		printf "%d ", (bytes[i + n] - bytes[i]) * 800 / (to[i + n] - from[i]) / rate }'
