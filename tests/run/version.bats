#!/usr/bin/env bats

load ../lib/common

@test "version prints the program's name and version" {
	run berth version
	assert_status 0
	[[ $output =~ ^berth\ [0-9]+\.[0-9]+\.[0-9]+ ]]
}
