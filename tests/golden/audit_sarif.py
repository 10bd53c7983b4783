#!/usr/bin/env python3
"""What the schema of SARIF 2.1.0 requires of what berth writes.

    audit_sarif.py FILE

The schema is not shipped, since OASIS permits no changed copies: tests/run/policy.bats asks the one
that a package of npm's registry has. What is here asks without a network; these are its required properties, types and enumerations for the
objects that berth uses, read in the standard (OASIS sarif-v2.1.0-os, section 3), and none but
the properties that it names are taken. The file has results, and a failure among them.
"""

import json
import sys
import urllib.parse

LEVELS = {"none", "note", "warning", "error"}
KINDS = {"notApplicable", "pass", "fail", "review", "open", "informational"}

# property: (required, type or function)
TEXT = {"text": (True, str)}
CONFIGURATION = {"level": (True, LEVELS)}
RULE = {
    "id": (True, str), "name": (False, str), "shortDescription": (False, TEXT),
    "fullDescription": (False, TEXT), "help": (False, TEXT),
    "defaultConfiguration": (False, CONFIGURATION), "properties": (False, dict),
}
DRIVER = {"name": (True, str), "version": (False, str), "rules": (False, [RULE])}
REGION = {"startLine": (False, int), "startColumn": (False, int)}
PHYSICAL = {"artifactLocation": (False, {"uri": (False, str)}), "region": (False, REGION)}
LOGICAL = {"name": (False, str), "fullyQualifiedName": (False, str), "kind": (False, str)}
LOCATION = {"physicalLocation": (False, PHYSICAL), "logicalLocations": (False, [LOGICAL])}
RESULT = {
    "ruleId": (False, str), "ruleIndex": (False, int), "kind": (False, KINDS),
    "level": (False, LEVELS), "message": (True, TEXT), "locations": (False, [LOCATION]),
    "properties": (False, dict),
}
NOTIFICATION = {"level": (False, LEVELS), "message": (True, TEXT)}
INVOCATION = {"executionSuccessful": (True, bool),
              "toolExecutionNotifications": (False, [NOTIFICATION])}
RUN = {
    "tool": (True, {"driver": (True, DRIVER)}), "invocations": (False, [INVOCATION]),
    "columnKind": (False, {"utf16CodeUnits", "unicodeCodePoints"}), "results": (False, [RESULT]),
}
LOG = {"$schema": (False, str), "version": (True, {"2.1.0"}), "runs": (True, [RUN])}


def check(value, schema, where):
    if isinstance(schema, type):
        if type(value) is not schema:
            yield f"{where}: {value!r} is no {schema.__name__}"
    elif isinstance(schema, set):
        if value not in schema:
            yield f"{where}: {value!r} is none of {sorted(schema)}"
    elif isinstance(schema, list):
        if not isinstance(value, list):
            yield f"{where}: no array"
            return
        for i, item in enumerate(value):
            yield from check(item, schema[0], f"{where}[{i}]")
    else:
        if not isinstance(value, dict):
            yield f"{where}: no object"
            return
        for key in value.keys() - schema.keys():
            yield f"{where}: unknown property {key}"
        for key, (required, inner) in schema.items():
            if key in value:
                yield from check(value[key], inner, f"{where}.{key}")
            elif required:
                yield f"{where}: {key} is missing"


def check_meaning(log):
    """What a schema cannot say."""
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for i, result in enumerate(run["results"]):
        where = f"results[{i}]"
        if rules[result["ruleIndex"]]["id"] != result["ruleId"]:
            yield f"{where}: ruleIndex is not that of ruleId"
        # 3.27.10: a level other than none belongs to a failure only.
        if (result["kind"] == "fail") == (result["level"] == "none"):
            yield f"{where}: level {result['level']} with kind {result['kind']}"
        for location in result["locations"]:
            physical = location.get("physicalLocation")
            if not physical:
                continue
            uri = physical["artifactLocation"]["uri"]
            if urllib.parse.quote(urllib.parse.unquote(uri), safe="/:") != uri:
                yield f"{where}: {uri!r} is no URI"
            if min(physical["region"].values()) < 1:
                yield f"{where}: counts from 0"
    if len({rule["id"] for rule in rules}) != len(rules):
        yield "rules are not unique"
    if len(run["results"]) < 10 or not any("physicalLocation" in r["locations"][0]
                                          for r in run["results"]):
        yield "too few results to be a test"
    invocation = run["invocations"][0]
    if invocation["executionSuccessful"] or len(invocation["toolExecutionNotifications"]) != 1:
        yield "the file that cannot be read is not told"


def main():
    with open(sys.argv[1], encoding="utf-8") as stream:
        log = json.load(stream)
    found = list(check(log, LOG, "log")) or list(check_meaning(log))
    # The checks can fail: spoilt copies are refused.
    for path, value in (("version", "2.0"), ("runs.0.tool.driver.name", None),
                        ("runs.0.results.0.level", "high"), ("runs.0.results.0.message", {})):
        spoilt = at = json.loads(json.dumps(log))
        *way, last = path.split(".")
        for name in way:
            at = at[int(name)] if isinstance(at, list) else at[name]
        if value is None:
            del at[last]
        else:
            at[last] = value
        if not list(check(spoilt, LOG, "log")):
            found.append(f"{path} = {value!r} is not refused")
    for line in found:
        print(line)
    return bool(found)


sys.exit(main())
